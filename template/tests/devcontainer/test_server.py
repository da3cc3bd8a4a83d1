"""The development server, which every start of the dev container starts: no one types or confirms anything."""

import http.client
import json
import re
import shlex
import statistics
import subprocess
import time

import pytest
from conftest import ROOT, wait_until, watches

VIEW = """

from core.models import User
from django.http import HttpResponse


def count(request):
    return HttpResponse(f"first: {User.objects.count()} users")


urlpatterns += [path("count/", count)]
"""
URLS = (ROOT / "app/app/urls.py").read_text() + VIEW


@pytest.fixture(scope="module")
def opened(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.write("app/app/urls.py", URLS)
    project.devcontainer("up")
    return project


@pytest.fixture(autouse=True)
def mended(opened):
    """Each test begins with the server at work."""
    if (opened.folder / "app/app/urls.py").read_text() != URLS:
        opened.write("app/app/urls.py", URLS)
    wait_until(lambda: page(opened) == "first: 0 users")
    wait_until(lambda: watches(opened))


def page(project):
    """What the server answers, or None; the port is not published, for an editor forwards it."""
    (network,) = project.container()["NetworkSettings"]["Networks"].values()
    connection = http.client.HTTPConnection(network["IPAddress"], 8000, timeout=10)
    try:
        connection.request("GET", "/count/", headers={"Host": "localhost:8000"})
        response = connection.getresponse()
        return response.read().decode() if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def servers(project):
    """The processes of .devcontainer/serve and of runserver, which has two: the reloader and what it starts anew."""
    return sorted(re.findall(r"^\d+ .*(?:serve detached|runserver).*", processes(project), flags=re.MULTILINE))


def processes(project):
    script = "for p in /proc/[0-9]*; do echo ${p#/proc/} $(tr '\\0' ' ' < $p/cmdline); done"
    return project.run(*project.inside_command("bash", "-c", script)).stdout


def log(project):
    return project.run(*project.inside_command("cat", "/home/app/.local/state/server.log")).stdout


def test_it_runs_when_the_folder_opens(opened):
    assert len(servers(opened)) == 3


def test_starting_it_again_changes_nothing(opened):
    before = servers(opened)
    opened.inside("bash .devcontainer/serve --detach")
    assert "already running" in opened.inside("bash .devcontainer/serve").stdout
    assert servers(opened) == before


def test_the_task_shows_its_log(opened):
    tasks = json.loads((ROOT / ".vscode/tasks.json").read_text())["tasks"]
    (command,) = (task["command"] for task in tasks if task["label"] == "Server log")
    with subprocess.Popen(opened.inside_command("sh", "-c", command), stdout=subprocess.PIPE, text=True) as tail:
        assert any("Starting WSGI development server" in line for line in tail.stdout)
        page(opened)
        assert any('"GET /count/ HTTP/1.1" 200' in line for line in tail.stdout)
        tail.terminate()


@pytest.mark.parametrize("path", ["app/app/settings.py", "app/app/urls.py"])
def test_it_survives_a_syntax_error(opened, path):
    whole = opened.write(path, "this is no Python\n")
    wait_until(lambda: page(opened) is None)
    wait_until(lambda: "SyntaxError" in log(opened))
    opened.write(path, whole)
    wait_until(lambda: page(opened) == "first: 0 users", 10)


def test_it_survives_a_restart_of_the_database(opened):
    before = servers(opened)
    opened.compose("restart", "db")
    wait_until(lambda: page(opened) == "first: 0 users", 10)
    assert servers(opened) == before


def test_an_edit_while_the_database_is_down_does_not_end_it(opened):
    opened.compose("stop", "db")
    opened.write("app/app/urls.py", URLS.replace("first", "second"))
    wait_until(lambda: "Serving without the database" in log(opened))
    opened.compose("start", "db")
    wait_until(lambda: page(opened) == "second: 0 users", 10)


def test_an_edit_is_noticed_at_once(opened):
    follow = "timeout 60 tail --lines 0 --sleep-interval 0.01 --follow /home/app/.local/state/server.log"
    with subprocess.Popen(opened.inside_command(*shlex.split(follow)), stdout=subprocess.PIPE, text=True) as tail:
        page(opened)
        next(tail.stdout)  # the request: tail is at work
        noticed, back = [], []
        for edit in range(5):
            wait_until(lambda: watches(opened))
            opened.write("app/app/urls.py", URLS.replace("first", f"edit {edit}"))
            saved = time.monotonic()
            assert any("urls.py changed, reloading" in line for line in tail.stdout)
            noticed.append(time.monotonic() - saved)
            wait_until(lambda edit=edit: page(opened) == f"edit {edit}: 0 users")
            back.append(time.monotonic() - saved)
        tail.terminate()
    print(f"noticed after {noticed} s, page back after {back} s")
    assert statistics.median(noticed) < 0.25  # Django's own reloader: 0.5 s


def test_without_file_events_it_can_poll(opened):
    opened.inside("bash .devcontainer/serve --stop && WATCHFILES_FORCE_POLLING=true bash .devcontainer/serve --detach")
    wait_until(lambda: page(opened) == "first: 0 users")
    opened.write("app/app/urls.py", URLS.replace("first", "second"))
    wait_until(lambda: page(opened) == "second: 0 users", 10)
    opened.inside("bash .devcontainer/serve --stop && bash .devcontainer/serve --detach")


def test_it_idles_on_next_to_no_cpu(opened):
    pids = [server.split()[0] for server in servers(opened)]

    def cpu_seconds():
        lines = opened.run(*opened.inside_command("cat", *(f"/proc/{pid}/stat" for pid in pids))).stdout.splitlines()
        return sum(int(field) for line in lines for field in line.rpartition(")")[2].split()[11:13]) / 100

    cpu, start = cpu_seconds(), time.monotonic()
    time.sleep(10)  # what is measured
    share = (cpu_seconds() - cpu) / (time.monotonic() - start)
    print(f"{share:.2%} of a processor")
    assert share < 0.02


def test_it_is_there_again_after_a_stop(opened):
    opened.compose("stop", "--timeout", "1")
    opened.devcontainer("up")
    wait_until(lambda: page(opened) == "first: 0 users", 10)
    assert len(servers(opened)) == 3


def test_it_knows_the_codespace_although_compose_does_not(opened):
    name = {"CODESPACE_NAME": "fuzzy-train", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.example.dev"}
    opened.inside("bash .devcontainer/serve --stop")
    opened.inside("bash .devcontainer/post-start", **name)
    environ = opened.inside_command("bash", "-c", "cat /proc/$(< ~/.local/state/server.lock)/environ")
    environment = opened.run(*environ).stdout
    assert set(environment.split("\0")) >= {f"{variable}={value}" for variable, value in name.items()}


def test_a_start_neither_waits_for_the_server_nor_hides_that_it_is_broken(opened):
    settings = opened.write("app/app/settings.py", "this is no Python\n")
    started = time.monotonic()
    assert opened.inside("bash .devcontainer/post-start").returncode == 0
    assert time.monotonic() - started < 30
    opened.write("app/app/settings.py", settings)
