"""`docker compose up`: the stack of someone at a terminal."""

import os
import pty
import re
import subprocess
from datetime import datetime

import pytest
from conftest import wait_until


@pytest.fixture(scope="module")
def stack(make_project):
    project = make_project()
    project.compose("up", "--wait")
    return project


def test_the_page_answers_when_up_returns(stack):
    assert stack.get()[0] == 200


def test_the_migrations_are_applied(stack):
    stack.compose("exec", "-T", "app", "python", "app/manage.py", "migrate", "--check")
    assert "core_user" in stack.psql("select tablename from pg_tables where tablename like 'core%'").splitlines()


def test_the_log_never_shows_a_refused_connection(stack):
    assert "refused" not in stack.compose("logs").stdout


def test_only_the_application_is_published_and_on_loopback_only(stack):
    assert stack.container("app")["NetworkSettings"]["Ports"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    }
    assert not any(stack.container("db")["NetworkSettings"]["Ports"].values())


def test_the_containers_are_set_up_as_their_programs_need(stack):
    app, db = stack.container("app"), stack.container("db")
    assert app["HostConfig"]["Init"] is True
    assert db["HostConfig"]["ShmSize"] == 256 * 1024 * 1024
    assert db["Config"]["StopTimeout"] == 120


def test_the_cluster_sorts_by_code_point_whatever_the_machines_locale(stack):
    assert stack.psql("select distinct datlocprovider, datlocale from pg_database") == "b|C.UTF-8"
    assert stack.psql("select string_agg(c, '' order by c) from unnest(array['b', 'a', 'B', 'ä']) c") == "Babä"


def test_the_database_is_said_to_be_healthy_soon_after_it_is_ready(stack):
    check = stack.container("db")["Config"]["Healthcheck"]
    assert check["StartInterval"] == 500_000_000  # nanoseconds; ignored without a start period
    log = stack.compose("logs", "--no-log-prefix", "db").stdout
    ready = re.findall(r"^(\S+ \S+) UTC .* database system is ready to accept connections", log, re.MULTILINE)[-1]
    probes = stack.container("db")["State"]["Health"]["Log"]
    said = min(probe["End"] for probe in probes if probe["ExitCode"] == 0)
    delay = datetime.fromisoformat(said[:23]) - datetime.fromisoformat(ready)
    assert delay.total_seconds() < 4  # some 0.5 in fact; without the start period it would be the interval of 5


@pytest.mark.parametrize("command", ["python app/manage.py test", "pytest"])
def test_the_applications_tests_pass_and_leave_the_development_data_alone(stack, command):
    stack.psql(f"create table if not exists kept as select '{command}' as by")
    before = stack.psql("select count(*) from core_user")
    tests = stack.compose("run", "--rm", "app", "sh", "-c", command).stdout
    assert "OK" in tests or " passed" in tests
    assert "Ran 0 tests" not in tests
    assert stack.psql("select count(*) from core_user") == before
    assert stack.psql("select count(*) from kept") == "1"
    assert "test_app" not in stack.psql("select datname from pg_database").splitlines()


def test_the_tests_run_with_nothing_started_before(make_project):
    cold = make_project().compose("run", "--rm", "app", "sh", "-c", "python app/manage.py test").stdout
    assert "OK" in cold and "Ran 0 tests" not in cold


@pytest.mark.parametrize("command", ["python app/manage.py test shop", "pytest app/shop"])
def test_the_tests_of_a_new_app_are_found(stack, command):
    (stack.folder / "app/shop").mkdir(exist_ok=True)
    stack.write("app/shop/__init__.py", "")
    stack.write("app/shop/tests.py", "from unittest import TestCase\n\n\nclass ShopTests(TestCase):\n"
                "    def test_it_fails(self):\n        self.fail('it ran')\n")  # fmt: skip
    tests = stack.compose("run", "--rm", "app", "sh", "-c", command, check=False)
    assert tests.returncode == 1 and "it ran" in tests.stdout


def test_an_edit_shows_at_once(stack):
    urls = stack.write("app/app/urls.py", "from django.http import HttpResponse\nfrom django.urls import path\n\n"
        'urlpatterns = [path("", lambda request: HttpResponse("edited"))]\n')  # fmt: skip
    wait_until(lambda: stack.get() == (200, "edited"))
    stack.write("app/app/urls.py", urls)
    wait_until(lambda: stack.get()[0] == 200 and stack.get()[1] != "edited")


@pytest.mark.parametrize("path", ["app/app/settings.py", "app/app/urls.py", "app/core/models.py"])
def test_code_that_cannot_be_loaded_does_not_take_the_container_down(stack, path):
    started = stack.container()["State"]["StartedAt"]
    code = stack.write(path, "this is no Python\n")
    wait_until(lambda: stack.get()[0] != 200)
    stack.write(path, code)
    wait_until(lambda: stack.get()[0] == 200)
    assert stack.container()["State"]["StartedAt"] == started


def test_code_that_cannot_be_loaded_when_the_container_starts_does_not_either(stack):
    code = stack.write("app/app/settings.py", "this is no Python\n")
    stack.compose("restart", "app")
    wait_until(lambda: "this is no Python" in stack.compose("logs", "--since", "30s", "app").stdout)
    stack.write("app/app/settings.py", code)
    wait_until(lambda: stack.get()[0] == 200)


def test_the_containers_own_server_is_not_stopped_by_hand(stack):
    stop = stack.compose("exec", "-T", "app", "bash", ".devcontainer/serve", "--stop", check=False)
    assert stop.returncode == 1 and "docker compose restart app" in stop.stdout
    assert stack.get()[0] == 200


def test_the_doctor_of_another_container_does_not_miss_the_server(stack):
    doctor = stack.compose("run", "--rm", "app", "python", "app/manage.py", "doctor", check=False).stdout
    assert "doctor.W009" not in doctor and "doctor.W010" not in doctor


def test_ctrl_c_ends_the_server(stack):
    controller, terminal = pty.openpty()
    server = subprocess.Popen(
        ["docker", "compose", "run", "--rm", "app", "bash", ".devcontainer/serve"],
        cwd=stack.folder, env=stack.environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = ""
    while "Quit the server with CONTROL-C" not in shown:
        shown += os.read(controller, 4096).decode()
    os.write(controller, b"\x03")
    assert server.wait(timeout=60) in (0, 130)
    os.close(controller)


def test_the_data_outlives_its_containers(stack):
    stack.psql("create table outlives as select 42 as answer")
    database, image = stack.container("db")["Id"], stack.container("app")["Image"]
    stack.compose("up", "--wait", "--force-recreate")
    assert stack.container("db")["Id"] != database
    stack.compose("up", "--wait", "--build", APP_GID="1001")
    assert stack.container("app")["Image"] != image
    stack.compose("down")
    stack.compose("up", "--wait")
    assert stack.psql("select answer from outlives") == "42"


def test_there_is_one_volume_and_it_has_a_name(stack):
    volumes = [mount["Name"] for mount in stack.container("db")["Mounts"] if mount["Type"] == "volume"]
    volumes += [mount["Name"] for mount in stack.container("app")["Mounts"] if mount["Type"] == "volume"]
    assert volumes == [f"{stack.name}_db"]
