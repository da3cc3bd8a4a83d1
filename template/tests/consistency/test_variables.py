"""A variable has one name, one default and one sentence: .env.example beside compose, the image and the settings."""

import io
import re

import dotenv
from helpers.engine import ROOT
from helpers.files import arguments_of_build, interpolations, read_yaml, variables_of_settings

COMPOSE = read_yaml("docker-compose.yml")
APP = COMPOSE["services"]["app"]
LINES = (ROOT / ".env.example").read_text().splitlines()


def is_variable(line):
    """A default is told as `# NAME=default`: a copy of the file changes nothing until a line is uncommented."""
    name, equals, _ = line.removeprefix("# ").partition("=")
    return bool(equals) and name.isupper() and " " not in name


EXAMPLE = dotenv.dotenv_values(
    stream=io.StringIO("\n".join(line.removeprefix("# ") for line in LINES if is_variable(line)))
)


def defaults():
    """{name: default} of all that compose and the image can be told."""
    found = {name: rest.pop().removeprefix(":-") for name, rest in interpolations(COMPOSE).items()}
    return found | {name: arguments_of_build()[name] for name in APP["build"]["args"]}


def test_a_variable_has_the_same_default_wherever_it_stands():
    assert {name: values for name, values in interpolations(COMPOSE).items() if len(values) > 1} == {}
    shared = set(interpolations(COMPOSE)) & set(arguments_of_build())
    assert {name: interpolations(COMPOSE)[name] for name in shared} == {
        name: {f":-{arguments_of_build()[name]}"} for name in shared
    }


def test_the_example_has_every_variable_with_its_default():
    expected = defaults()
    assert {name: EXAMPLE.get(name) for name in expected} == expected
    assert set(EXAMPLE) - set(expected) <= {"COMPOSE_PROJECT_NAME"}  # Compose's own


def test_the_example_can_be_copied_as_it_is():
    assert dotenv.dotenv_values(ROOT / ".env.example") == {}


def test_each_variable_has_a_sentence():
    for before, line in zip(["", *LINES], LINES, strict=False):
        if is_variable(line):
            assert before.startswith("# "), f"{line}: nothing above it says what it is"


def test_every_variable_that_the_settings_read_is_handed_on_by_compose():
    read = variables_of_settings()
    assert {"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASS", "DEBUG", "SECRET_KEY"} <= read
    assert read <= set(APP["environment"])
    assert read - {"DEV_ENVIRONMENT"} <= set(EXAMPLE)


def test_every_variable_of_the_deployed_image_is_documented():
    files = ["app/app/settings.py", "app/app/production.py", "deploy/gunicorn.conf.py"]
    text = "".join((ROOT / path).read_text() for path in files)
    read = set(re.findall(r'\benv(?:_\w+)?\("([A-Z_]+)"', text)) - {"DEBUG"}  # which is refused there
    assert {"SECRET_KEY", "DB_PASS", "EMAIL_PORT", "HTTPS", "PORT", "DRAIN_SECONDS"} <= read
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/deploy.md").read_text()))
    assert read <= documented
