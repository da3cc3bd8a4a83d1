"""The development server, which every start of the dev container starts: no one types or confirms anything."""

import subprocess
import time

import pytest
from helpers.engine import ROOT
from helpers.files import read_json
from helpers.waiting import wait_until

VIEW = """

from core.models import User
from django.http import HttpResponse
from django.shortcuts import render


def count(request):
    return HttpResponse(f"first: {User.objects.count()} users")


urlpatterns += [path("count/", count), path("shown/", lambda request: render(request, "shown.html"))]
"""
URLS = (ROOT / "app/app/urls.py").read_text() + VIEW
FILES = {"app/app/urls.py": URLS, "app/core/templates/shown.html": "first"}
MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunSQL("{}", "select 1")]
"""
RESTART = "environment/serve.py --restart"
POLLING = "looking through all files every second instead"


@pytest.fixture(autouse=True)
def serving(opened):
    """Each test begins with the server at work, with the module's FILES."""
    wait_until(lambda: page(opened) == "first: 0 users")


@pytest.fixture
def plain_server(opened):
    """After a test that starts the server in another way."""
    yield
    opened.bash(RESTART)


def page(project, path="count/"):
    """What the server answers, or None."""
    status, text = project.get_inside(path)
    return text if status == 200 else None


def processes(project, text):
    """The ids and command lines of the container's processes with *text*, but for those that ask."""
    look = "for p in /proc/[0-9]*; do echo ${p#/proc/} $(tr '\\0' ' ' < $p/cmdline); done 2> /dev/null"
    lines = project.bash(look).stdout.splitlines()
    return sorted(line for line in lines if text in line and "bash -c" not in line)


def servers(project):
    return processes(project, "environment/serve")


def test_it_runs_when_the_folder_opens(opened):
    assert len(processes(opened, "environment/serve.py")) == 1
    assert len(processes(opened, "environment/server.py")) == 1


def test_starting_it_again_changes_nothing(opened):
    before = servers(opened)
    opened.bash("environment/serve.py --detach")
    assert "The server is already running" in opened.bash("environment/serve.py").stdout
    assert servers(opened) == before


def test_it_is_stopped_and_started(opened):
    opened.bash("environment/serve.py --stop")
    wait_until(lambda: servers(opened) == [])  # it lets go of its lock just before its end
    assert opened.bash("environment/serve.py --stop").returncode == 0
    opened.bash("environment/serve.py --detach")
    wait_until(lambda: page(opened) == "first: 0 users")


def test_the_task_shows_its_log(opened):
    (task,) = (task for task in read_json(".vscode/tasks.json")["tasks"] if task["label"] == "Server log")
    assert task["command"] == "${command:python.interpreterPath}"
    with subprocess.Popen(opened.exec_argv("python", *task["args"]), stdout=subprocess.PIPE, text=True) as tail:
        assert any("Serving http://localhost:8000" in line for line in tail.stdout)
        page(opened)
        assert any('"GET /count/ HTTP/1.1" 200' in line for line in tail.stdout)
        tail.terminate()


@pytest.mark.parametrize("path", ["app/app/settings.py", "app/app/urls.py"])
def test_it_survives_a_syntax_error(opened, path):
    whole = opened.write(path, "this is no Python\n")
    wait_until(lambda: page(opened) is None)
    wait_until(lambda: "SyntaxError" in opened.server_log())
    wait_until(lambda: "It starts again when a file in app/ is saved." in opened.server_log())
    opened.write(path, whole)
    wait_until(lambda: page(opened) == "first: 0 users")


def test_it_survives_a_restart_of_the_database(opened):
    before = servers(opened)
    opened.compose("restart", "db")
    wait_until(lambda: page(opened) == "first: 0 users")
    assert servers(opened) == before


def test_an_edit_while_the_database_is_down_does_not_end_it(opened):
    opened.compose("stop", "db")
    try:
        opened.write("app/app/urls.py", URLS.replace("first", "second"))
        wait_until(lambda: "app/app/urls.py changed: restarting." in opened.server_log())
    finally:
        opened.compose("start", "db")
    wait_until(lambda: page(opened) == "second: 0 users")


def test_it_starts_without_the_database(opened):
    opened.compose("stop", "db")
    try:
        opened.bash(RESTART)
        wait_until(lambda: "Serving without the database" in opened.server_log())
        wait_until(lambda: opened.get_inside("livez")[0] == 200)
    finally:
        opened.compose("start", "db")
    wait_until(lambda: page(opened) == "first: 0 users")


def test_no_save_is_missed_however_they_follow_each_other(opened, moments):
    for edit in range(20):
        opened.write("app/app/urls.py", URLS.replace("first", f"edit {edit}"))
        time.sleep(moments.uniform(0, 1.5))  # what is tried: a moment of a restart
    wait_until(lambda: page(opened) == "edit 19: 0 users")


def test_how_soon_an_edit_shows(opened):
    for edit in range(5):
        opened.write("app/app/urls.py", URLS.replace("first", f"edit {edit}"))
        saved = time.monotonic()
        wait_until(lambda edit=edit: page(opened) == f"edit {edit}: 0 users")
        print(f"page back after {time.monotonic() - saved:.2f} s")


def test_a_template_shows(opened):
    opened.write("app/core/templates/shown.html", "second")
    wait_until(lambda: page(opened, "shown/") == "second")


def test_a_compiled_translation_restarts_it(opened):
    before = processes(opened, "environment/server.py")
    opened.write("app/core/locale/de/LC_MESSAGES/django.mo", "")
    wait_until(lambda: processes(opened, "environment/server.py") not in ([], before))


def test_a_static_file_does_not_cost_a_restart(opened):
    for path in ("static/core/style.css", "static/core/page.html"):
        opened.write(f"app/core/{path}", "")
    opened.write("app/core/late.py", "")  # the control: what does restart it, and is seen after them
    wait_until(lambda: "app/core/late.py changed: restarting." in opened.server_log())
    assert "static" not in opened.server_log()


def test_an_edit_of_env_says_what_applies_it(opened):
    text = opened.read(".env")
    opened.write(".env", f"{text}DEBUG=true\n")
    try:
        wait_until(lambda: ".env changed. To apply it: 'Rebuild Container'" in opened.server_log())
    finally:
        opened.write(".env", text)


def test_without_file_events_it_can_poll(opened, plain_server):
    opened.bash(f"WATCHFILES_FORCE_POLLING=true {RESTART}")
    wait_until(lambda: page(opened) == "first: 0 users")
    opened.write("app/app/urls.py", URLS.replace("first", "second"))
    wait_until(lambda: page(opened) == "second: 0 users")


def test_when_file_events_are_used_up_it_polls_and_says_so(opened, plain_server, file_events_used_up):
    opened.bash(RESTART)
    wait_until(lambda: page(opened) == "first: 0 users")
    assert POLLING in opened.server_log()
    opened.write("app/app/urls.py", URLS.replace("first", "second"))
    wait_until(lambda: page(opened) == "second: 0 users")


@pytest.fixture
def file_events_used_up(opened):
    """All of the user's inotify instances are held by another program."""
    opened.bash("environment/serve.py --stop")
    program = (ROOT / "template/tests/programs/hold_inotify.py").read_text()
    with subprocess.Popen(opened.exec_argv("python", "-c", program), stdin=-1, stdout=-1, text=True) as holder:
        print(holder.stdout.readline())
        yield
        holder.stdin.close()


def test_how_much_it_idles(opened):
    pids = [server.split()[0] for server in servers(opened)]

    def cpu_seconds():
        lines = opened.run(*opened.exec_argv("cat", *(f"/proc/{pid}/stat" for pid in pids))).stdout.splitlines()
        return sum(int(field) for line in lines for field in line.rpartition(")")[2].split()[11:13]) / 100

    cpu, start = cpu_seconds(), time.monotonic()
    time.sleep(5)  # what is measured
    share = (cpu_seconds() - cpu) / (time.monotonic() - start)
    print(f"{share:.2%} of a processor")
    assert share < 0.5  # it does not spin


def test_a_server_that_is_killed_is_started_again(opened):
    before = processes(opened, "environment/server.py")
    opened.bash(f"kill -9 {before[0].split()[0]}")
    opened.write("app/core/late.py", "")
    wait_until(lambda: page(opened) == "first: 0 users")
    assert processes(opened, "environment/server.py") != before


def test_one_that_is_killed_at_each_start_is_not_started_again_for_ever(opened):
    opened.write("app/app/urls.py", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    wait_until(lambda: "The server ended (exit status -9" in opened.server_log())
    assert opened.server_log().count("The server was killed") <= 4
    opened.write("app/app/urls.py", URLS)
    wait_until(lambda: page(opened) == "first: 0 users")


def test_a_migration_that_is_repaired_is_applied(opened, plain_server):
    path, empty = "app/core/migrations/0002_repaired.py", "select 1"
    opened.write(path, MIGRATION.format("not SQL"))
    try:
        opened.bash(RESTART)
        wait_until(lambda: opened.get_inside("readyz") == (503, "unapplied\n"))
        opened.write(path, MIGRATION.format(empty))
        wait_until(lambda: opened.get_inside("readyz") == (200, "ok\n"))
    finally:
        opened.write(path, MIGRATION.format(empty))
        opened.bash("python manage.py migrate core 0001")
        (opened.folder / path).unlink()


def test_what_a_killed_supervisor_left_is_ended_by_the_next(opened):
    (supervisor,) = processes(opened, "environment/serve.py")
    left = processes(opened, "environment/server.py")
    opened.bash(f"kill -9 {supervisor.split()[0]}")
    opened.bash("environment/serve.py --detach")
    wait_until(lambda: not set(left) & set(processes(opened, "environment/server.py")))
    wait_until(lambda: page(opened) == "first: 0 users")
    assert len(processes(opened, "environment/server.py")) == 1


def test_it_is_there_again_after_a_stop(opened):
    opened.compose("stop", "--timeout", "1")
    opened.devcontainer("up")
    wait_until(lambda: page(opened) == "first: 0 users")
    assert len(servers(opened)) == 2


def test_it_knows_the_codespace_although_compose_does_not(opened, plain_server):
    name = {"CODESPACE_NAME": "fuzzy-train", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.example.dev"}
    opened.bash("environment/serve.py --stop")
    opened.terminal("environment/setup.py --start", **name)
    (supervisor,) = processes(opened, "environment/serve.py")
    environment = opened.bash(f"cat /proc/{supervisor.split()[0]}/environ").stdout
    assert set(environment.split("\0")) >= {f"{variable}={value}" for variable, value in name.items()}


def test_a_start_does_not_hide_that_it_is_broken(opened):
    opened.write("app/app/settings.py", "this is no Python\n")
    started = opened.terminal("environment/setup.py --start", check=False)
    assert started.returncode == 0
    wait_until(lambda: "SyntaxError" in opened.server_log())


def test_other_runservers_come_first_where_the_project_says_so(opened):
    """The order of INSTALLED_APPS decides, as in Django: no command of the environment stands in between."""
    code = "from django.core.management import get_commands; print(get_commands()['runserver'])"
    assert "django.contrib.staticfiles" in opened.bash(f'python manage.py shell --no-imports -c "{code}"').stdout
