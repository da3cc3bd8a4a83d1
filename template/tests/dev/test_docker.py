"""`./dev` with Docker."""

import os
import re
import socket
import subprocess

import pytest
from helpers.waiting import HANGING, wait_until

CAME = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
"""


@pytest.fixture(scope="module")
def shared(make_project):
    """A clean clone in which `./dev up` was typed once."""
    project = make_project()
    project.first_up = project.dev("up")
    return project


@pytest.fixture
def project(shared):
    """It is up, and its work tree is clean."""
    shared.restore({})
    if len(shared.compose("ps", "--quiet", apart=True).stdout.split()) != 2 or shared.get()[0] != 200:
        shared.dev("up")
    return shared


def test_up_says_each_step_on_stderr_and_ready_on_stdout(shared):
    said = shared.first_up.stderr
    assert re.search(r"^\./dev up with Docker \d+\S*, Compose ", said, re.MULTILINE)
    for step in ("image", "containers", "database, migrations, page"):
        assert re.search(rf"^ +\d+\.\d s  {step}$", said, re.MULTILINE), said
    assert re.fullmatch(rf"READY\b.*http://localhost:{shared.port}\b.*\n", shared.first_up.stdout)
    assert "docker compose logs app" in shared.first_up.stdout and "./dev down" in shared.first_up.stdout


def test_the_page_answers(project):
    assert project.get()[0] == 200


def test_the_work_tree_is_clean(project):
    assert project.git_status() == ""


def test_a_second_up_leaves_the_containers_running(project):
    before = project.containers()
    project.dev("up")
    assert project.containers() == before


def test_a_migration_that_came_since_the_start_is_applied(project):
    project.write("app/core/migrations/0002_came.py", CAME)
    try:
        wait_until(lambda: project.get("readyz")[0] == 503)
        assert "READY" in project.dev("up").stdout
        assert project.get("readyz")[0] == 200
    finally:
        project.restore({})
        project.psql("delete from django_migrations where name = '0002_came'")


def test_two_at_once_end_with_one_stack(project):
    project.compose("down")
    both = [subprocess.Popen(["./dev", "up"], cwd=project.folder, env=project.environment) for _ in range(2)]
    assert [process.wait(HANGING * 5) for process in both] == [0, 0]
    assert len(project.containers()) == 2
    assert project.get()[0] == 200


def test_the_tests_and_manage_py_run_in_the_container(project):
    project.psql("drop table if exists kept; create table kept as select 1")
    assert re.search(r"== 1 passed, \d+ deselected", project.dev("test", "-k", "one_holds_the_lock").stdout)
    assert project.dev("test", "no_such_test.py", check=False).returncode == 4, "pytest's own exit status"
    project.dev("manage", "migrate", "--check")
    assert project.psql("select count(*) from kept") == "1"
    assert len(project.containers()) == 2


def test_a_first_user_gets_the_password_that_the_shell_names(project):
    words = ["createsuperuser", "--noinput", "--username=boss", "--email=boss@example.com"]
    project.dev("manage", *words, DJANGO_SUPERUSER_PASSWORD="made-up-1")
    check = "from django.contrib.auth import authenticate; print(authenticate(username='boss', password='made-up-1'))"
    assert project.dev("manage", "shell", "--no-imports", "-c", check).stdout == "boss\n"


def test_what_a_command_prints_is_the_commands_alone(project):
    """The first version began such a file with its own lines, found out when the backup was needed."""
    dump = project.dev("manage", "dumpdata", "auth.permission").stdout
    project.write("dump.json", dump)
    loaded = project.dev("manage", "loaddata", "dump.json").stdout
    (project.folder / "dump.json").unlink()
    assert re.match(r"Installed \d+ object", loaded)
    assert project.dev("manage", "shell", "--no-imports", "-c", "print(42)").stdout == "42\n"


def test_the_doctor_goes_on_with_the_projects_own(project):
    said = project.dev("doctor").stdout
    assert f"ok     port: {project.port} of 127.0.0.1, served by this project" in said
    assert "System check identified no issues" in said


def test_reset_asks_and_says_what_it_deletes(project):
    project.psql("create table doomed as select 1")
    said = project.dev_fails("reset")
    assert f"This deletes the database in the Docker volume {project.name}_db: add --yes to confirm." in said
    assert project.psql("select count(*) from doomed") == "1"
    project.dev("reset", "--yes")
    assert project.containers() == []
    assert project.run("docker", "volume", "inspect", f"{project.name}_db", check=False).returncode
    assert "There is no data to delete." in project.dev("reset").stdout


def test_down_keeps_the_data(project):
    project.psql("create table kept_by_down as select 1")
    project.dev("down")
    assert project.containers() == []
    project.dev("up")
    assert project.psql("select count(*) from kept_by_down") == "1"


def test_the_commit_hook_is_there_and_runs_in_the_container(project):
    project.write("app/core/untidy.py", "x = [1,2]\n")
    project.run("git", "add", "app/core/untidy.py")
    commit = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--message=Untidy"]
    blocked = project.run(*commit, check=False)
    assert blocked.returncode == 1 and "ruff format" in blocked.stdout
    assert project.read("app/core/untidy.py") == "x = [1, 2]\n"


def test_a_commit_inside_has_its_author(make_project):
    project = make_project(GIT_CONFIG_COUNT=2, GIT_CONFIG_KEY_0="user.name", GIT_CONFIG_VALUE_0="Ann",
                           GIT_CONFIG_KEY_1="user.email", GIT_CONFIG_VALUE_1="ann@example.com")  # fmt: skip
    project.dev("up")
    project.compose("exec", "-T", "app", "git", "commit", "--allow-empty", "--message=Inside")
    assert "Ann <ann@example.com>" in project.run("git", "log", "-1").stdout


def test_a_taken_port_is_one_line_and_nothing_is_started(make_project):
    project = make_project()
    with socket.create_server(("127.0.0.1", project.port)):
        (said,) = (line for line in project.dev_fails("up").splitlines() if "Port" in line)
        assert f"Port {project.port} is taken by another program: end that, or set APP_PORT to another port in" in said
        assert f"FAULT  port: Port {project.port} " in project.dev_fails("doctor")
    assert project.containers() == []


def test_code_that_cannot_be_loaded_is_shown(make_project):
    project = make_project()
    project.write("app/app/urls.py", "this is no Python\n")
    assert "SyntaxError" in project.dev_fails("up")


@pytest.mark.parametrize("ordinary", [False, True])
def test_files_made_in_the_container_belong_to_the_caller_after_any_build(make_project, ordinary_uid, ordinary):
    project = make_project(ordinary_uid if ordinary else None)
    project.dev("manage", "startapp", "blog")
    project.compose("up", "--build", "--wait")  # the other command that builds
    project.compose("exec", "-T", "app", "python", "manage.py", "startapp", "second")
    made = [path for path in (project.folder / "app").rglob("models.py") if path.parent.name in ("blog", "second")]
    assert len(made) == 2
    assert {path.stat().st_uid for path in made} == {ordinary_uid if ordinary else os.getuid()}


def test_a_running_dev_container_is_said_and_not_ended(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.devcontainer("up")
    before = project.container()["State"]["StartedAt"]
    for verb in (["up"], ["down"], ["reset", "--yes"]):
        assert "A dev container of this project is running" in project.dev_fails(*verb)
    assert " passed" in project.dev("test", "-q").stdout
    assert project.container()["State"]["StartedAt"] == before
    assert project.git_status() == ""


def test_inside_the_container_it_says_what_to_type(project):
    said = project.compose("run", "--rm", "--no-deps", "app", "./dev", "test", check=False)
    assert said.returncode == 1
    assert "This is the project's container, where everything is set up: type pytest" in said.stdout
