"""Working with the Compose stack: tests, edits, mistakes, Ctrl-C."""

import os
import pty
import subprocess

import pytest
from helpers.waiting import HANGING, wait_until

URLS = """\
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("edited"))]
"""
FAILING_TEST = """\
from unittest import TestCase


class ShopTests(TestCase):
    def test_it_fails(self):
        self.fail("it ran")
"""
NO_PYTHON = "this is no Python\n"


@pytest.mark.parametrize("command", ["python manage.py test", "pytest"])
def test_the_applications_tests_pass_and_leave_the_development_data_alone(stack, command):
    stack.psql("drop table if exists kept; create table kept as select 1")
    before = stack.psql("select count(*) from core_user")
    tests = stack.compose("run", "--rm", "app", "sh", "-c", command).stdout
    assert "OK" in tests or " passed" in tests
    assert "Ran 0 tests" not in tests
    assert stack.psql("select count(*) from core_user") == before
    assert stack.psql("select count(*) from kept") == "1"
    assert "test_app" not in stack.psql("select datname from pg_database").splitlines()


def test_the_tests_run_with_nothing_started_before(make_project):
    cold = make_project().compose("run", "--rm", "app", "sh", "-c", "python manage.py test").stdout
    assert "OK" in cold and "Ran 0 tests" not in cold


@pytest.mark.parametrize("command", ["python manage.py test shop", "pytest app/shop"])
def test_the_tests_of_a_new_app_are_found(stack, command):
    stack.write("app/shop/__init__.py", "")
    stack.write("app/shop/tests.py", FAILING_TEST)
    tests = stack.compose("run", "--rm", "app", "sh", "-c", command, check=False)
    assert tests.returncode == 1 and "it ran" in tests.stdout


def test_an_edit_shows(stack):
    stack.write("app/app/urls.py", URLS)
    wait_until(lambda: stack.get() == (200, "edited"))


@pytest.mark.parametrize("path", ["app/app/settings.py", "app/app/urls.py", "app/core/models.py"])
def test_code_that_cannot_be_loaded_does_not_take_the_container_down(stack, path):
    started = stack.container()["State"]["StartedAt"]
    code = stack.write(path, NO_PYTHON)
    wait_until(lambda: stack.get()[0] != 200)
    stack.write(path, code)
    wait_until(lambda: stack.get()[0] == 200)
    assert stack.container()["State"]["StartedAt"] == started


def test_code_that_cannot_be_loaded_when_the_container_starts_does_not_either(stack):
    code = stack.write("app/app/settings.py", NO_PYTHON)
    stack.compose("restart", "app")
    started = stack.container()["State"]["StartedAt"]
    wait_until(lambda: "SyntaxError" in stack.compose("logs", "--since", started, "app").stdout)
    stack.write("app/app/settings.py", code)
    wait_until(lambda: stack.get()[0] == 200)
    assert stack.container()["State"]["StartedAt"] == started


def test_the_containers_own_server_is_not_stopped_by_hand(stack):
    stop = stack.compose("exec", "-T", "app", "environment/serve.py", "--stop", check=False)
    assert stop.returncode == 1 and "docker compose restart app" in stop.stdout
    assert stack.get()[0] == 200


def test_the_server_is_not_started_a_second_time(stack):
    again = stack.compose("exec", "-T", "app", "environment/serve.py").stdout
    assert "The server is already running" in again and "docker compose logs app" in again


def test_the_doctor_finds_nothing_and_advises_nothing_of_another_place(stack):
    doctor = stack.compose("exec", "-T", "app", "python", "manage.py", "doctor").stdout
    assert doctor == "System check identified no issues (0 silenced).\n"


def test_the_doctor_of_another_container_does_not_miss_the_server(stack):
    doctor = stack.compose("run", "--rm", "app", "python", "manage.py", "doctor", check=False).stdout
    assert "doctor.W009" not in doctor and "doctor.W010" not in doctor


def test_the_commit_hook_is_there_although_no_editor_is(stack):
    assert "environment/commit-hook" in stack.read(".git/hooks/pre-commit")


def test_ctrl_c_ends_the_server(stack):
    controller, terminal = pty.openpty()
    server = subprocess.Popen(
        ["docker", "compose", "run", "--rm", "app", "environment/serve.py"],
        cwd=stack.folder, env=stack.environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = ""
    while "Serving http://" not in shown:
        shown += os.read(controller, 4096).decode()
    os.write(controller, b"\x03")
    try:
        assert server.wait(timeout=HANGING) in (0, 130)
    finally:
        os.close(controller)
