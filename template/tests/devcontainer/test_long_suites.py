"""A suite of tests that takes long does not hold up the opening; what is known of it is told where people look."""

import json
import re

import pytest
from helpers.waiting import wait_until

SETUP = "environment/setup.py"
STATE = "/home/app/.local/state"
# Twelve tests that wait for a file each, so that the test decides when they end.
SLOW = """
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", range(12))
def test_slow(number, django_user_model, db):
    deadline = time.monotonic() + 300
    while not Path(f"/tmp/go-{number // 6}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path("/tmp/fail").exists()
    django_user_model.objects.count()
"""


def record(project):
    return json.loads(project.bash(f"cat {STATE}/setup.json").stdout)


@pytest.fixture(scope="module")
def slow(make_project, ordinary_uid):
    """A dev container that was opened with a suite that does not end."""
    project = make_project(ordinary_uid)
    project.write("app/core/tests/test_slow.py", SLOW)
    project.up = project.devcontainer("up")
    return project


@pytest.fixture(autouse=True)
def they_run(slow):
    """Start anew, if a test has let them end."""
    slow.bash("rm -f /tmp/go-* /tmp/fail")
    if record(slow)["status"] != "running" or slow.bash(f"{SETUP} --status", check=False).stdout.count("OPEN") == 0:
        slow.bash(f"{SETUP} --test-seconds 0")


def status(project):
    return project.bash(f"{SETUP} --status", check=False)


def test_it_opens_while_they_run(slow):
    assert json.loads(slow.up.stdout.strip().splitlines()[-1])["outcome"] == "success"
    assert "OPEN; tests running" in slow.up.stdout and "READY after" not in slow.up.stdout
    assert slow.get_inside("readyz") == (200, "ok\n")


def test_how_far_they_are_is_told(slow):
    total = len(slow.bash("pytest --collect-only -q").stdout.split("\n\n")[0].splitlines())
    slow.bash("touch /tmp/go-0")
    wait_until(lambda: re.search(rf"OPEN; tests running, \d+ of {total}\.", status(slow).stdout))
    assert status(slow).returncode == 1
    assert f"of {total}." in slow.get_inside()[1] and ">Open.<" in slow.get_inside()[1]
    assert "OPEN; tests running" in slow.terminal("bash -i -c true").stdout


def test_ready_follows_and_open_terminals_say_so(slow):
    terminal = slow.bash("script --quiet --flush --command 'sleep 600' /tmp/typescript > /dev/null 2>&1 & sleep 0.5")
    assert terminal.returncode == 0
    assert record(slow)["status"] == "running"
    slow.bash("touch /tmp/go-0 /tmp/go-1")
    wait_until(lambda: record(slow)["status"] == "ready")
    wait_until(lambda: "READY after" in slow.bash("cat /tmp/typescript").stdout)
    assert status(slow).returncode == 0
    wait_until(lambda: ">Ready.<" in slow.get_inside()[1])


def test_red_is_as_loud_as_ever(slow):
    slow.bash("touch /tmp/fail /tmp/go-0 /tmp/go-1")
    wait_until(lambda: record(slow)["status"] == "failed")
    assert "NOT READY: tests failed" in status(slow).stdout
    assert "The last setup failed" in slow.get_inside()[1]


def test_tests_can_be_typed_meanwhile_and_disturb_nothing(slow):
    connected = "select count(*) from pg_stat_activity where datname like 'test%'"
    wait_until(lambda: slow.psql(connected) == "1")
    quick = "def test_quick(django_user_model, db):\n    django_user_model.objects.count()\n"
    slow.write("app/core/tests/test_quick.py", quick)
    assert "1 passed" in slow.bash("pytest -q app/core/tests/test_quick.py", check=False).stdout
    slow.bash("touch /tmp/go-0 /tmp/go-1")
    assert slow.setup_status() == "ready"


def test_a_setup_by_hand_begins_anew(slow):
    assert "this one ends its tests" in slow.bash(f"{SETUP} --test-seconds 0").stdout
    assert record(slow)["status"] == "running"
    runs = slow.bash(
        "grep --text --files-with-matches 'environment.tests_progres[s]' /proc/[0-9]*/cmdline", check=False
    )
    assert len(runs.stdout.splitlines()) == 1


def test_a_container_that_is_stopped_meanwhile_reads_cut_off(slow):
    slow.compose("stop")
    slow.compose("start")
    assert "NOT READY: the setup was cut off" in status(slow).stdout
    slow.bash("environment/serve.py --detach")
    wait_until(lambda: slow.get_inside()[0] == 200)
    assert "The setup was cut off" in slow.get_inside()[1]
    assert "OPEN; tests running" in slow.bash(f"{SETUP} --start --test-seconds 0", check=False).stdout
