"""The database's first start, its health, its configuration and its versions."""

import time

import pytest
from helpers.projects import SLOW_FIRST_START
from helpers.waiting import wait_until

# What most projects have: it asks the unix socket, where the temporary server of the first start listens too.
ON_THE_SOCKET = """
    healthcheck:
      test: pg_isready
configs:"""


def healthy_while_refused(project):
    """
    Start the database with a first initialisation that is 20 s slow, and return how often it was healthy while TCP was
    refused, and how often it was healthy while it was not, up to the first time of the latter.
    """
    up = ["-f", "docker-compose.yml", "-f", "slow.yml"]
    project.compose(*up, "up", "--detach", "db")
    refused, deadline = 0, time.monotonic() + 300
    while time.monotonic() < deadline:
        healthy = project.container("db")["State"]["Health"]["Status"] == "healthy"
        accepts = project.compose("exec", "-T", "db", "bash", "-c", "> /dev/tcp/$HOSTNAME/5432", check=False)
        if healthy and accepts.returncode == 0:
            return refused
        refused += healthy
    pytest.fail("the database was not healthy within 300 s")


def test_a_slow_first_start_is_never_called_healthy_too_early(make_project):
    project = make_project()
    project.write("slow.yml", SLOW_FIRST_START)
    assert healthy_while_refused(project) == 0
    assert "slow.sh" in project.compose("logs", "db").stdout
    project.compose("-f", "docker-compose.yml", "-f", "slow.yml", "up", "--wait")
    assert project.get()[0] == 200


def test_a_healthcheck_on_the_socket_would_fail_the_test_above(make_project):
    project = make_project()
    project.write("slow.yml", SLOW_FIRST_START.replace("\nconfigs:", ON_THE_SOCKET))
    assert healthy_while_refused(project) > 0


def test_the_variables_reach_django_and_postgresql_alike(make_project):
    project = make_project()
    project.write(".env", "DB_PORT=6543\nDB_NAME=my-app\nDB_USER=Ann O\nDB_PASS='p@ss \"$w0rd:/'\nAPP_PORT=1\n")
    project.compose("up", "--wait")  # with the environment's APP_PORT, which comes first
    assert project.get()[0] == 200
    shown = project.compose(
        "exec", "-T", "app", "python", "manage.py", "shell", "--no-imports", "--command",
        "from django.db import connection as c; c.ensure_connection(); print(c.connection.get_dsn_parameters())",
    ).stdout  # fmt: skip
    assert "'port': '6543'" in shown and "'dbname': 'my-app'" in shown and "'user': 'Ann O'" in shown
    assert project.git_status() == ""


def test_values_with_odd_characters_in_env_are_taken_literally(make_project):
    project = make_project()
    project.write(".env", "DB_PASS='p$w#d \"q\" 100%@:/\\ü'\nDB_NAME=My-Shop\n")
    project.compose("up", "--wait")
    assert project.get("readyz") == (200, "ok\n")


@pytest.fixture(scope="module")
def older(make_project):
    project = make_project(PYTHON_VERSION="3.13", POSTGRES_MAJOR="17")
    project.compose("up", "--wait")
    return project


def test_the_stack_runs_on_python_3_13_and_postgresql_17(older):
    assert older.get()[0] == 200
    assert older.psql("show server_version_num").startswith("17")
    assert " 3.13." in older.compose("exec", "-T", "app", "python", "--version").stdout
    assert " 17." in older.compose("exec", "-T", "app", "pg_dump", "--version").stdout
    assert " passed" in older.compose("run", "--rm", "app", "pytest").stdout


def test_the_data_of_17_lies_in_the_named_volume_under_their_major_version(older):
    assert older.psql("show data_directory") == "/var/lib/postgresql/17/docker"
    mounts = older.container("db")["Mounts"]
    volumes = {mount["Destination"]: mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    assert volumes.pop("/var/lib/postgresql") == f"{older.name}_db"
    (anonymous,) = volumes  # 17's image declares it, whatever is mounted; it stays empty
    assert older.compose("exec", "-T", "db", "ls", "-A", anonymous).stdout == ""
    older.psql("create table kept as select 1")
    older.compose("rm", "--stop", "--force", "--volumes")  # the anonymous one alone, which `down` would leave behind
    older.compose("up", "--wait")
    assert older.psql("select count(*) from kept") == "1"


def test_a_newer_postgresql_leaves_the_older_ones_data_alone(older):
    older.psql("create table left_alone as select 1")
    older.compose("up", "--detach", "db", POSTGRES_MAJOR="18", check=False)
    wait_until(
        lambda: "The volume holds data of PostgreSQL 17" in older.compose("logs", "db", POSTGRES_MAJOR="18").stdout
    )
    older.compose("up", "--wait")
    assert older.psql("select count(*) from left_alone") == "1"
