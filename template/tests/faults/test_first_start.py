"""The database's first start, cut off at any moment: the next one completes it, and nothing is missing."""

import time

import pytest
from helpers.engine import docker
from helpers.projects import SLOW_FIRST_START
from helpers.waiting import wait_until

TABLES = "select count(*) > 100 from information_schema.tables"  # a cluster without its views has been healthy before


def cut_off(project, seconds):
    project.compose("down", "--volumes")
    project.compose("create", "db")
    database = project.container("db")["Id"]
    docker("start", database)
    time.sleep(seconds)  # what is tried: any moment
    docker("kill", "--signal=KILL", database)


def is_complete(project):
    done = project.compose("up", "--wait", check=False)
    return done.returncode == 0 and project.psql(TABLES) == "t" and project.get("readyz")[0] == 200


@pytest.mark.rounds(5)
def test_a_first_start_that_is_cut_off_is_completed(make_brief_project, moments, kill_rounds):
    project = make_brief_project()
    for _ in range(kill_rounds):
        cut_off(project, seconds := moments.uniform(0.1, 2.5))
        assert is_complete(project), seconds


@pytest.fixture
def at_the_dump(make_brief_project):
    """A project whose first start loads something for long: it is always cut off there."""
    project = make_brief_project()
    project.write("docker-compose.override.yml", SLOW_FIRST_START)
    project.compose("up", "--detach", "db")
    wait_until(lambda: "slow.sh" in project.compose("logs", "db").stdout)
    docker("kill", "--signal=KILL", project.container("db")["Id"])
    return project


def test_what_a_dump_has_not_loaded_is_loaded_by_the_next_start(at_the_dump):
    assert is_complete(at_the_dump)
    log = at_the_dump.compose("logs", "db").stdout
    assert "it begins anew" in log and log.count("slow.sh") == 2
    at_the_dump.psql("create table kept as select 1")
    at_the_dump.compose("kill", "db")
    assert is_complete(at_the_dump), "a complete one"
    assert at_the_dump.psql("select count(*) from kept") == "1"


def test_without_the_mark_it_would_stay_half_made(at_the_dump):
    text = SLOW_FIRST_START.replace("  db:\n", "  db:\n    entrypoint: docker-entrypoint.sh\n")
    at_the_dump.write("docker-compose.override.yml", text)
    at_the_dump.compose("down", "--volumes")
    at_the_dump.compose("up", "--detach", "db")
    wait_until(lambda: "slow.sh" in at_the_dump.compose("logs", "db").stdout)
    docker("kill", "--signal=KILL", at_the_dump.container("db")["Id"])
    at_the_dump.compose("up", "--wait", "db", check=False)
    assert at_the_dump.compose("logs", "db").stdout.count("slow.sh") == 1


def test_files_that_were_there_before_a_first_start_are_not_touched(make_brief_project):
    """A cluster whose PG_VERSION was lost is not a first start."""
    project = make_brief_project()
    project.compose("up", "--wait", "db")
    project.psql("create table kept as select 1")
    project.compose("exec", "-T", "db", "mv", "/var/lib/postgresql/18/docker/PG_VERSION", "/tmp/kept")
    project.compose("kill", "db")
    for _ in range(2):
        project.compose("up", "--detach", "db")
        time.sleep(2)
    project.compose("cp", "db:/tmp/kept", "PG_VERSION")
    project.compose("cp", "PG_VERSION", "db:/var/lib/postgresql/18/docker/PG_VERSION")
    project.compose(
        "run", "--rm", "--no-deps", "--entrypoint=chown", "db", "postgres", "/var/lib/postgresql/18/docker/PG_VERSION"
    )
    project.compose("restart", "db")
    project.compose("up", "--wait", "db")
    assert project.psql("select count(*) from kept") == "1"


# What Docker Hub's own entrypoint does after initdb, and this machine's image may not do.
ASKS = """\
services:
  db:
    configs: [{source: asks, target: /usr/local/bin/docker-entrypoint.sh, mode: 0755}]
configs:
  asks:
    content: |
      #!/bin/bash
      set -e
      [ "$$1" = postgres ] || exec "$$@"
      if [ "$$(id -u)" = 0 ]; then mkdir -p "$$PGDATA"; chown postgres "$$PGDATA"; exec gosu postgres "$$0" "$$@"; fi
      if [ ! -s "$$PGDATA/PG_VERSION" ]; then
        initdb --username="$$POSTGRES_USER" --pwfile=<(echo "$$POSTGRES_PASSWORD") > /dev/null
        auth=$$(postgres -C password_encryption "$${@:2}")
        sleep 10
        echo "host all all all $$auth" >> "$$PGDATA/pg_hba.conf"
        echo 'CREATE DATABASE app;' | postgres --single -D "$$PGDATA" postgres > /dev/null
      fi
      exec "$$@"
"""


def test_an_entrypoint_that_asks_postgres_for_a_setting(make_brief_project):
    project = make_brief_project()
    project.write("docker-compose.override.yml", ASKS)
    project.compose("up", "--detach", "db")
    wait_until(lambda: "sleep 10" in project.compose("top", "db").stdout)  # initdb is done, the rest is not
    docker("kill", "--signal=KILL", project.container("db")["Id"])
    assert is_complete(project)
    assert "it begins anew" in project.compose("logs", "db").stdout
    project.compose("restart", "db")
    assert is_complete(project)


def test_other_programs_of_the_image_mark_and_remove_nothing(make_brief_project):
    project = make_brief_project()
    folder = "/var/lib/postgresql/18/docker"
    project.compose("run", "--rm", "--no-deps", "db", "bash", "-c", f"mkdir -p {folder} && echo backup > {folder}/kept")
    project.compose("up", "--detach", "db")
    wait_until(lambda: "did not start" in project.compose("logs", "db").stdout)
    assert project.compose("run", "--rm", "--no-deps", "db", "cat", f"{folder}/kept").stdout.endswith("backup\n")


def test_a_start_that_fails_does_not_loop(make_brief_project):
    project = make_brief_project()
    project.write("docker-compose.override.yml", "services: {db: {command: postgres -c no_such_setting=1}}\n")
    assert project.compose("up", "--wait", check=False).returncode != 0
    assert "did not start, three times" in project.compose("logs", "--no-log-prefix", "app").stdout
    (project.folder / "docker-compose.override.yml").unlink()
    assert is_complete(project)


def test_two_servers_never_share_the_data(make_brief_project):
    project = make_brief_project()
    project.compose("up", "--wait", "db")
    project.psql("create table kept as select 1")
    name = f"{project.name}-second"
    project.compose("run", "--detach", f"--name={name}", "--no-deps", "db")
    try:
        wait_until(lambda: "Another container serves this data" in project.run("docker", "logs", name).stdout)
    finally:
        docker("rm", "--force", name)
    assert project.psql("select count(*) from kept") == "1"
