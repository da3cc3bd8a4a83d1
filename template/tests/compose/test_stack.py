"""`docker compose up --wait` in a clean clone: what is there when it returns."""

import re
from datetime import datetime

import pytest


@pytest.fixture(scope="module")
def fresh(make_project):
    project = make_project()
    project.compose("up", "--wait")
    return project


def test_the_page_answers(fresh):
    assert fresh.get()[0] == 200


def test_the_migrations_are_applied(fresh):
    fresh.compose("exec", "-T", "app", "python", "manage.py", "migrate", "--check")
    assert "core_user" in fresh.psql("select tablename from pg_tables where tablename like 'core%'").splitlines()


def test_the_log_names_a_refused_connection_only_as_what_is_waited_for(fresh):
    lines = fresh.compose("logs", "--no-log-prefix").stdout.splitlines()
    assert all(line.startswith("Waiting for ") for line in lines if "refused" in line)
    assert not any("Traceback" in line for line in lines)


def test_the_log_tells_the_address_that_a_browser_uses(fresh):
    assert f"Serving http://localhost:{fresh.port}" in fresh.compose("logs", "app").stdout


def test_probes_leave_the_log_to_what_matters(fresh):
    assert "readyz" not in fresh.compose("logs", "app").stdout


def test_only_the_application_is_published_and_on_loopback_only(fresh):
    assert fresh.container("app")["NetworkSettings"]["Ports"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(fresh.port)}]
    }
    assert not any(fresh.container("db")["NetworkSettings"]["Ports"].values())


def test_the_containers_are_set_up_as_their_programs_need(fresh):
    app, db = fresh.container("app"), fresh.container("db")
    assert app["HostConfig"]["Init"] is True
    assert db["HostConfig"]["ShmSize"] == 256 * 1024 * 1024
    assert db["Config"]["StopTimeout"] == 120


def test_the_cluster_sorts_by_code_point_whatever_the_machines_locale(fresh):
    assert fresh.psql("select distinct datlocprovider, datlocale from pg_database") == "b|C.UTF-8"
    assert fresh.psql("select string_agg(c, '' order by c) from unnest(array['b', 'a', 'B', 'ä']) c") == "Babä"


def test_the_database_is_asked_often_while_it_starts(fresh):
    assert fresh.container("db")["Config"]["Healthcheck"]["Interval"] == 10**9  # nanoseconds
    log = fresh.compose("logs", "--no-log-prefix", "db").stdout
    ready = re.findall(r"^(\S+ \S+) UTC .* database system is ready to accept connections", log, re.MULTILINE)[-1]
    probes = fresh.container("db")["State"]["Health"]["Log"]
    said = min(probe["End"] for probe in probes if probe["ExitCode"] == 0)
    print(f"healthy {datetime.fromisoformat(said[:23]) - datetime.fromisoformat(ready)} after it is ready")


def test_there_is_one_volume_and_it_has_a_name(fresh):
    containers = [fresh.container("db"), fresh.container("app")]
    mounts = [mount for container in containers for mount in container["Mounts"]]
    assert [mount["Name"] for mount in mounts if mount["Type"] == "volume"] == [f"{fresh.name}_db"]


def test_the_work_tree_is_clean(fresh):
    assert fresh.git_status() == ""


def test_the_data_outlives_its_containers(fresh):
    fresh.psql("create table outlives as select 42 as answer")
    database, image = fresh.container("db")["Id"], fresh.container("app")["Image"]
    fresh.compose("up", "--wait", "--force-recreate")
    assert fresh.container("db")["Id"] != database
    fresh.compose("up", "--wait", "--build", APP_GID="1001")
    assert fresh.container("app")["Image"] != image
    fresh.compose("down")
    fresh.compose("up", "--wait")
    assert fresh.psql("select answer from outlives") == "42"
