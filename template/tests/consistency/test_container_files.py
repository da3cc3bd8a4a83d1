"""docker-compose.yml, the Dockerfile, devcontainer.json and the programs say the same. Nothing here needs an engine."""

import os
import subprocess
import sys

from helpers.engine import ROOT
from helpers.files import arguments_of_build, interpolations, read_json, read_yaml

COMPOSE = read_yaml("docker-compose.yml")
APP, DB = COMPOSE["services"]["app"], COMPOSE["services"]["db"]
DEVCONTAINER = read_json(".devcontainer/devcontainer.json")
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def place(expression, name="devcontainer"):
    """What app/core/places.py says in such a place."""
    environment = {**os.environ, "DEV_ENVIRONMENT": name, "PYTHONPATH": str(ROOT / "app")}
    code = f"from core import places; print({expression})"
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip()


def test_the_dev_container_attaches_to_the_service_app_of_the_root_compose_file():
    assert DEVCONTAINER["service"] == "app"
    assert DEVCONTAINER["dockerComposeFile"] == ["../docker-compose.yml", "docker-compose.yml"]
    assert set(read_yaml(".devcontainer/docker-compose.yml")["services"]) == {"app"}


def test_each_container_knows_which_it_is():
    assert APP["environment"]["DEV_ENVIRONMENT"] == "compose"
    override = read_yaml(".devcontainer/docker-compose.yml")["services"]["app"]
    assert override["environment"]["DEV_ENVIRONMENT"] == "devcontainer"


def test_the_folder_is_one_for_compose_image_and_editor():
    folder = DEVCONTAINER["workspaceFolder"]
    assert f".:{folder}" in APP["volumes"]
    assert f"WORKDIR {folder}\n" in DOCKERFILE
    assert f"safe.directory {folder}\n" in DOCKERFILE


def test_the_port_is_one_for_compose_editor_and_server():
    (port,) = DEVCONTAINER["forwardPorts"]
    assert DEVCONTAINER["portsAttributes"][str(port)]["label"]
    assert APP["ports"] == [f"127.0.0.1:${{APP_PORT:-8000}}:{port}"]
    assert place("places.PORT") == str(port)


def test_the_debuggers_port_is_one_for_editor_and_server():
    ports = [
        entry["connect"]["port"] for entry in read_json(".vscode/launch.json")["configurations"] if "connect" in entry
    ]
    assert set(map(str, ports)) == {place("places.debug_port()")}


def test_the_port_is_forwarded_once():
    assert read_yaml(".devcontainer/docker-compose.yml")["services"]["app"]["ports"] == []
    assert "appPort" not in DEVCONTAINER


def test_the_interpreter_is_the_images():
    interpreter = DEVCONTAINER["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    (venv,) = {word.partition("=")[2] for word in DOCKERFILE.split() if word.startswith("VIRTUAL_ENV=")}
    assert interpreter == f"{venv}/bin/python"


def test_nothing_but_the_projects_folder_is_bound():
    assert APP["volumes"] == [".:/workspace"]
    data, program = DB["volumes"]
    assert data == "db:/var/lib/postgresql"
    assert (program["source"], program["read_only"]) == ("./environment/database", True)
    assert list(COMPOSE["volumes"]) == ["db"]
    assert "mounts" not in DEVCONTAINER


def test_the_dev_container_needs_no_feature_and_no_program_on_the_host(tmp_path):
    assert "features" not in DEVCONTAINER
    command = ["/bin/sh", "-c", DEVCONTAINER["initializeCommand"]]
    assert subprocess.run(command, cwd=tmp_path, env={"PATH": "/nowhere"}, check=False).returncode == 0


def test_no_name_is_fixed_so_that_clones_do_not_collide():
    assert "name" not in COMPOSE
    assert not any("container_name" in service for service in COMPOSE["services"].values())


def test_every_variable_of_compose_has_a_default():
    assert {
        name: rest for name, rest in interpolations(COMPOSE).items() if not all(r.startswith(":-") for r in rest)
    } == {}
    for argument in APP["build"]["args"]:  # by name alone: the default is the Dockerfile's
        assert argument in arguments_of_build()


def test_django_and_postgresql_get_the_same_values():
    for ours, theirs in {"DB_NAME": "POSTGRES_DB", "DB_USER": "POSTGRES_USER", "DB_PASS": "POSTGRES_PASSWORD"}.items():
        assert APP["environment"][ours] == DB["environment"][theirs]


def test_no_probe_has_a_limit_that_a_slow_machine_meets():
    """They wait for news, and need no start_interval, which engines below API 1.44 refuse."""
    for service in (APP, DB):
        assert service["healthcheck"]["timeout"] == "25h"
        assert not {"start_interval", "start_period"} & set(service["healthcheck"])
