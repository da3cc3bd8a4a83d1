"""The Test Explorer, the tasks and a terminal of the dev container's editor, without an editor."""

import re
import shlex

import pytest
from helpers.files import read_json

TESTS = """\
from django.test import SimpleTestCase


def test_function():
    pass


class GreetTests(SimpleTestCase):
    def test_method(self):
        pass
"""
FILES = {"app/core/tests/test_greet.py": TESTS}
PLUGIN = 'def pytest_collection_finish(session): print("FOUND", *(test.nodeid for test in session.items))'
TASKS = {task["label"]: task for task in read_json(".vscode/tasks.json")["tasks"]}
ENDLESS = {"Server log"}


def test_the_test_explorer_finds_every_test_of_the_application_alone(opened):
    """As the Python extension looks for them, with a plugin of its own in PYTHONPATH."""
    settings = read_json(".vscode/settings.json")
    assert settings["python.testing.pytestEnabled"] and not settings["python.testing.unittestEnabled"]
    arguments = settings.get("python.testing.pytestArgs", [])
    discover = ["/opt/venv/bin/python", "-m", "pytest", "-p", "vscode_pytest", "--collect-only", *arguments]
    found = opened.terminal(
        f"mkdir -p /tmp/plugin && echo {shlex.quote(PLUGIN)} > /tmp/plugin/vscode_pytest.py &&"
        f" PYTHONPATH=/tmp/plugin {shlex.join(discover)} --rootdir=/workspace"
    ).stdout
    (line,) = (line for line in found.splitlines() if line.startswith("FOUND"))
    assert "app/core/tests/test_greet.py::test_function" in line
    assert "app/core/tests/test_greet.py::GreetTests::test_method" in line
    assert "error" not in found.lower()
    tests = line.split()[1:]
    assert all(test.startswith("app/") for test in tests)
    assert len(tests) == int(re.search(r"(\d+) tests collected", found)[1])


@pytest.mark.parametrize("label", sorted(set(TASKS) - ENDLESS))
def test_a_task_does_its_work(opened, label):
    """The editor starts it with its own interpreter, and without a shell."""
    task = TASKS[label]
    assert (task["type"], task["command"]) == ("process", "${command:python.interpreterPath}")
    print(opened.bash(shlex.join(["/opt/venv/bin/python", *task["args"]])).stdout)


@pytest.mark.parametrize("command", ["psql --command", "python manage.py dbshell -- --command"])
def test_the_database_is_at_hand_in_a_terminal(opened, command):
    assert "app" in opened.terminal(f"{command} 'select current_database()'").stdout


def test_the_programs_of_a_terminal_are_the_images(opened):
    for shell in ("bash -c", "bash -lc", "bash -ic"):
        assert "/opt/venv/bin/python" in opened.terminal(f"{shell} 'command -v python'").stdout


def test_psql_is_at_hand_in_plain_compose(opened):
    shown = opened.compose("run", "--rm", "--no-deps", "app", "psql", "--command", "select current_database()").stdout
    assert "app" in shown
