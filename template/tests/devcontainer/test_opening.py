"""
The dev container, opened with the Dev Container CLI as an ordinary user whose id is not the image's, from a path with a
space. What postCreate did is asserted by what it left: the CLI's exit status does not tell.
"""

import json
import re
import subprocess

import pytest
from helpers.engine import paused
from helpers.waiting import wait_until

STATE = "/home/app/.local/state"
RECORD = f"{STATE}/setup.json"
SETUP = "environment/setup.py"
PATIENT = "--test-seconds 600"  # a busy machine needs longer than the default
STEPS = ["folder", "git", "commit hooks", "database", "server", "tests"]
FAILING_TEST = "app/core/tests/test_failing.py"


def result_of(up):
    """What the CLI says about an `up`: "success" or "error"."""
    return json.loads(up.stdout.strip().splitlines()[-1])["outcome"]


def record(project):
    """The record of the last setup."""
    found = json.loads(project.bash(f"cat {RECORD}").stdout)
    assert set(found) >= {"status", "started", "seconds", "steps"}
    assert found["seconds"] >= sum(step["seconds"] for step in found["steps"]) - 0.5
    return found


def failed_steps(project):
    return [step["name"] for step in record(project)["steps"] if step["status"]]


def assert_ready(project):
    found = record(project)
    assert (found["status"], [step["name"] for step in found["steps"]]) == ("ready", STEPS)
    assert not any(step["status"] for step in found["steps"])
    assert re.fullmatch(r"\d+ passed in [\d.]+s( \(.+\))?", found["steps"][STEPS.index("tests")]["summary"])


def test_it_opens(dev_container):
    assert dev_container.up.returncode == 0, dev_container.up.stdout
    assert result_of(dev_container.up) == "success"
    assert re.search(r"READY after [\d.]+ s\. |OPEN; tests running", dev_container.up.stdout)
    assert dev_container.setup_status() == "ready"


def test_every_step_of_the_setup_ran_and_left_its_record(opened):
    assert_ready(opened)


def test_the_migrations_are_applied(opened):
    opened.bash("python manage.py migrate --check")


def test_the_tests_ran(opened):
    ran = json.loads(opened.read(".pytest_cache/v/cache/nodeids"))
    assert any("app/core/tests/" in test for test in ran)
    assert not any(test.startswith("template") for test in ran)
    assert not (opened.folder / ".pytest_cache/v/cache/lastfailed").exists()


def test_the_first_tests_are_quick(opened):
    print(record(opened)["steps"][STEPS.index("tests")])


def test_what_it_makes_belongs_to_the_user_of_the_host(opened):
    opened.bash("touch made-inside")
    for made in ("made-inside", ".pytest_cache", ".git/hooks/pre-commit", "app/core/__pycache__"):
        assert (opened.folder / made).stat().st_uid == opened.uid


def test_it_leaves_the_work_tree_as_it_was(opened):
    assert opened.git_status() == ""


def test_a_second_run_converges(opened):
    assert result_of(opened.devcontainer("up")) == "success"
    assert "READY after" in opened.terminal(f"{SETUP} {PATIENT}").stdout
    assert_ready(opened)
    assert opened.git_status() == ""


@pytest.fixture
def spoil_record(opened):
    """Write something else into the record, which is as it was afterwards."""
    text = opened.bash(f"cat {RECORD}").stdout

    def spoil(new):
        opened.bash(f"cat > {RECORD} <<'END'\n{new}\nEND")

    yield spoil
    spoil(text.strip())


@pytest.mark.parametrize("torn", ['{"status": "running", "steps": []}', '{"status": "rea', "", "[1, 2]", "null"])
def test_an_unfinished_or_torn_record_is_not_taken_for_a_ready_one(opened, spoil_record, torn):
    spoil_record(torn)
    status = opened.bash(f"{SETUP} --status", check=False)
    assert status.returncode == 1
    assert "NOT READY: the setup was cut off" in status.stdout and SETUP in status.stdout
    assert opened.get_inside()[0] == 200


def test_a_setup_that_was_cut_off_is_finished_by_the_next_start(opened, spoil_record):
    spoil_record('{"status": "running", "steps": []}')
    assert "READY after" in opened.bash(f"{SETUP} --start {PATIENT}").stdout
    assert_ready(opened)


def test_a_setup_that_was_cut_off_before_its_record_is_finished_too(opened, spoil_record):
    opened.bash(f"rm {RECORD}")
    assert "READY after" in opened.bash(f"{SETUP} --start {PATIENT}").stdout
    assert_ready(opened)


def kill_setup(project, processes):
    """Begin a setup, and kill those of its *processes* while it waits for the database; $setup is the first one."""
    command = project.exec_argv("bash", "-c", f"echo $$; exec {SETUP} {PATIENT}")
    with paused(project.container("db")["Id"]), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as setup:
        pid = setup.stdout.readline().strip()
        assert any("database" in line for line in setup.stdout)
        project.bash(f"setup={pid}; kill -9 {processes}")


def test_a_setup_that_is_killed_is_finished_by_the_next_start(opened, spoil_record):
    kill_setup(opened, "$setup $(cat /proc/$setup/task/$setup/children)")
    assert record_status(opened) == "running"
    look = "grep --quiet --no-messages environment.tests_progres[s] /proc/[0-9]*/cmdline"
    wait_until(lambda: opened.bash(look, check=False).returncode)
    opened.bash(f"test ! -e {STATE}/tests.json")  # they have not begun
    assert "READY after" in opened.bash(f"{SETUP} --start {PATIENT}").stdout


def test_a_setup_goes_on_without_the_terminal_that_showed_it(opened, spoil_record):
    kill_setup(opened, "$setup")
    wait_until(lambda: record_status(opened) == "ready")
    assert_ready(opened)


def test_a_setup_that_starts_the_server_tells_what_is_wrong_with_the_database(opened, spoil_record):
    opened.bash("python environment/serve.py --stop")
    try:
        done = opened.bash(f"DB_PASS=wrong {SETUP} {PATIENT}", check=False)
    finally:
        opened.bash("python environment/serve.py --restart")
    assert done.returncode == 1
    assert "password authentication failed" in done.stdout and "NOT READY: database failed" in done.stdout


def test_tests_that_cannot_begin_are_told(opened, spoil_record):
    text = opened.read("pyproject.toml")
    try:
        opened.write("pyproject.toml", text.replace("environment.faster_tests", "no_such_plugin"))
        done = opened.bash(f"{SETUP} {PATIENT}", check=False)
        assert done.returncode == 1
        assert "no_such_plugin" in done.stdout and "NOT READY: tests failed" in done.stdout
    finally:
        opened.write("pyproject.toml", text)


def test_a_project_without_a_test_is_ready(opened, spoil_record):
    tests = "app/core/tests/test_wait_for_db.py"
    text = opened.read(tests)
    try:
        (opened.folder / tests).unlink()
        done = opened.bash(f"{SETUP} {PATIENT}")
        assert "no tests ran" in done.stdout and "READY after" in done.stdout
    finally:
        opened.write(tests, text)


def record_status(project):
    return json.loads(project.bash(f"cat {RECORD}").stdout)["status"]


def test_a_hook_of_ones_own_is_left_alone(opened):
    hook = opened.folder / ".git/hooks/pre-commit"
    ours = hook.read_text()
    try:
        hook.write_text("#!/bin/sh\n# my own\n")
        assert "is your own, and stays" in opened.bash(f"{SETUP} {PATIENT}").stdout
        assert "my own" in hook.read_text()
    finally:
        hook.write_text(ours)


def test_a_hooks_path_of_ones_own_is_left_alone(opened):
    opened.bash("git config core.hooksPath .my-hooks")
    try:
        opened.bash(f"{SETUP} {PATIENT}")
        assert not (opened.folder / ".my-hooks").exists()
    finally:
        opened.bash("git config unset core.hooksPath")


def test_it_outlives_broken_code(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    settings = project.write("app/app/settings.py", "this is no Python\n")
    up = project.devcontainer("up", check=False)
    assert result_of(up) == "error"
    assert "NOT READY: database, server failed" in up.stdout
    assert project.container()["State"]["Running"]
    project.write("app/app/settings.py", settings)
    assert "READY after" in project.terminal(f"{SETUP} {PATIENT}").stdout


@pytest.fixture(scope="module")
def failing(make_project, ordinary_uid):
    """A dev container that was opened with a test that fails."""
    project = make_project(ordinary_uid)
    project.write(FAILING_TEST, "def test_failing():\n    assert 1 == 2\n")
    configuration = project.read(".devcontainer/devcontainer.json")
    project.write(".devcontainer/devcontainer.json", configuration.replace('setup.py"', f'setup.py {PATIENT}"', 1))
    project.up = project.devcontainer("up", check=False)
    return project


def test_a_failing_test_is_not_ready(failing):
    assert failing.up.returncode != 0 and result_of(failing.up) == "error"
    assert f"NOT READY: tests failed. Fix it, then run: {SETUP}" in failing.up.stdout
    assert failed_steps(failing) == ["tests"]
    assert record(failing)["status"] == "failed"


def test_every_terminal_says_so(failing):
    assert "NOT READY: tests failed" in failing.terminal("bash -i -c true", check=False).stdout


def test_the_next_start_says_so_too(failing):
    failing.compose("stop")
    again = failing.devcontainer("up", check=False)
    assert again.returncode != 0
    assert "NOT READY: tests failed" in again.stdout


def test_it_is_ready_when_the_test_passes(failing):
    failing.write(FAILING_TEST, "def test_passing():\n    pass\n")
    assert "READY after" in failing.terminal(f"{SETUP} {PATIENT}").stdout
    assert "NOT READY" not in failing.terminal("bash -i -c true").stdout
    assert result_of(failing.devcontainer("up")) == "success"
