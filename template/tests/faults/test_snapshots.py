"""snapshot, restore, snapshots: exactly as it was, whole or not at all, and nothing is dropped before."""

import re
import subprocess

import pytest
from helpers.waiting import wait_until

# What lies in a database, and what belongs to it and lies beside.
FILL = """
create table theirs (id serial primary key, text text);
insert into theirs (text) select i::text from generate_series(1, 20000) i;
create extension if not exists pg_trgm;
create role reader; grant select on theirs to reader;
grant connect on database app to reader; revoke temporary on database app from public;
comment on database app is 'ours'; alter database app connection limit 90;
alter database app set work_mem to '7MB'; alter role app in database app set search_path to public, pg_catalog;
select lo_from_bytea(0, 'large')
"""
STATE = """
select md5(string_agg(t::text, ',' order by id)), (select last_value from theirs_id_seq),
       (select relacl from pg_class where oid = 'theirs'::regclass),
       (select string_agg(a::text, ',' order by a::text) from pg_database, aclexplode(datacl) a where datname = 'app'),
       (select datconnlimit from pg_database where datname = 'app'),
       (select shobj_description(oid, 'pg_database') from pg_database where datname = 'app'),
       (select string_agg(setconfig::text, ',' order by setconfig) from pg_db_role_setting
        where setdatabase = (select oid from pg_database where datname = 'app')),
       (select count(*) from pg_largeobject), (select count(*) from pg_extension)
from theirs t
"""
ASLEEP = "from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
RESTORE = ["python", "manage.py", "restore", "killed"]
SPOIL = "update theirs set text = 'spoilt'; alter database app reset all; delete from theirs where id > 10"


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.dev("up")
    project.psql(FILL)
    return project


@pytest.fixture
def state(project):
    before = project.psql(STATE)
    yield before
    if project.psql(STATE) != before:
        pytest.fail("the next test would not begin with the same data")


def undo_of(said):
    """The name of the snapshot that brings back what was replaced."""
    return re.search(r"To undo it: .* restore (\S+)", said.stdout)[1]


def test_the_database_comes_back_exactly_as_it_was(project, state):
    project.dev("snapshot", "first")
    project.psql(SPOIL)
    assert project.psql(STATE) != state, "the control"
    before = undo_of(project.dev("restore", "first"))
    assert project.psql(STATE) == state
    assert project.get("readyz")[0] == 200
    names = [line.split()[0] for line in project.dev("snapshots").stdout.splitlines()]
    assert names[:2] == [before, "first"]


def test_what_was_replaced_can_be_brought_back_however_often(project, state):
    project.dev("snapshot", "second")
    project.psql("update theirs set text = 'work of a day'")
    work = project.psql(STATE)
    before = undo_of(project.dev("restore", "second"))
    project.dev("restore", "second")
    project.dev("restore", before)
    assert project.psql(STATE) == work
    project.dev("restore", "second")


def test_it_works_inside_of_the_container(project, state):
    project.bash("python manage.py snapshot inside")
    project.psql(SPOIL)
    project.bash("python manage.py restore inside")
    assert project.psql(STATE) == state
    project.bash("python manage.py snapshots --delete inside")
    assert "inside" not in project.dev("snapshots").stdout


def test_into_and_from_a_file(project, state):
    project.dev("snapshot", "--file", "copy.dump")
    project.psql(
        "update theirs set text = 'spoilt'; delete from theirs where id > 10; revoke select on theirs from reader"
    )
    project.dev("restore", "copy.dump")
    assert project.psql(STATE) == state


@pytest.fixture
def dump(project):
    project.dev("snapshot", "--file", "whole.dump")
    yield (project.folder / "whole.dump").read_bytes()
    (project.folder / "whole.dump").unlink()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(project, state, dump, share):
    (project.folder / "cut.dump").write_bytes(dump[: int(len(dump) * share)])
    said = project.dev_fails("restore", "cut.dump")
    assert "pg_restore" in said and "There is no" not in said


def test_a_foreign_file_is_refused(project, state, dump):
    (project.folder / "text.dump").write_text("SELECT 1;\n")
    assert "pg_restore" in project.dev_fails("restore", "text.dump")
    project.psql("create database other")
    project.bash("psql -d other -c 'create table t as select 1' && pg_dump -Fc other > other.dump")
    project.psql("drop database other")
    assert "is not of this project" in project.dev_fails("restore", "other.dump")


def test_a_file_of_another_version_is_refused(project, state, make_project):
    older = make_project(POSTGRES_MAJOR="17")
    older.dev("up")
    older.dev("snapshot", "--file", "older.dump")
    (project.folder / "older.dump").write_bytes((older.folder / "older.dump").read_bytes())
    said = project.dev_fails("restore", "older.dump")
    assert "is of PostgreSQL 17, and this server is 18" in said


@pytest.mark.parametrize("name", ["none", "a b", "x" * 70, "-x", 'a"b'])
def test_a_wrong_name_is_told(project, state, name):
    assert "There is no snapshot" in project.dev_fails("restore", "--", name)
    if name != "none":
        assert "cannot be the name" in project.dev_fails("snapshot", "--", name)


def test_a_name_is_not_used_twice(project, state):
    project.dev("snapshot", "once")
    assert "already" in project.dev_fails("snapshot", "once")


def test_a_session_at_work_is_not_cut_off(project, state):
    """It is waited for some seconds, then named; the idle ones are ended."""
    words = ["-c", "begin; create table uncommitted (); select pg_sleep(600)"]
    with subprocess.Popen(project.exec_argv("psql", *words), stdout=subprocess.DEVNULL) as session:
        wait_until(lambda: project.psql(f"select count(*) {ASLEEP}") == "1")
        said = project.dev_fails("snapshot", "busy")
        assert "psql" in said and "pg_sleep" in said and "nothing was changed" in said
        assert project.psql(f"select count(*) {ASLEEP}") == "1"
        project.psql(f"select pg_terminate_backend(pid) {ASLEEP}")
        session.wait()
    assert "busy" not in project.dev("snapshots").stdout


@pytest.mark.rounds(5)
def test_killed_at_any_moment_the_database_is_old_or_new(project, state, moments, kill_rounds):
    project.dev("snapshot", "killed")
    project.psql("update theirs set text = 'new work'")
    work = project.psql(STATE)
    project.dev("snapshot", "work")
    for _ in range(kill_rounds):
        restore = subprocess.Popen(
            project.exec_argv("timeout", "--signal=KILL", f"{moments.uniform(0.3, 1.5):.2f}", *RESTORE)
        )
        restore.wait()
        print(restore.returncode)
        assert project.psql(STATE) in (state, work)
        project.dev("restore", "work")
        assert project.psql(STATE) == work
    project.dev("restore", "killed")
    assert project.psql("select count(*) from pg_database where datname = 'app_snapshot_.copy'") == "0"


@pytest.mark.parametrize(
    "words", [["first", "--file", "x.dump"], ["--file", "/tmp/x.dump"], ["--file", "dev"], ["--file", "no/x"]]
)
def test_a_file_that_would_be_lost_or_overwritten_is_refused(project, state, words):
    said = project.dev_fails("snapshot", *words)
    assert (
        "--file" in said or "would stay in the container" in said or "is there already" in said or "no folder" in said
    )
    assert project.git_status() == "" or "x.dump" not in project.git_status()


@pytest.mark.parametrize("name", ["dev", "v1.2"])
def test_a_snapshot_may_have_the_name_of_a_file(project, state, name):
    project.dev("snapshot", name)
    project.psql(SPOIL)
    project.dev("restore", name)
    assert project.psql(STATE) == state


def test_another_database_beside_is_left_alone(project, state):
    project.psql("create database app_copy")
    project.dev("snapshot", "beside")
    project.dev("restore", "beside")
    assert project.psql("select count(*) from pg_database where datname = 'app_copy'") == "1"


def test_a_file_keeps_the_collation_of_the_database(project, state):
    find = "select datlocprovider, datlocale, datcollate from pg_database where datname = 'app'"
    before = project.psql(find)
    assert before.startswith("b|C.UTF-8")
    project.dev("snapshot", "--file", "collation.dump")
    project.dev("restore", "collation.dump")
    assert project.psql(find) == before


def test_a_file_that_is_not_there_is_named_as_a_file(project, state):
    assert "There is no file /tmp/elsewhere.dump" in project.dev_fails("restore", "/tmp/elsewhere.dump")


OF_ANOTHER_BRANCH = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunSQL("ALTER TABLE core_user ADD COLUMN other int NOT NULL", "")]
"""


def test_the_doctor_names_the_snapshot_that_fits_the_branch(project, state):
    project.dev("snapshot", "of-main")
    project.write("app/core/migrations/0002_other.py", OF_ANOTHER_BRANCH)
    project.bash("python manage.py migrate")
    project.dev("snapshot", "of-the-branch")
    project.restore({})
    done = project.dev("doctor", check=False)
    assert "restore of-main" in done.stdout + done.stderr
    project.dev("restore", "of-main")
    assert project.psql("select count(*) from information_schema.columns where column_name = 'other'") == "0"
    done = project.dev("doctor", check=False)
    assert "doctor.W016" not in done.stdout + done.stderr
