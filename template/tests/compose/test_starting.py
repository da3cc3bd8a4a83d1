"""The application starts beside the database: what a browser, a probe and a command see meanwhile."""

import time

import pytest
from helpers.projects import SLOW_FIRST_START
from helpers.waiting import wait_until

ASKING_VIEW = """
from core.models import User
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(f"{User.objects.count()} users"))]
"""
ASKING_APP = """
from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self):
        from django.db import connection
        with connection.cursor() as cursor:
            cursor.execute("select 1")
"""
FORGIVING_APP = """
from django.apps import AppConfig
from django.db import DatabaseError


class CoreConfig(AppConfig):
    name = "core"

    def ready(self):
        from django.contrib.auth.models import Group
        try:
            self.groups = Group.objects.count()
        except DatabaseError:
            self.groups = "unknown"
"""
GROUPS_VIEW = """
from django.apps import apps
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(f"{apps.get_app_config('core').groups} groups"))]
"""
MIGRATION = """
import time
from django.db import migrations


def run(apps, schema_editor):
    print("MIGRATING")
    {}


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.RunPython(run)]
"""


def add_migration(project, body):
    project.write("app/added/__init__.py", "")
    project.write("app/added/migrations/__init__.py", "")
    project.write("app/added/migrations/0001_initial.py", MIGRATION.format(body))
    settings = project.read("app/app/settings.py")
    project.write("app/app/settings.py", settings.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "added",', 1))


@pytest.fixture
def slow(make_project):
    """A project whose database needs 20 s for its first start."""
    project = make_project()
    project.write("docker-compose.override.yml", SLOW_FIRST_START)
    yield project
    project.compose("down", "--volumes", "--timeout=1")  # an engine has some thirty networks


def answers_meanwhile(project):
    """What / answered, from the first page that could be seen to the first that was the project's own."""
    answers = []

    def is_there():
        status, text = project.get()
        if status:
            answers.append((status, text))
        return status == 200

    wait_until(is_there)
    return answers


def test_each_page_says_what_is_waited_for_until_it_comes(slow):
    slow.write("app/app/urls.py", ASKING_VIEW)
    slow.compose("up", "--detach", "--build")
    answers = answers_meanwhile(slow)
    assert answers[-1] == (200, "0 users")
    statuses = {status for status, _ in answers[:-1]}
    assert statuses == {503}, "a view met a missing table, or there was no page meanwhile"
    assert any("Waiting for" in text and 'http-equiv="refresh"' in text for _, text in answers)
    assert "Traceback" not in slow.compose("logs", "app").stdout


def test_the_probes_meanwhile(slow):
    slow.compose("up", "--detach", "--build")
    wait_until(lambda: slow.get("livez")[0] == 200)
    assert slow.get("readyz") == (503, "starting\n")
    assert slow.get("static/admin/css/base.css")[0] == 200
    assert slow.get("no-such-page")[0] == 503
    slow.compose("up", "--wait")
    assert slow.get("readyz") == (200, "ok\n")
    assert slow.get("no-such-page")[0] == 404


@pytest.mark.parametrize(
    "command",
    [
        ["pytest", "-q", "app/core"],
        ["sh", "-c", "python manage.py test"],
        ["python", "app/manage.py", "migrate"],
        ["psql", "--command=select 1"],
    ],
)
def test_a_command_on_a_fresh_machine_waits_for_the_database(slow, command):
    slow.compose("build")
    started = time.monotonic()
    slow.compose("run", "--rm", "app", *command)
    assert time.monotonic() - started > 20, "the database was there before the command: nothing was tried"


def test_a_command_without_a_database_is_not_held_up(slow):
    slow.compose("build")
    said = slow.compose("run", "--rm", "--no-deps", "app", "sh", "-c", "echo done").stdout
    assert said.rstrip().endswith("done") and "Waiting" not in said


def test_code_that_asks_the_database_while_it_is_loaded(slow):
    slow.write("app/core/apps.py", ASKING_APP)
    slow.compose("up", "--wait", "--build")
    assert slow.get("readyz") == (200, "ok\n")
    assert slow.get()[0] == 200


def test_an_edit_meanwhile_is_served_afterwards(slow):
    slow.compose("up", "--detach", "--build")
    wait_until(lambda: slow.get("livez")[0] == 200)
    slow.write("app/app/urls.py", ASKING_VIEW)
    assert answers_meanwhile(slow)[-1] == (200, "0 users")


def test_a_syntax_error_meanwhile_is_told_at_once_and_survived(slow):
    slow.compose("up", "--detach", "--build")
    wait_until(lambda: slow.get("livez")[0] == 200)
    whole = slow.write("app/app/urls.py", "this is no Python\n")
    wait_until(lambda: "SyntaxError" in slow.compose("logs", "app").stdout)
    slow.write("app/app/urls.py", whole)
    wait_until(lambda: slow.get()[0] == 200)


def test_code_that_bears_the_databases_absence_is_loaded_again_once_it_is_there(slow):
    slow.write("app/core/apps.py", FORGIVING_APP)
    slow.write("app/app/urls.py", GROUPS_VIEW)
    slow.compose("up", "--wait", "--build")
    wait_until(lambda: slow.get() == (200, "0 groups"))


def test_the_server_starts_once_where_its_code_asks_nothing(slow):
    slow.compose("up", "--wait", "--build")
    assert slow.compose("logs", "app").stdout.count("Serving http://localhost") == 1


def test_a_first_start_that_needs_longer_than_a_minute_is_no_failure(slow):
    slow.write("docker-compose.override.yml", SLOW_FIRST_START.replace("sleep 20", "sleep 75"))
    slow.write("app/app/urls.py", ASKING_VIEW)
    slow.compose("up", "--detach", "--build")
    answers = answers_meanwhile(slow)
    assert {status for status, _ in answers[:-1]} == {503} and answers[-1] == (200, "0 users")
    slow.compose("up", "--wait")


def test_a_supervisor_that_begins_late_is_no_failure(slow):
    """Docker sends the first probe a second after the container's start, and a slow machine needs longer for Python."""
    late = 'services: {app: {command: sh -c "sleep 5; exec python environment/serve.py"}}'
    slow.write("docker-compose.override.yml", late)
    slow.compose("up", "--wait", "--build")
    assert slow.get()[0] == 200


def test_a_migration_that_fails_runs_once(slow):
    add_migration(slow, "raise RuntimeError('of the test')")
    assert slow.compose("up", "--wait", "--build", check=False).returncode != 0
    log = slow.compose("logs", "app").stdout
    assert log.count("MIGRATING") == 1 and "RuntimeError: of the test" in log


def test_the_migration_that_runs_is_shown(slow):
    add_migration(slow, "time.sleep(10)")
    slow.compose("up", "--detach", "--build")
    wait_until(lambda: "Applying added.0001_initial..." in slow.get()[1])
    assert "Applying added.0001_initial..." in slow.compose("logs", "app").stdout
    assert slow.get()[0] == 503


def test_a_dev_container_whose_code_asks_the_database_while_it_is_loaded_opens(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.write("docker-compose.override.yml", SLOW_FIRST_START)
    project.write(
        ".devcontainer/devcontainer.json",
        project.read(".devcontainer/devcontainer.json")
        .replace('"dockerComposeFile": [', '"dockerComposeFile": ["../docker-compose.override.yml", ', 1)
        .replace(
            '["../docker-compose.override.yml", "../docker-compose.yml"',
            '["../docker-compose.yml", "../docker-compose.override.yml"',
            1,
        ),
    )
    project.write("app/core/apps.py", ASKING_APP)
    project.open_in_editor()
