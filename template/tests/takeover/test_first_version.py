"""
Who opened the first version loses nothing: the next `./dev up`, `docker compose up` or Rebuild Container of the current
one takes over, renews or ends what is there.
"""

import pytest
from helpers.engine import PROGRAMS, ROOT, run
from helpers.waiting import wait_until

FIRST_VERSION = "7dbdac4"
OLD_HOOK = ".devcontainer/pre-commit"

pytestmark = pytest.mark.skipif(
    run("git", "cat-file", "-e", f"{FIRST_VERSION}^{{commit}}", cwd=ROOT, check=False).returncode != 0,
    reason=f"needs a history that has the first version, {FIRST_VERSION}",
)


@pytest.fixture
def project(make_project, ordinary_uid):
    """A clone of the first version."""
    project = make_project(ordinary_uid, APP_UID=ordinary_uid, APP_GID=ordinary_uid)
    project.run("git", "checkout", "--quiet", FIRST_VERSION)
    project.write(".env", f"APP_UID={ordinary_uid}\nAPP_GID={ordinary_uid}\n")
    return project


def pull(project):
    """The current version comes."""
    project.run("git", "checkout", "--quiet", project.commit)


def hook(project):
    return project.read(".git/hooks/pre-commit")


def assert_taken_over(project):
    wait_until(lambda: project.get_inside("readyz") == (200, "ok\n"))
    assert project.psql("select count(*) from kept") == "1"
    assert project.psql("select username from core_user") == "admin"
    assert "environment/commit-hook" in hook(project)
    assert project.git_status() == ""


def start(project, *command):
    """Its own limits in seconds end what is slow: known of the first version, and not the subject here."""
    wait_until(lambda: project.run(*command, check=False).returncode == 0, seconds=900)


def store_data(project):
    project.psql("create table kept as select 1")
    project.bash("python app/manage.py create_admin")


@pytest.mark.parametrize(
    "command",
    ["./dev up", "./dev up --docker", "docker compose up --build --wait", "docker compose up --wait"],
)
def test_a_compose_stack_with_its_data_hook_and_image(project, command):
    start(project, "docker", "compose", "up", "--wait")
    store_data(project)
    project.compose("exec", "-T", "app", "bash", ".devcontainer/post-create")
    old = hook(project)
    pull(project)
    project.run(*command.split())
    assert hook(project) != old, "the control"
    assert_taken_over(project)
    assert project.get()[0] == 200


def test_a_compose_stack_that_is_down(project):
    start(project, "docker", "compose", "up", "--wait")
    store_data(project)
    project.compose("down")
    pull(project)
    project.dev("up")
    assert_taken_over(project)


@pytest.mark.parametrize("opened_before", [False, True])
def test_a_dev_container_that_is_rebuilt(project, opened_before):
    project.devcontainer("up")
    store_data(project)
    assert "post-create" in hook(project) or OLD_HOOK in hook(project)
    pull(project)
    if opened_before:  # the old container knows the old commands only: an editor offers Rebuild Container then
        project.compose("stop")
        assert ".devcontainer/post-start: No such file" in project.devcontainer("up", check=False).stdout
    project.open_in_editor("--remove-existing-container")
    assert_taken_over(project)


# Without Docker


def processes(project):
    """Those of the folder: {id: command line}."""
    listed = run("python3", PROGRAMS / "processes.py", project.name).stdout.splitlines()
    return dict(line.split(" ", 1) for line in listed)


def native_psql(project, statement):
    return project.run("sh", "-c", '. .dev/env && psql -At -c "$0"', statement).stdout.strip()


@pytest.fixture
def native(project):
    """The first version serves, with data, and its hook is installed."""
    start(project, "./dev", "up", "--native")
    native_psql(project, "create table kept as select 1")
    project.run("install", "-m", "755", OLD_HOOK, ".git/hooks/pre-commit")
    return project


def test_a_native_server_that_runs_is_ended_and_its_data_served(native):
    before = processes(native)
    assert any("runserver" in command for command in before.values()), "the control"
    pull(native)
    ready = native.dev("up")
    assert "without Docker" in ready.stderr and "READY" in ready.stdout
    left = {pid for pid, command in processes(native).items() if pid in before and "postgres" not in command}
    assert left == set()
    assert native_psql(native, "select count(*) from kept") == "1"
    assert native.get("readyz") == (200, "ok\n")
    assert "environment/commit-hook" in hook(native)
    assert native.git_status() == ""
    native.dev("down")
    assert processes(native) == {}


def test_down_ends_what_the_first_version_left_running(native):
    pull(native)
    native.dev("down")
    assert processes(native) == {}
    native.dev("up")
    assert native_psql(native, "select count(*) from kept") == "1"


def test_reset_deletes_the_first_versions_data(native):
    pull(native)
    native.dev("reset", "--yes")
    assert processes(native) == {}
    assert not (native.folder / ".dev/postgres").exists()
