"""
What the files of .vscode/ and devcontainer.json make an editor do, done in the container without one: F5, the Test
Explorer, a terminal, a first commit.
"""

import json
import re
import shlex
import subprocess
import time

import pytest
from conftest import ROOT, wait_until, watches
from dap import Debugger

VIEW = """

from django.http import HttpResponse


def greet(request):
    name = request.GET["name"]
    return HttpResponse(f"Hello, {name}")


urlpatterns += [path("greet/", greet)]
"""
URLS = (ROOT / "app/app/urls.py").read_text() + VIEW

COMMAND = """\
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--name")

    def handle(self, *, name, **options):
        self.stdout.write(f"Hello, {name}")
"""

TESTS = """\
from django.test import TestCase

from core.models import User


def test_function():
    name = "Ada"
    assert name


class UserTests(TestCase):
    def test_method(self):
        name = User.objects.create(username="Bob").username
        self.assertTrue(name)
"""

FILES = {
    "app/app/urls.py": URLS,
    "app/core/management/commands/greet.py": COMMAND,
    "app/core/tests/test_greet.py": TESTS,
}

GET = """
import sys, time, urllib.error, urllib.request
while True:
    try:
        print(urllib.request.urlopen("http://localhost:8000/greet/?name=" + sys.argv[1]).read().decode())
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"{error}")
    except OSError:  # it is being reloaded
        time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def opened(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    for path, text in FILES.items():
        project.write(path, text)
    project.devcontainer("up")
    return project


@pytest.fixture(autouse=True)
def mended(opened):
    if (opened.folder / "app/app/urls.py").read_text() != URLS:
        opened.write("app/app/urls.py", URLS)
    wait_until(lambda: answer(get(opened, "nobody")) == "Hello, nobody")
    wait_until(lambda: watches(opened))


def configuration(name, **variables):
    """The configuration of launch.json as VS Code hands it to the debug adapter."""
    text = re.sub(r"^\s*//.*$", "", (ROOT / ".vscode/launch.json").read_text(), flags=re.MULTILINE)
    for variable, value in {"workspaceFolder": "/workspace", **variables}.items():
        text = text.replace(f"${{{variable}}}", value)
    (found,) = (entry for entry in json.loads(text)["configurations"] if entry["name"] == name)
    assert "${" not in json.dumps(found)
    if found["request"] == "launch":
        found |= {"console": "integratedTerminal", "cwd": "/workspace", "python": ["/opt/venv/bin/python"]}
    return found


def line(path, text):
    return FILES[path].splitlines().index(text) + 1


RETURN = {"/workspace/app/app/urls.py": line("app/app/urls.py", '    return HttpResponse(f"Hello, {name}")')}


def debug_server(project):
    debugger = Debugger(project.inside_command, configuration("Server"), RETURN)
    debugger.wait_for_process()  # the reloader
    debugger.wait_for_process()  # and what it started, which answers requests
    return debugger


def get(project, name):
    return subprocess.Popen(project.inside_command("python", "-c", GET, name), stdout=subprocess.PIPE, text=True)


def answer(request):
    return request.communicate(timeout=30)[0].strip()


def stop_in_view(project, debugger, name):
    request = get(project, name)
    stop = debugger.wait_for_stop()
    assert (stop.reason, stop.variable("name")) == ("breakpoint", f"'{name}'")
    stop.resume()
    return request


def test_f5_stops_in_the_running_server_and_again_after_an_edit(opened):
    started = time.monotonic()
    with debug_server(opened) as debugger:
        request = stop_in_view(opened, debugger, "Ada")
        print(f"F5 to the first stop: {time.monotonic() - started:.1f} s")
        assert time.monotonic() - started < 4  # 0.8 s where nothing else runs
        assert answer(request) == "Hello, Ada"

        saved = time.monotonic()
        opened.write("app/app/urls.py", URLS.replace("Hello", "Good day"))
        debugger.wait_for_process()
        request = stop_in_view(opened, debugger, "Bob")
        print(f"edit to the next stop: {time.monotonic() - saved:.1f} s")
        assert answer(request) == "Good day, Bob"
    assert answer(get(opened, "Cleo")) == "Good day, Cleo"


def test_the_session_outlives_a_syntax_error(opened):
    with debug_server(opened) as debugger:
        opened.write("app/app/urls.py", "this is no Python\n")
        debugger.wait_for_process()
        wait_until(lambda: "this is no Python" in opened.inside("tail ~/.local/state/server.log").stdout)
        wait_until(lambda: watches(opened))
        opened.write("app/app/urls.py", URLS)
        debugger.wait_for_process()
        assert answer(stop_in_view(opened, debugger, "Ada")) == "Hello, Ada"


def test_f5_works_again_after_the_server_died_under_a_session(opened):
    with debug_server(opened):
        kill = "kill -KILL $(grep -lz '^-Xfrozen_modules' /proc/[0-9]*/cmdline | cut -d/ -f3)"
        opened.run(*opened.inside_command("bash", "-c", kill))
        assert answer(get(opened, "Ada")) == "Hello, Ada"
    with debug_server(opened) as debugger:
        assert answer(stop_in_view(opened, debugger, "Ada")) == "Hello, Ada"


def test_a_taken_port_costs_the_debugger_and_not_the_server(opened):
    opened.inside("bash .devcontainer/serve --stop")
    taker = "import socket; taken = socket.create_server(('127.0.0.1', 5678)); print(flush=True); input()"
    with subprocess.Popen(opened.inside_command("python", "-c", taker), stdin=-1, stdout=-1) as taken:
        taken.stdout.readline()
        opened.inside("bash .devcontainer/serve --detach")
        assert answer(get(opened, "Ada")) == "Hello, Ada"
        assert "Port 5678 is taken" in opened.inside("cat ~/.local/state/server.log").stdout
    doctor = opened.inside("python app/manage.py doctor").stdout
    assert "(doctor.W011) The server runs without a debugger" in doctor
    opened.inside(re.search(r"HINT: Run: (.*)", doctor)[1])
    assert answer(get(opened, "Ada")) == "Hello, Ada"
    with debug_server(opened) as debugger:
        assert answer(stop_in_view(opened, debugger, "Ada")) == "Hello, Ada"


def test_a_management_command_can_be_debugged(opened):
    chosen = configuration("Management command", **{"command:pickArgs": "greet --name Ada"})
    path = "app/core/management/commands/greet.py"
    breakpoint = {f"/workspace/{path}": line(path, '        self.stdout.write(f"Hello, {name}")')}
    with Debugger(opened.inside_command, chosen, breakpoint) as debugger:
        stop = debugger.wait_for_stop()
        assert (stop.reason, stop.variable("name")) == ("breakpoint", "'Ada'")
        stop.resume()


@pytest.mark.parametrize(("text", "name"), [("    assert name", "'Ada'"), ("        self.assertTrue(name)", "'Bob'")])
def test_the_tests_of_a_file_can_be_debugged(opened, text, name):
    path = "app/core/tests/test_greet.py"
    chosen = configuration("Tests of this file", file=f"/workspace/{path}")
    with Debugger(opened.inside_command, chosen, {f"/workspace/{path}": line(path, text)}) as debugger:
        stop = debugger.wait_for_stop()
        assert (stop.reason, stop.variable("name")) == ("breakpoint", name)
        stop.resume()


def test_the_test_explorer_finds_every_test(opened):
    """As the Python extension looks for them, with a plugin of its own in PYTHONPATH."""
    settings = json.loads((ROOT / ".vscode/settings.json").read_text())
    assert settings["python.testing.pytestEnabled"] and not settings["python.testing.unittestEnabled"]
    arguments = settings.get("python.testing.pytestArgs", [])
    plugin = 'def pytest_collection_finish(session): print("FOUND", *(test.nodeid for test in session.items))'
    discover = ["/opt/venv/bin/python", "-m", "pytest", "-p", "vscode_pytest", "--collect-only", *arguments]
    found = opened.inside(
        f"mkdir -p /tmp/plugin && echo {shlex.quote(plugin)} > /tmp/plugin/vscode_pytest.py &&"
        f" PYTHONPATH=/tmp/plugin {shlex.join(discover)} --rootdir=/workspace"
    ).stdout
    (line,) = (line for line in found.splitlines() if line.startswith("FOUND"))
    assert "app/core/tests/test_greet.py::test_function" in line
    assert "app/core/tests/test_greet.py::UserTests::test_method" in line
    assert "error" not in found.lower()
    assert len(line.split()) - 1 == int(re.search(r"(\d+) tests collected", found)[1])


@pytest.mark.parametrize("command", ["psql --command", "python app/manage.py dbshell -- --command"])
def test_the_database_is_at_hand_in_a_terminal(opened, command):
    assert "app" in opened.inside(f"{command} 'select current_database()'").stdout


def test_psql_is_at_hand_in_plain_compose(opened):
    shown = opened.compose("run", "--rm", "--no-deps", "app", "psql", "--command", "select current_database()").stdout
    assert "app" in shown


def test_the_first_commit_runs_the_hooks_at_once_and_downloads_nothing(opened):
    opened.inside("git config user.name Ann && git config user.email ann@example.com && git switch --create first")
    commit = "git add app/core && git commit --quiet -m 'Greet'"
    started = time.monotonic()
    shown = opened.run(*opened.inside_command("bash", "-c", commit)).stdout
    seconds = time.monotonic() - started
    print(f"{seconds:.2f} s\n{shown}")
    assert "no migration is missing" in shown and "Failed" not in shown
    assert "repo" not in opened.inside("ls ~/.cache/pre-commit").stdout
    assert seconds < 4  # 1 s where nothing else runs
