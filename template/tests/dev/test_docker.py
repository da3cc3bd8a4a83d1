"""`./dev` with Docker."""

import os
import re
import socket
import subprocess

import pytest
from conftest import wait_until


@pytest.fixture(scope="module")
def project(make_project):
    """A clean clone in which `./dev up` was typed once."""
    project = make_project()
    project.said = project.run("./dev", "up").stdout
    return project


def refused(project, *arguments, **options):
    done = project.run("./dev", *arguments, check=False, **options)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def containers(project):
    return project.compose("ps", "--all", "--quiet").stdout.split()


def test_up_says_each_step_and_serves(project):
    assert re.search(r"^\./dev up with Docker \d+\S*, Compose ", project.said)
    for step in ("image", "database, migrations, page"):
        assert re.search(rf"^ +\d+\.\d s  {step}$", project.said, re.MULTILINE), project.said
    assert re.search(rf"^ +\d+\.\d s  READY: http://localhost:{project.port} ", project.said, re.MULTILINE)
    assert project.get()[0] == 200


def test_a_second_up_leaves_the_containers_running(project):
    before = containers(project)
    project.run("./dev", "up")
    assert containers(project) == before


def test_a_migration_that_came_since_the_start_is_applied(project):
    migrations = project.folder / "app/core/migrations"
    project.write(str(migrations / "0002_came.py"), "from django.db import migrations\n\n\n"
        "class Migration(migrations.Migration):\n    dependencies = [('core', '0001_initial')]\n")  # fmt: skip
    wait_until(lambda: project.get("readyz")[0] == 503)
    said = project.run("./dev", "up").stdout
    assert "database migrated" in said and "READY" in said
    assert project.get("readyz")[0] == 200
    (migrations / "0002_came.py").unlink()
    project.psql("delete from django_migrations where name = '0002_came'")


def test_two_at_once_end_with_one_stack(project):
    project.compose("down")
    both = [subprocess.Popen(["./dev", "up"], cwd=project.folder, env=project.environment) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert len(containers(project)) == 2
    assert project.get()[0] == 200


def test_the_tests_and_manage_py_run_in_the_container(project):
    project.psql("create table if not exists kept as select 1")
    assert re.search(r"== 1 passed, \d+ deselected", project.run("./dev", "test", "-k", "user_model").stdout)
    assert project.run("./dev", "test", "no_such_test.py", check=False).returncode == 4, "pytest's own exit status"
    project.run("./dev", "manage", "migrate", "--check")
    assert project.psql("select count(*) from kept") == "1"
    assert len(containers(project)) == 2


def test_the_doctor_goes_on_with_djangos_own_checks(project):
    said = project.run("./dev", "doctor").stdout
    assert f"ok     port: {project.port} of 127.0.0.1, served by this project" in said
    assert "System check identified no issues" in said


def test_reset_asks_and_says_what_it_deletes(project):
    project.run("./dev", "up")
    project.psql("create table doomed as select 1")
    assert f"This deletes the database in the Docker volume {project.name}_db: say --yes" in refused(project, "reset")
    assert project.psql("select count(*) from doomed") == "1"
    project.run("./dev", "reset", "--yes")
    assert containers(project) == []
    assert project.run("docker", "volume", "inspect", f"{project.name}_db", check=False).returncode
    assert "There are no data." in project.run("./dev", "reset").stdout


def test_down_keeps_the_data(project):
    project.run("./dev", "up")
    project.psql("create table kept_by_down as select 1")
    project.run("./dev", "down")
    assert containers(project) == []
    project.run("./dev", "up")
    assert project.psql("select count(*) from kept_by_down") == "1"


def test_a_taken_port_is_one_line_and_nothing_is_started(make_project):
    project = make_project()
    with socket.create_server(("127.0.0.1", project.port)):
        said = refused(project, "up").splitlines()
        assert said[1:] == [
            f"Port {project.port} of 127.0.0.1 is taken: end what has it, or set APP_PORT to another one."
        ]
        assert f"FAULT  port: Port {project.port} " in refused(project, "doctor")
    assert containers(project) == []


def test_code_that_cannot_be_loaded_is_shown(make_project):
    project = make_project()
    project.write("app/app/urls.py", "this is no Python\n")
    project.write("docker-compose.override.yml", "services: {app: {healthcheck: {start_period: 2s, interval: 1s}}}")
    assert "SyntaxError" in project.run("./dev", "up", check=False).stdout


@pytest.mark.parametrize("ordinary", [False, True])
def test_files_made_in_the_container_belong_to_the_caller(make_project, ordinary_uid, ordinary):
    project = make_project(ordinary_uid if ordinary else None)
    project.run("./dev", "manage", "startapp", "blog")
    made = [path for path in (project.folder / "blog").rglob("*") if path.is_file()]
    assert project.folder / "blog/models.py" in made
    assert {path.stat().st_uid for path in made} == {ordinary_uid if ordinary else os.getuid()}


def test_a_running_dev_container_is_said_and_not_ended(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.devcontainer("up")
    before = project.container()["State"]["StartedAt"]
    for verb in (["up"], ["down"], ["reset", "--yes"]):
        assert "A dev container of this project is running" in refused(project, *verb)
    assert " passed" in project.run("./dev", "test", "-q").stdout
    assert project.container()["State"]["StartedAt"] == before
    assert project.git_status() == ""


def test_inside_the_container_it_says_what_to_type(project):
    said = project.compose("run", "--rm", "--no-deps", "app", "./dev", "test", check=False)
    assert said.returncode == 1
    assert "This is the project's container, where all is set up: type pytest" in said.stdout
