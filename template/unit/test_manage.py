"""manage.py, the settings that it loads, and what both say when something is missing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from databases import free_port
from projects import DATABASE, execute

VARIABLES = ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASS", "DEBUG", "DEV_ENVIRONMENT")
LOST = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0001_deleted")]
"""
REBUILD = {
    "compose": "docker compose up --build --wait",
    "devcontainer": "'Rebuild Container' in the editor",
    "native": "./dev up",
}


def without_variables(project):
    return {name: project.environ.pop(name, "") for name in VARIABLES}


@pytest.mark.parametrize("path", ["manage.py", "app/manage.py"])
@pytest.mark.parametrize("cwd", [".", "app", "/"])
def test_it_works_in_any_folder(project, path, cwd):
    for environ in ({}, {"PYTHONSAFEPATH": "1"}):
        shown = project.run(sys.executable, project.folder / path, "check", cwd=project.folder / cwd, **environ)
        assert shown.stdout == "System check identified no issues (0 silenced).\n"


@pytest.mark.parametrize("options", [[], ["--noreload"]])
def test_the_one_in_the_projects_folder_serves(project, options, tmp_path):
    project.manage("migrate", "-v0")
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", *options, str(port)]
    log = tmp_path / "server.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environ,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        ) as server,
    ):
        try:
            assert get(port, "/readyz") == "ok\n"
            assert "<h1>Ready.</h1>" in get(port, "/")
            deadline = time.monotonic() + 60
            while '"GET / HTTP/1.1" 200' not in log.read_text():  # written after the answer
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # the reloader does not end its child
    assert "readyz" not in log.read_text()


def get(port, path):
    """Ask until the server listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                return opener.open(f"http://127.0.0.1:{port}{path}").read().decode()
        time.sleep(0.05)
    raise AssertionError("The server does not listen.")


def test_tests_run_without_a_terminal_beside_what_a_killed_run_has_left(project):
    execute(f"CREATE DATABASE test_{DATABASE}")
    for options in ([], ["--parallel=2"]):
        shown = project.manage("test", *options)
        assert re.search(r"Ran \d\d tests .*\n\nOK", shown.stderr), shown.stderr
        execute(f"CREATE DATABASE test_{DATABASE}")


@pytest.mark.parametrize("place", REBUILD)
def test_a_package_that_is_not_installed(project, place):
    project.edit("app/app/settings.py", '    "welcome",\n', '    "welcome",\n    "taggit",\n')
    failed = project.manage("check", check=False, DEV_ENVIRONMENT=place)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == (
        'The module "taggit" is not installed; INSTALLED_APPS in app/app/settings.py names it.\n'
        f"If its package is in the requirements, run: {REBUILD[place]}\n"
        "If not, correct the name, or add the package to pyproject.toml first. --traceback shows more.\n"
    )
    assert "Traceback" in project.manage("check", "--traceback", check=False).stderr


def test_the_file_that_imports_what_is_not_installed_is_named(project):
    project.edit("app/core/models.py", "from django", "import taggit.managers\nfrom django")
    first_line = project.manage("check", check=False).stderr.splitlines()[0]
    assert first_line == 'The module "taggit" is not installed; app/core/models.py, line 1, imports it.'


@pytest.mark.parametrize("code", ["import core.nothing", "import django.nothing"])
def test_a_wrong_name_inside_of_a_package_is_shown_with_its_traceback(project, code):
    project.edit("app/core/models.py", "from django", f"{code}\nfrom django")
    assert "Traceback" in project.manage("check", check=False).stderr


def test_a_python_without_the_packages_is_sent_to_dev(project):
    project.environ.pop("DEV_ENVIRONMENT", None)
    failed = project.run(sys.executable, "-S", "manage.py", "migrate", "core", check=False)
    assert (failed.returncode, failed.stderr) == (
        1,
        'The module "django" is not installed.\nRun: ./dev manage migrate core\n',
    )


def test_without_variables_dev_up_comes_first(project):
    without_variables(project)
    failed = project.manage("check", check=False)
    expected = "ImproperlyConfigured: DB_HOST and the other variables are not set. Run ./dev up first. If the project runs with Docker, "
    expected += "type ./dev manage and ./dev test instead, or work in the dev container.\n"
    assert (failed.returncode, failed.stderr) == (2, expected)


def test_the_variables_that_dev_has_written_are_found(project):
    values = without_variables(project)
    written = {"folder": str(project.folder), "variables": {**values, "DEV_ENVIRONMENT": "native"}}
    project.write(".dev/env.json", json.dumps(written))
    show = "from django.conf import settings as s; print(s.DATABASES['default']['PORT'], s.DEBUG)"
    shown = project.manage("shell", "--no-imports", "-c", show).stdout
    assert shown == f"{values['DB_PORT']} True\n"
    shown = project.manage("shell", "--no-imports", "-c", show, DEBUG="false", SECRET_KEY="x").stdout
    assert shown == f"{values['DB_PORT']} False\n"  # a variable that is set wins
    project.environ["DB_HOST"] = "db"  # as in a container, where the file is of no interest
    failed = project.manage("check", check=False, DEBUG="true", DEV_ENVIRONMENT="compose")
    assert "The environment variable DB_PORT is not set." in failed.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"folder": "/elsewhere"}'])
def test_a_torn_file_of_variables_is_named(project, content):
    without_variables(project)
    project.write(".dev/env.json", content)
    failed = project.manage("check", check=False)
    assert re.fullmatch(r"ImproperlyConfigured: \S+/.dev/env.json cannot be used: .*\. Run: ./dev up\n", failed.stderr)


def test_migrations_that_cannot_be_loaded_are_not_ready(project):
    project.write("app/core/migrations/0002_lost.py", LOST)
    ask = "from django.test import Client; print(Client().get('/readyz').text)"
    assert project.manage("shell", "--no-imports", "-c", ask).stdout == "NodeNotFoundError\n\n"


@pytest.mark.parametrize("place", REBUILD)
def test_a_wrong_variable_is_named_with_the_next_step(project, place):
    failed = project.manage("check", check=False, DEBUG="maybe", DEV_ENVIRONMENT=place)
    expected = "ImproperlyConfigured: DEBUG is 'maybe': set it to true or false. "
    expected += f"Correct it in .env, which .env.example explains, then run: {REBUILD[place]}\n"
    assert (failed.returncode, failed.stderr) == (2, expected)


def test_production_gets_no_advice_of_development(project):
    (project.folder / "dev").unlink()
    project.environ.pop("DEV_ENVIRONMENT", None)
    failed = project.manage("check", check=False, DEBUG="false", SECRET_KEY="")
    expected = "The environment variable SECRET_KEY is not set. It has no default while DEBUG is off.\n"
    assert failed.stderr == f"ImproperlyConfigured: {expected}"
    hints = "from core.hints import hints; print(hints())"
    shown = project.manage("shell", "--no-imports", "-c", hints, DEBUG="false", SECRET_KEY="x")
    assert shown.stdout == "{}\n"
