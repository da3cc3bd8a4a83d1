"""
What the files of .vscode/ make an editor's debugger do in the container, done without an editor: F5 on the server,
on tests, on a management command.
"""

import contextlib
import json
import re
import subprocess
import time

import pytest
from helpers.debugger import Debugger
from helpers.engine import PROGRAMS, ROOT
from helpers.waiting import HANGING, wait_until

VIEW = """

from django.http import HttpResponse


def greet(request):
    name = request.GET["name"]
    return HttpResponse(f"Hello, {name}")


def stop(request):
    breakpoint()
    return HttpResponse("passed")


urlpatterns += [path("greet/", greet), path("stop/", stop)]
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
GET = (PROGRAMS / "get.py").read_text()
LISTEN = (PROGRAMS / "listen.py").read_text()


@pytest.fixture(autouse=True)
def serving(opened):
    wait_until(lambda: opened.get_inside("greet/?name=nobody") == (200, "Hello, nobody"))


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


@contextlib.contextmanager
def attached(project):
    """F5 on the configuration "Server", until the process that answers requests is debugged."""
    with Debugger(project.exec_argv, configuration("Server"), RETURN) as debugger:
        debugger.wait_for_process()  # the supervisor
        debugger.wait_for_process()  # and the server, which it has started anew under the debugger
        yield debugger


def get(project, path):
    return subprocess.Popen(project.exec_argv("python", "-c", GET, path), stdout=subprocess.PIPE, text=True)


def answer(request):
    return request.communicate(timeout=HANGING)[0].strip()


def stop_in_view(project, debugger, name):
    request = get(project, f"greet/?name={name}")
    stop = debugger.wait_for_stop()
    assert (stop.reason, stop.variable("name")) == ("breakpoint", f"'{name}'")
    stop.resume()
    return answer(request)


def test_f5_stops_in_the_running_server_and_again_after_each_edit(opened):
    started = time.monotonic()
    with attached(opened) as debugger:
        assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"
        print(f"F5 to the first stop: {time.monotonic() - started:.1f} s")
        for greeting in ("Good day", "Good evening", "Good night"):
            saved = time.monotonic()
            opened.write("app/app/urls.py", URLS.replace("Hello", greeting))
            debugger.wait_for_process()
            assert stop_in_view(opened, debugger, "Bob") == f"{greeting}, Bob"
            print(f"edit to the next stop: {time.monotonic() - saved:.1f} s")
    wait_until(lambda: opened.get_inside("greet/?name=Cleo") == (200, "Good night, Cleo"))


def test_the_session_outlives_a_syntax_error(opened):
    with attached(opened) as debugger:
        opened.write("app/app/urls.py", "this is no Python\n")
        debugger.wait_for_process()
        wait_until(lambda: debugger.resume_all() or "this is no Python" in opened.server_log())
        opened.write("app/app/urls.py", URLS)
        debugger.wait_for_process()
        assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"


def test_an_edit_while_a_request_stands_at_a_breakpoint_restarts_it(opened):
    with attached(opened) as debugger:
        request = get(opened, "greet/?name=Ada")
        debugger.wait_for_stop()
        opened.write("app/app/urls.py", URLS.replace("Hello", "Good day"))
        debugger.wait_for_process()
        debugger.wait_for_stop().resume()  # the client asks again
        assert answer(request) == "Good day, Ada"


def test_f5_works_again_after_the_server_died_under_a_session(opened):
    with attached(opened) as debugger:
        opened.bash("kill -9 $(grep -l environment/server.p[y] /proc/[0-9]*/cmdline | cut -d/ -f3)", check=False)
        debugger.wait_for_process()  # the supervisor has started another one
        assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"
    with attached(opened) as debugger:
        assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"


def test_f5_works_again_and_again(opened):
    for _ in range(3):
        with attached(opened) as debugger:
            assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"


def test_nobody_pays_for_a_debugger_that_is_not_attached(opened):
    def loaded():
        return opened.bash("grep -l debugpy /proc/[0-9]*/maps /proc/[0-9]*/cmdline", check=False).stdout.splitlines()

    with attached(opened):
        pass
    wait_until(lambda: opened.get_inside("greet/?name=Ada") == (200, "Hello, Ada"))
    opened.bash("environment/serve.py --restart")
    wait_until(lambda: opened.get_inside("greet/?name=Ada") == (200, "Hello, Ada"))
    assert not [path for path in loaded() if "maps" in path]


def test_breakpoint_without_a_debugger_hangs_nothing_and_says_why(opened):
    wait_until(lambda: opened.get_inside("stop/") == (200, "passed"))
    assert "breakpoint() in /workspace/app/app/urls.py, line " in opened.server_log()
    assert "no debugger is attached" in opened.server_log()


def test_a_taken_port_costs_the_debugger_and_not_the_server(opened):
    opened.bash("environment/serve.py --stop")
    taker = opened.exec_argv("python", "-c", LISTEN, "127.0.0.1", "5678")
    try:
        with subprocess.Popen(taker, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as taken:
            taken.stdout.readline()
            opened.bash("environment/serve.py --detach")
            wait_until(lambda: opened.get_inside("greet/?name=Ada") == (200, "Hello, Ada"))
            assert "Port 5678 is taken" in opened.server_log()
            taken.stdin.close()
    finally:
        opened.bash("environment/serve.py --restart")
    wait_until(lambda: opened.get_inside("greet/?name=Ada") == (200, "Hello, Ada"))
    with attached(opened) as debugger:
        assert stop_in_view(opened, debugger, "Ada") == "Hello, Ada"


def test_a_management_command_can_be_debugged(opened):
    chosen = configuration("Management command", **{"command:pickArgs": "greet --name Ada"})
    path = "app/core/management/commands/greet.py"
    breakpoint = {f"/workspace/{path}": line(path, '        self.stdout.write(f"Hello, {name}")')}
    with Debugger(opened.exec_argv, chosen, breakpoint) as debugger:
        stop = debugger.wait_for_stop()
        assert (stop.reason, stop.variable("name")) == ("breakpoint", "'Ada'")
        stop.resume()


@pytest.mark.parametrize(("text", "name"), [("    assert name", "'Ada'"), ("        self.assertTrue(name)", "'Bob'")])
def test_the_tests_of_a_file_can_be_debugged(opened, text, name):
    path = "app/core/tests/test_greet.py"
    chosen = configuration("Tests of this file", file=f"/workspace/{path}")
    with Debugger(opened.exec_argv, chosen, {f"/workspace/{path}": line(path, text)}) as debugger:
        stop = debugger.wait_for_stop()
        assert (stop.reason, stop.variable("name")) == ("breakpoint", name)
        stop.resume()
