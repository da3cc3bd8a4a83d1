"""A mute database, a lock that somebody holds, a full disk, two runs of the tests: bounded, and named."""

import subprocess
import time

import pytest
from helpers.engine import paused
from helpers.waiting import HANGING, wait_until

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.AddField("user", "locked", models.IntegerField(null=True))]
"""
LOCK = "begin; lock table core_user; select pg_sleep(600)"


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.dev("up")
    return project


@pytest.mark.parametrize("command", ["pytest", "python manage.py test", "python manage.py migrate --check"])
def test_nothing_waits_for_ever_for_a_mute_database(project, command):
    with paused(project.container("db")["Id"]):
        done = project.bash(f"timeout {HANGING} {command}", check=False)
    assert done.returncode not in (0, 124)
    assert "timeout expired" in done.stdout


def test_who_holds_the_lock_that_a_migration_needs_is_named(project):
    project.write("app/core/migrations/0002_locked.py", MIGRATION)
    holder = subprocess.Popen(
        project.exec_argv("env", "PGAPPNAME=holder", "psql", "-c", LOCK), stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: project.psql("select count(*) from pg_locks where mode = 'AccessExclusiveLock'") != "0")
        started = time.monotonic()
        done = project.bash("python manage.py wait_for_db --migrate --timeout 10", check=False)
        print(f"{time.monotonic() - started:.1f} s")
        assert done.returncode == 124
        assert "(holder, active): begin; lock table core_user" in done.stdout
        assert "The migration waits for a lock of process" in done.stdout
        assert "pg_terminate_backend" in done.stdout
    finally:
        project.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holder'")
        holder.wait()
    project.bash("python manage.py wait_for_db --migrate --timeout 10")
    project.bash("python manage.py migrate core 0001")
    project.restore({})


SLOW = """\
import time

from django.test import TestCase


class SlowTests(TestCase):
    def test_slow(self):
        time.sleep(10)
"""


@pytest.mark.parametrize(
    "command", ["pytest app/core/tests/test_slow.py", "python manage.py test core.tests.test_slow"]
)
def test_two_runs_at_once_are_independent(project, command):
    project.write("app/core/tests/test_slow.py", SLOW)
    runs = [
        subprocess.Popen(
            project.exec_argv("bash", "-c", command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    said = [run.communicate(timeout=HANGING * 2)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert ("this one uses test_app_beside_2" in "".join(said)) or "pytest" in command  # which shows what fails alone
    project.restore({})
    assert project.psql("select count(*) from pg_database where datname like 'test\\_app%'") == "0"


@pytest.mark.parametrize("command", ["pytest", "python manage.py test"])
def test_a_killed_run_is_cleaned_up_without_a_question(project, command):
    project.write("app/core/tests/test_slow.py", SLOW)
    with subprocess.Popen(project.exec_argv("bash", "-c", f"echo $$ > /tmp/run; exec {command}")) as run:
        wait_until(lambda: project.psql("select count(*) from pg_stat_activity where datname = 'test_app'") == "1")
        project.bash("kill -9 $(cat /tmp/run)")
        run.wait()
    assert project.psql("select count(*) from pg_database where datname = 'test_app'") == "1", "the control"
    with subprocess.Popen(project.exec_argv("psql", "-d", "test_app", "-c", "select pg_sleep(600)")) as client:
        wait_until(lambda: project.psql("select count(*) from pg_stat_activity where query like '%pg_sleep%'") == "2")
        project.restore({})
        done = project.bash(command, check=False)
        assert done.returncode == 0, done.stdout
        client.wait()


@pytest.fixture
def full_disk(make_project):
    """A database in a file system of 220 MB, which a file then fills. Docker makes the volume; tmpfs stands for the disk."""
    project = make_project()
    project.write(
        "docker-compose.override.yml",
        "volumes: {db: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=220m}}}\n",
    )
    project.dev("up")
    return project


def test_a_full_disk_is_named_and_nothing_acknowledged_is_lost(full_disk):
    full_disk.psql("create table theirs as select generate_series(1, 1000) as n")
    assert "full" not in full_disk.dev("doctor").stdout
    full_disk.compose("exec", "-T", "db", "sh", "-c", "dd if=/dev/zero of=/var/lib/postgresql/filler bs=1M || true")
    page = full_disk.get()[1]
    assert "The disk of the database is full" in page and "the write-ahead log" in page
    said = full_disk.dev("doctor", check=False)
    assert "doctor.E017" in said.stdout + said.stderr
    assert full_disk.get("readyz") == (200, "ok\n")
    full_disk.compose("exec", "-T", "db", "rm", "/var/lib/postgresql/filler")
    wait_until(lambda: "The disk of the database is full" not in full_disk.get()[1])
    assert full_disk.psql("select count(*) from theirs") == "1000"


def test_a_run_that_keeps_its_database_is_left_alone(project):
    project.write("app/core/tests/test_slow.py", SLOW)
    with subprocess.Popen(project.exec_argv("pytest", "--reuse-db", "app/core/tests/test_slow.py")) as kept:
        wait_until(lambda: project.psql("select count(*) from pg_stat_activity where datname = 'test_app'") != "0")
        project.bash("pytest app/core/tests/test_slow.py")
        assert kept.wait() == 0
    project.psql("drop database test_app")
    project.restore({})


def test_what_a_killed_run_left_beside_another_goes_with_the_next_run(project):
    project.psql("create database test_app_beside_2")
    project.bash("python manage.py test core.tests.test_wait_for_db")
    assert project.psql("select count(*) from pg_database where datname like 'test\\_app%'") == "0"
