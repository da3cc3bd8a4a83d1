"""What the image does not start with: a line that names the variable, no traceback, no secret."""

import secrets

import pytest
from helpers.engine import RUN, docker, run
from helpers.production import KEY, PASSWORD, arguments, build_image

UNSAFE = {
    "no key": ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
    "an empty key": ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
    "a short key": ({"SECRET_KEY": "short-canary"}, "SECRET_KEY can be guessed"),
    "a uniform key": ({"SECRET_KEY": "x" * 60}, "SECRET_KEY can be guessed"),
    "the public key": ({"SECRET_KEY": "django-insecure-for-development-only"}, "SECRET_KEY can be guessed"),
    "a generated one": ({"SECRET_KEY": f"django-insecure-{secrets.token_hex(30)}"}, "SECRET_KEY can be guessed"),
    "debug": ({"DEBUG": "true"}, "DEBUG is on"),
    "no hosts": ({"ALLOWED_HOSTS": None}, "ALLOWED_HOSTS is not set"),
    "only commas": ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS names no host"),
    "every host": ({"ALLOWED_HOSTS": "example.com,*"}, "ALLOWED_HOSTS names no host, or every one"),
    "debug and no hosts": ({"DEBUG": "1", "ALLOWED_HOSTS": "*"}, "DEBUG is on"),
    "an empty password": ({"DB_PASS": ""}, "DB_PASS is not set"),
    "an empty file of it": ({"DB_PASS": None, "DB_PASS_FILE": "/dev/null"}, "DB_PASS is empty"),
    "both": ({"DB_PASS_FILE": "/dev/null"}, "DB_PASS and DB_PASS_FILE are both set"),
    "a file that is not there": ({"SECRET_KEY": None, "SECRET_KEY_FILE": "/nowhere"}, "SECRET_KEY_FILE"),
    "no database": ({"DB_HOST": None}, "DB_HOST is not set"),
    "no mail": ({"EMAIL_HOST": None}, "EMAIL_HOST is not set"),
    "a port that is none": ({"EMAIL_PORT": "many"}, "EMAIL_PORT is 'many'"),
    "half a boolean": ({"HTTPS": "maybe"}, "HTTPS is 'maybe'"),
    "half a number": ({"SECURE_HSTS_SECONDS": "1h"}, "SECURE_HSTS_SECONDS is '1h'"),
    "a port of the server": ({"PORT": "http"}, "PORT is 'http'"),
    "a drain without end": ({"DRAIN_SECONDS": "long"}, "DRAIN_SECONDS is 'long'"),
}
SERVER_ALONE = {"PORT", "DRAIN_SECONDS"}
SERVE = ["timeout", "60", "gunicorn"]  # what is not refused would serve for ever
MIGRATE = ["python", "app/manage.py", "migrate"]


@pytest.fixture(scope="module")
def image(make_project):
    name = f"{RUN}-refusals"
    build_image(make_project(), name)
    yield name
    docker("image", "rm", "--force", name, check=False)


@pytest.mark.parametrize("case", UNSAFE)
@pytest.mark.parametrize("command", [SERVE, MIGRATE], ids=["serve", "migrate"])
def test_it_is_refused(image, case, command):
    variables, said = UNSAFE[case]
    if command is MIGRATE and SERVER_ALONE & set(variables):
        pytest.skip("the server's own")
    done = run("docker", "run", "--rm", "--init", "--network=none", *arguments(variables), image, *command, check=False)
    assert done.returncode in (1, 2), done.stdout
    assert said in done.stdout and "Traceback" not in done.stdout, done.stdout
    assert len(done.stdout.splitlines()) <= 4, done.stdout
    assert not [secret for secret in (KEY, PASSWORD, "short-canary") if secret in done.stdout]


def test_all_that_is_missing_is_told_at_once(image):
    done = run("docker", "run", "--rm", "--network=none", image, check=False)
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DB_HOST", "DB_NAME", "DB_USER", "DB_PASS", "EMAIL_HOST"):
        assert f"{name} is not set" in done.stdout
    assert done.returncode == 1


def test_the_documented_variables_are_not_refused(image):
    """The control: what is refused above is refused for its own sake."""
    for command in (["gunicorn", "--check-config"], ["python", "app/manage.py", "check"]):
        run("docker", "run", "--rm", "--network=none", *arguments({}), image, *command)
