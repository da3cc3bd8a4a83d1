"""The doctor: silent where all is well; each of its checks sees the thing that it is for, really broken."""

import contextlib
import re
import subprocess

import pytest
from helpers.engine import PROGRAMS, docker
from helpers.waiting import wait_until

ROOT_OWNED = "/workspace/app/core/made_by_root.py"
DOCTOR = "python manage.py doctor"
LISTEN = (PROGRAMS / "listen.py").read_text()
PLACE_OF_PACKAGES = "$(dirname $(find /opt/venv -name 'pytest-*.dist-info'))"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.AddField("user", "{field}", models.IntegerField(null=True))]
"""
LEGACY = """
DATABASES["legacy"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/legacy.sqlite3"}
"""


def doctor(project, *options, interpreter="python"):
    """The ids and the text of what the doctor finds."""
    shown = project.bash(f"{interpreter} manage.py doctor --timeout 60 {' '.join(options)}", check=False)
    assert "Traceback" not in shown.stdout
    return re.findall(r"\((doctor\.[EW]\d+)\)", shown.stdout), shown.stdout


@contextlib.contextmanager
def repaired(project, action):
    """The end of the fault, whatever comes; the doctor then finds nothing, which is the control."""
    try:
        yield
    finally:
        action()
    wait_until(lambda: doctor(project)[0] == [])


def hint(text):
    return re.search(r"HINT: (?:Run: )?(.*)", text)[1]


def test_it_is_silent_where_all_is_well(opened):
    assert doctor(opened) == ([], "System check identified no issues (0 silenced).\n")


def test_a_start_says_nothing_where_all_is_well(opened):
    assert "doctor." not in opened.up.stdout
    assert opened.bash("environment/setup.py --start").stdout == ""


def test_no_other_command_pays_for_it(opened):
    checks = "from django.core.checks.registry import registry; print(sorted(registry.tags_available()))"
    assert "doctor" not in opened.bash(f'python manage.py shell --no-imports --command "{checks}"').stdout


def test_the_database_is_down(opened):
    with repaired(opened, lambda: opened.compose("start", "db")):
        opened.compose("stop", "db")
        found, text = doctor(opened, "--timeout", "5")
        shown = opened.bash("environment/setup.py --start", check=False)
    assert found == ["doctor.E001"]
    assert 'Not ready: database "app" at db:5432: ' in text and "HINT: " in text
    assert shown.returncode == 0 and "doctor.E001" in shown.stdout


def test_the_password_is_wrong(opened):
    found, text = doctor(opened, interpreter="DB_PASS=wrong python")
    assert opened.bash(f"DB_PASS=wrong {DOCTOR}", check=False).returncode == 1
    assert found == ["doctor.E001"]
    assert 'password authentication failed for user "app"' in text


def test_a_migration_is_unapplied(opened):
    with repaired(opened, lambda: opened.bash("python manage.py migrate")):
        opened.bash("python manage.py migrate sessions zero")
        found, text = doctor(opened)
        warned = opened.bash(f"{DOCTOR} --timeout 60", check=False).returncode
    assert warned == 0
    assert found == ["doctor.W002"]
    assert "unapplied migrations: 1." in text and hint(text) == "python manage.py migrate"


def test_two_migrations_are_the_last_of_one_app(opened):
    """After a merge; migrate refuses them."""
    with repaired(opened, lambda: opened.restore({})):
        for number, field in (("0002_left", "left"), ("0002_right", "right")):
            opened.write(f"app/core/migrations/{number}.py", MIGRATION.format(field=field))
        found, text = doctor(opened)
    assert found
    assert "0002_left" in text and "0002_right" in text and "makemigrations --merge" in text


def test_a_migration_is_applied_that_the_code_does_not_have(opened):
    """After a switch to another branch."""
    with repaired(opened, lambda: opened.psql("delete from django_migrations where name = '0002_of_a_branch'")):
        opened.psql("insert into django_migrations (app, name, applied) values ('core', '0002_of_a_branch', now())")
        found, text = doctor(opened)
    assert found
    assert "core.0002_of_a_branch" in text


def test_another_database_of_another_kind_is_no_obstacle(opened):
    settings = opened.read("app/app/settings.py")
    with repaired(opened, lambda: opened.write("app/app/settings.py", settings)):
        opened.write("app/app/settings.py", settings + LEGACY)
        found, text = doctor(opened, "--timeout", "60")
        ready = wait_until(lambda: opened.get_inside("readyz") == (200, "ok\n"))
    assert ready
    assert "does not use psycopg2" not in text and "doctor.E001" not in found


def test_the_client_tools_are_of_another_version(opened):
    with repaired(opened, lambda: opened.as_root("mv /tmp/psql /usr/local/bin")):
        opened.as_root("mv /usr/local/bin/psql /tmp; printf '#!/bin/sh\necho psql \\(PostgreSQL\\) 17.1' > /usr/local/bin/psql;"
                       "chmod +x /usr/local/bin/psql")  # fmt: skip
        found, text = doctor(opened)
    assert found == ["doctor.W003"]
    assert "The server is PostgreSQL 18, its client tools are: psql (PostgreSQL) 17.1." in text


def test_the_volume_holds_another_major_version(opened):
    volume = f"{opened.name}_db:/var/lib/postgresql"
    initdb = ["initdb", "--pgdata", "/var/lib/postgresql/17/docker"]
    with repaired(opened, lambda: opened.compose("exec", "-T", "db", "rm", "-r", "/var/lib/postgresql/17")):
        docker("run", "--rm", "--user", "postgres", "--volume", volume, "postgres:17-trixie", *initdb)
        found, text = doctor(opened)
    assert found == ["doctor.W004"]
    assert "The volume holds a database of PostgreSQL 17 too" in text and "POSTGRES_MAJOR=17" in text


def test_a_file_belongs_to_somebody_else(opened):
    with repaired(opened, lambda: opened.as_root(f"rm {ROOT_OWNED}")):
        opened.as_root(f"touch {ROOT_OWNED}")
        found, text = doctor(opened)
    assert found == ["doctor.W005"]
    assert f"{ROOT_OWNED} belongs to uid 0" in text and f"uid {opened.uid}" in text


def test_git_is_not_usable(opened):
    undo = f"git config --system --add safe.directory /workspace; chown {opened.uid} /workspace/.git /workspace"
    with repaired(opened, lambda: opened.as_root(undo)):
        opened.as_root("git config --system --unset-all safe.directory; chown 4321 /workspace/.git /workspace")
        found, text = doctor(opened)
    assert "doctor.E006" in found
    assert "dubious ownership" in text


def test_the_hooks_are_not_installed(opened):
    with repaired(opened, lambda: opened.bash("environment/serve.py --restart")):
        opened.bash("rm .git/hooks/pre-commit")
        found, text = doctor(opened)
    assert found == ["doctor.W007"]
    assert hint(text) == "environment/serve.py --restart"


def test_hooks_of_ones_own_are_no_fault(opened):
    with repaired(opened, lambda: opened.bash("mv /tmp/pre-commit .git/hooks && git config unset core.hooksPath")):
        opened.bash("mv .git/hooks/pre-commit /tmp && git config core.hooksPath .hooks")
        found, _ = doctor(opened)
    assert found == []


def test_the_server_does_not_run(opened):
    with repaired(opened, lambda: opened.bash("environment/serve.py --detach")):
        opened.bash("environment/serve.py --stop")
        found, text = doctor(opened)
        opened.bash(hint(text))  # the cure that it names
        cured = doctor(opened, "--timeout", "60")
    assert found == ["doctor.W009"]
    assert cured[0] == []


def test_another_program_has_the_servers_port(opened):
    with repaired(opened, lambda: opened.bash("environment/serve.py --detach")):
        opened.bash("environment/serve.py --stop")
        taker = opened.exec_argv("python", "-c", LISTEN, "0.0.0.0", "8000")
        with subprocess.Popen(taker, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as taker:
            taker.stdout.readline()
            found = doctor(opened)[0]
            taker.stdin.close()
    assert found == ["doctor.W008"]


def test_the_server_has_code_that_can_not_be_loaded(opened):
    urls = opened.read("app/app/urls.py")
    with repaired(opened, lambda: opened.write("app/app/urls.py", urls)):
        opened.write("app/app/urls.py", "this is no Python\n")
        wait_until(lambda: doctor(opened, "--timeout", "5")[0] == ["doctor.W010"])
        text = doctor(opened, "--timeout", "5")[1]
    assert "environment/serve.py --log" in text


def test_another_interpreter_runs(opened):
    opened.bash("python -m venv --system-site-packages /tmp/other")
    site = """PYTHONPATH=$(python -c 'import site; print(*site.getsitepackages(), sep=":")')"""
    found, text = doctor(opened, interpreter=f"{site} /tmp/other/bin/python")
    assert found == ["doctor.W012"]
    assert "/opt/venv/bin/python" in text


def test_a_package_is_not_as_the_requirements_say(opened):
    with repaired(opened, lambda: opened.bash(f"mv /tmp/cfgv-*.dist-info {PLACE_OF_PACKAGES}")):
        opened.bash("mv $(find /opt/venv -name 'cfgv-*.dist-info') /tmp")
        found, text = doctor(opened)
    assert found == ["doctor.W013"]
    assert "Not installed as the requirements say: cfgv " in text


def test_a_package_of_installed_apps_is_missing(opened):
    """Django itself cannot start then; the doctor still says what is wrong."""
    settings = opened.read("app/app/settings.py")
    with repaired(opened, lambda: opened.write("app/app/settings.py", settings)):
        opened.write(
            "app/app/settings.py", settings.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "not_there",', 1)
        )
        shown = opened.bash(DOCTOR, check=False)
    assert shown.returncode == 1
    assert "not_there" in shown.stdout and "Traceback" not in shown.stdout


@pytest.fixture
def psycopg3(opened):
    """psycopg 3 beside psycopg2, as many packages bring it; Django prefers it."""
    opened.bash("pip install --quiet 'psycopg[binary]'")
    yield
    opened.bash("pip uninstall --quiet --yes psycopg psycopg-binary")
    opened.bash("environment/serve.py --restart")


def test_psycopg_3_beside_psycopg2_is_no_obstacle_or_is_named_with_the_cure(opened, psycopg3):
    opened.bash("environment/serve.py --restart")
    waited = opened.bash("python manage.py wait_for_db", check=False)
    found, text = doctor(opened, "--timeout", "60")
    if waited.returncode == 0:
        assert found == []
        wait_until(lambda: opened.get_inside("readyz") == (200, "ok\n"))
    else:
        assert "psycopg 3" in waited.stdout and "pip uninstall" in waited.stdout
        assert "psycopg 3" in text
    wait_until(lambda: opened.get_inside("")[0] == 200)
