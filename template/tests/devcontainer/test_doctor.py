"""The doctor: silent where all is well; each of its checks sees the thing that it is for, really broken."""

import re
import subprocess

import pytest
from conftest import wait_until, watches

ROOT_OWNED = "/workspace/app/core/made_by_root.py"


@pytest.fixture(scope="module")
def opened(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.up = project.devcontainer("up").stdout
    return project


def bash(project, command, **options):
    return project.run(*project.inside_command("bash", "-c", command), **options)


def doctor(project, *options, interpreter="python"):
    """The ids and the text of what the doctor finds."""
    shown = bash(project, f"{interpreter} app/manage.py doctor {' '.join(options)}", check=False)
    return re.findall(r"\((doctor\.[EW]\d+)\)", shown.stdout), shown.stdout


def root(project, command):
    subprocess.run(["docker", "exec", "--user", "0", f"{project.name}-app-1", "sh", "-c", command], check=True)


@pytest.fixture(autouse=True)
def well(opened):
    """Each test begins and ends in an environment that nothing is wrong with."""
    yield
    assert doctor(opened, "--timeout", "60") == ([], "System check identified no issues (0 silenced).\n")


def test_a_start_says_nothing_where_all_is_well(opened):
    assert "doctor." not in opened.up
    assert bash(opened, "bash .devcontainer/post-start").stdout == ""


def test_no_other_command_pays_for_it(opened):
    checks = "from django.core.checks.registry import registry; print(sorted(registry.tags_available()))"
    assert "doctor" not in bash(opened, f'python app/manage.py shell --no-imports --command "{checks}"').stdout


def test_the_database_is_down(opened):
    opened.compose("stop", "db")
    found, text = doctor(opened, "--timeout", "0.5")
    shown = bash(opened, "bash .devcontainer/post-start", check=False)
    opened.compose("start", "db")
    assert found == ["doctor.E001"]
    assert 'Not ready: database "app" at db:5432: ' in text and "HINT: " in text
    assert shown.returncode == 0 and "doctor.E001" in shown.stdout


def test_the_password_is_wrong(opened):
    found, text = doctor(opened, interpreter="DB_PASS=wrong python")
    assert bash(opened, "DB_PASS=wrong python app/manage.py doctor", check=False).returncode == 1
    assert found == ["doctor.E001"]
    assert 'password authentication failed for user "app"' in text


def test_a_migration_is_unapplied(opened):
    bash(opened, "python app/manage.py migrate sessions zero")
    found, text = doctor(opened, "--timeout", "0.5")
    warned = bash(opened, "python app/manage.py doctor --timeout 0", check=False).returncode
    bash(opened, "python app/manage.py migrate")
    assert warned == 0
    assert found == ["doctor.W002"]
    assert "unapplied migrations: 1." in text and "HINT: Run: python app/manage.py migrate" in text


def test_the_client_tools_are_of_another_version(opened):
    root(opened, "mv /usr/local/bin/psql /tmp; printf '#!/bin/sh\necho psql \\(PostgreSQL\\) 17.1' > /usr/local/bin/psql;"
                 "chmod +x /usr/local/bin/psql")  # fmt: skip
    found, text = doctor(opened)
    root(opened, "mv /tmp/psql /usr/local/bin")
    assert found == ["doctor.W003"]
    assert "The server is PostgreSQL 18, its client tools are: psql (PostgreSQL) 17.1." in text


def test_the_volume_holds_another_major_version(opened):
    volume = f"{opened.name}_db:/var/lib/postgresql"
    initdb = ["initdb", "--pgdata", "/var/lib/postgresql/17/docker"]
    opened.run("docker", "run", "--rm", "--user", "postgres", "--volume", volume, "postgres:17-trixie", *initdb)
    found, text = doctor(opened)
    opened.compose("exec", "-T", "db", "rm", "-r", "/var/lib/postgresql/17")
    assert found == ["doctor.W004"]
    assert "The volume holds a database of PostgreSQL 17 too" in text and "POSTGRES_MAJOR=17" in text


def test_a_file_belongs_to_somebody_else(opened):
    root(opened, f"touch {ROOT_OWNED}")
    found, text = doctor(opened)
    root(opened, f"rm {ROOT_OWNED}")
    assert found == ["doctor.W005"]
    assert f"{ROOT_OWNED} belongs to uid 0; uid {opened.uid}" in text


def test_git_is_not_usable(opened):
    root(opened, "git config --system --unset-all safe.directory; chown 4321 /workspace/.git /workspace")
    found, text = doctor(opened)
    root(opened, f"git config --system --add safe.directory /workspace; chown {opened.uid} /workspace/.git /workspace")
    assert "doctor.E006" in found
    assert "dubious ownership" in text


def test_the_hooks_are_not_installed(opened):
    bash(opened, "rm .git/hooks/pre-commit")
    found, text = doctor(opened)
    bash(opened, "bash .devcontainer/post-create")
    assert found == ["doctor.W007"]
    assert "HINT: Run: bash .devcontainer/post-create" in text


def test_hooks_of_ones_own_are_no_fault(opened):
    bash(opened, "mv .git/hooks/pre-commit /tmp && git config core.hooksPath .hooks")
    found, _ = doctor(opened)
    bash(opened, "mv /tmp/pre-commit .git/hooks && git config unset core.hooksPath")
    assert found == []


def test_the_server_does_not_run(opened):
    bash(opened, "bash .devcontainer/serve --stop")
    found, text = doctor(opened)
    assert found == ["doctor.W009"]

    taker = opened.inside_command("python", "-c", LISTEN, "8000")
    with subprocess.Popen(taker, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as taker:
        taker.stdout.readline()
        assert doctor(opened)[0] == ["doctor.W008"]

    bash(opened, re.search(r"HINT: Run: (.*)", text)[1])


def test_the_server_has_code_that_can_not_be_loaded(opened):
    wait_until(lambda: watches(opened))
    urls = opened.write("app/app/urls.py", "this is no Python\n")
    wait_until(lambda: doctor(opened, "--timeout", "0")[0] == ["doctor.W010"])
    assert "server.log" in doctor(opened, "--timeout", "0")[1]
    for _ in range(10):  # Django's reloader misses what is saved while it is at work, and sees it with the next save
        opened.write("app/app/urls.py", urls)
        if doctor(opened, "--timeout", "6")[0] == []:
            break


LISTEN = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print(flush=True)
sys.stdin.read()
"""


def test_another_interpreter_runs(opened):
    bash(opened, "python -m venv --system-site-packages /tmp/other")
    site = """PYTHONPATH=$(python -c 'import site; print(*site.getsitepackages(), sep=":")')"""
    found, text = doctor(opened, interpreter=f"{site} /tmp/other/bin/python")
    assert found == ["doctor.W012"]
    assert "/opt/venv/bin/python" in text


def test_a_package_is_not_as_the_requirements_say(opened):
    bash(opened, "mv $(find /opt/venv -name 'cfgv-*.dist-info') /tmp")
    found, text = doctor(opened)
    bash(opened, "mv /tmp/cfgv-*.dist-info $(dirname $(find /opt/venv -name 'pytest-*.dist-info'))")
    assert found == ["doctor.W013"]
    assert "Not installed as the requirements say: cfgv " in text
