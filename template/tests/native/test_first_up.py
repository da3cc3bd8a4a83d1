"""`./dev up` on a machine with nothing but Python, and what it leaves there. The tests share the machine."""

import re

import pytest
from helpers.machines import FOLDER, HOME
from helpers.waiting import wait_until


@pytest.fixture
def machine(bare):
    """It is up."""
    if bare.status() != "200":
        bare.dev("up")
    return bare


def test_it_serves_and_says_each_step_on_stderr_and_ready_on_stdout(bare):
    said = bare.first_up.stderr
    assert "./dev up without Docker: there is no docker on PATH" in said
    for step in ("packages", "cluster", "PostgreSQL", "server", "database, migrations, page"):
        assert re.search(rf"^ +\d+\.\d s  {re.escape(step)}", said, re.MULTILINE), said
    assert re.fullmatch(r"READY\b.*http://localhost:8000\b.*\n", bare.first_up.stdout)
    assert "psycopg2" not in said, "the binary wheel, always: there is nothing to say"


def three_servers(machine):
    """PostgreSQL, the supervisor and the server. A part of PostgreSQL that was just born has the name of the whole."""
    found = machine.servers()
    return found if len(found) == 3 else None


def test_a_second_up_changes_nothing_that_runs(machine):
    before = wait_until(lambda: three_servers(machine))
    for _ in range(3):
        print(machine.dev("up").stdout)
    wait_until(lambda: machine.servers() == before)


def test_the_tests_pass_and_leave_the_data_alone(machine):
    machine.psql("drop table if exists kept; create table kept as select 1")
    assert " passed" in machine.dev("test", "-q").stdout
    assert re.search(r"== 1 passed, \d+ deselected", machine.dev("test", "-k", "one_holds_the_lock").stdout)
    failed = machine.dev("test", "no_such_test.py", check=False)
    assert failed.returncode == 4, "pytest's own exit status"
    assert machine.psql("select count(*) from kept") == "1"


def test_what_a_command_prints_is_the_commands_alone(machine):
    assert machine.dev("manage", "shell", "--no-imports", "-c", "print(42)").stdout == "42\n"


def test_nothing_but_loopback_is_listened_on(machine):
    assert len(machine.listening()) == 2
    assert all(address.startswith("0100007F:") for address in machine.listening())


def test_the_password_is_its_owners_alone_and_never_shown(machine):
    password = machine.read(".dev/password")
    assert len(password) >= 24
    modes = machine.sh("stat -c %a .dev/password .dev/env .dev/env.json").stdout.split()
    assert modes == ["600", "600", "600"]
    first = machine.first_up.stdout + machine.first_up.stderr
    shown = (
        first
        + machine.sh("cat .dev/*.log").stdout
        + machine.dev("doctor").stdout
        + "".join(machine.processes().values())
    )
    assert password not in shown


def test_the_machine_is_as_it_was_outside_the_project(machine):
    assert machine.run("cat", "/etc/passwd").stdout == machine.users
    modes = machine.run("stat", "-c", "%a %u", "/", "/home", HOME, FOLDER).stdout.split("\n")[:-1]
    assert modes == ["755 0"] * 4
    assert machine.sh('ls -A "$HOME/.local" 2> /dev/null', check=False).stdout == ""


def test_the_doctor_names_what_differs_from_the_image(machine):
    said = machine.dev("doctor").stdout
    assert "without pgcrypto, uuid-ossp, ICU collations and TLS" in said
    assert "System check identified no issues" in said
    create = "from django.db import connection; connection.cursor().execute('create extension pgcrypto')"
    error = machine.dev("manage", "shell", "--no-imports", "-c", create, check=False).stderr
    assert 'extension "pgcrypto" is not available' in error


@pytest.mark.parametrize("words", [["doctor"], ["manage", "doctor"]])
def test_both_doctors_are_one(machine, words):
    assert "System check identified no issues" in machine.dev(*words).stdout


def test_advice_is_for_this_place(machine):
    page = machine.sh(
        "python3 -c \"import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/').read().decode())\""
    ).stdout
    machine.sh("cp requirements-native.txt /tmp && echo no-such-package==1 >> requirements-native.txt")
    doctor = machine.sh(".venv/bin/python manage.py doctor --timeout 1", check=False).stdout
    machine.sh("cp /tmp/requirements-native.txt .")
    assert "no-such-package" in doctor
    for text in (page, doctor):
        assert "./dev" in text
        for foreign in ("docker compose", "environment/setup.py", "environment/serve.py", "Rebuild", "container"):
            assert foreign not in text, text


def test_a_shell_gets_all_from_the_file_env(machine):
    command = ". .dev/env && python manage.py migrate --check && pytest -q && psql --version"
    assert " passed" in machine.sh(command).stdout


def test_variables_of_other_projects_do_not_lead_elsewhere(machine):
    foreign = {"PGSSLMODE": "require", "PGHOSTADDR": "192.0.2.1", "PGSERVICE": "nope", "PYTHONSAFEPATH": "1"}
    foreign |= {"DJANGO_SETTINGS_MODULE": "other.settings", "PYTHONPATH": "/nowhere"}
    machine.dev("manage", "migrate", "--check", **foreign)
    machine.dev("up", **foreign)
    machine.sh(". .dev/env && psql -c 'select 1' && python manage.py check && pytest --collect-only -q", **foreign)
    machine.dev("up")


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none(machine, port):
    assert f"APP_PORT is {port!r}" in machine.dev_fails("up", APP_PORT=port)


def test_the_setup_of_a_container_refuses_to_run_here(machine):
    refused = machine.sh(".venv/bin/python environment/setup.py", check=False)
    assert refused.returncode == 1 and "./dev up" in refused.stdout
    assert machine.status() == "200"


def test_a_server_started_by_hand_is_on_loopback_and_ends_with_down(machine):
    """The first version's advice left a server with DEBUG on every address, which ./dev did not know."""
    machine.dev("down")
    machine.dev("manage", "check")  # starts PostgreSQL alone
    machine.sh(". .dev/env && environment/serve.py --detach")
    wait_until(lambda: machine.status() == "200")
    try:
        assert all(address.startswith("0100007F:") for address in machine.listening())
    finally:
        machine.dev("down")
    assert machine.processes() == {}


def test_a_second_server_by_hand_only_says_so(machine):
    before = wait_until(lambda: three_servers(machine))
    said = machine.sh(". .dev/env && environment/serve.py").stdout
    assert "The server is already running" in said and "docker" not in said
    wait_until(lambda: machine.servers() == before)
