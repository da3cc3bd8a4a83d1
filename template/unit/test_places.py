"""The place, and advice that fits it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from django.test import override_settings
from projects import ROOT

from core import places
from core.hints import hints

ODD = {"HOST": "db", "PORT": "5433", "USER": "Shop-User", "NAME": 'My "$hop`'}
FOREIGN_WORDS = {
    "compose": r"\./dev|\.dev/|Rebuild",
    "devcontainer": r"\./dev|\.dev/|up --build",
    "native": "docker|Rebuild",
}


def at(place):
    return mock.patch.dict(os.environ, DEV_ENVIRONMENT=place)


@pytest.mark.parametrize("place", places.COMMANDS)
def test_every_place_names_the_same_commands_and_none_of_another_place(place):
    with at(place), override_settings(DATABASES={"default": ODD}):
        assert places.place() == place
        assert set(places.COMMANDS[place]) == set(places.COMMANDS["compose"])
        advice = [places.command(name) for name in places.COMMANDS[place] if name != "debug"]
        advice += hints().values()
    assert not re.search(FOREIGN_WORDS[place], "\n".join(advice))


def test_an_unknown_place_is_native():
    with at("somewhere"):
        assert places.place() == "native"


def test_arguments_are_quoted():
    with at("compose"):
        command = places.command("manage", "changepassword", "two words")
    assert command == "docker compose exec app python manage.py changepassword 'two words'"


def test_the_state_folder_and_the_port():
    with at("compose"), mock.patch.dict(os.environ, XDG_STATE_HOME="/state", APP_PORT="9000"):
        assert (places.state_folder(), places.port()) == (Path("/state"), 8000)
    with at("devcontainer"), mock.patch.dict(os.environ, XDG_STATE_HOME=""):
        assert places.state_folder() == Path.home() / ".local/state"
    with at("native"), mock.patch.dict(os.environ, APP_PORT="9000"):
        assert (places.state_folder(), places.port()) == (ROOT / ".dev", 9000)


def test_the_module_needs_the_standard_library_and_an_old_python_only():
    tree = ast.parse((ROOT / "app/core/places.py").read_text(), feature_version=(3, 9))
    imports = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {name.partition(".")[0] for name in imports} <= sys.stdlib_module_names


@pytest.mark.parametrize("place", ["compose", "devcontainer"])
def test_a_shell_reads_the_names_in_a_hint_as_they_are_meant(place):
    with at(place), override_settings(DATABASES={"default": ODD}):
        password, name = (typed(hints()[cause]) for cause in ["invalid_password", "invalid_catalog_name"])
    common = ["-p", "5433", "-U", "Shop-User"]
    sql = "ALTER ROLE \"Shop-User\" PASSWORD 'new'"
    assert password == ["compose", "exec", "db", "psql", *common, "postgres", "-c", sql]
    assert name == ["compose", "exec", "db", "createdb", *common, 'My "$hop`']


def typed(hint):
    """What docker is given when the last line of *hint* is pasted into a shell."""
    shell = ["sh", "-c", f"docker() {{ printf '%s\\n' \"$@\"; }}; {hint.splitlines()[-1]}"]
    return subprocess.run(shell, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_foreign_database_gets_the_general_hints():
    with at("compose"), override_settings(DATABASES={"default": {**ODD, "HOST": "db.example.com"}}):
        assert hints() == {}
