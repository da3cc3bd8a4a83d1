"""Another PostgreSQL over the same volume: refused and told, taken along by one command, and never lost."""

import subprocess
import time

import pytest
from helpers.engine import docker
from helpers.waiting import wait_until

FILL = """
create role reader login password 'secret of reader'; create role grp; grant grp to reader with admin option;
create table theirs (id serial primary key, text text); insert into theirs (text) select i::text from generate_series(1, 20000) i;
create table identity (id int generated always as identity, n numeric);
insert into identity (n) select i / 7.0 from generate_series(1, 777) i;
create extension pg_trgm; create extension hstore; create extension citext; create extension btree_gist; create extension ltree;
create view seen as select * from theirs; create materialized view material as select count(*) from theirs;
create schema reporting authorization reader; create table reporting.of_reader (a int); alter table reporting.of_reader owner to reader;
grant select (text) on theirs to reader; grant usage on sequence theirs_id_seq to grp;
alter default privileges for role reader grant select on tables to grp;
alter database app set work_mem to '7MB'; alter role reader set statement_timeout to '9s';
alter role reader in database app set search_path to reporting, public;
comment on database app is 'ours'; revoke connect on database app from public; grant connect on database app to reader;
create function f() returns int language sql as 'select 1'; revoke execute on function f() from public;
select lo_from_bytea(0, 'large')
"""
SECOND = [
    "create database second owner reader",
    "create database closed",
    "alter database closed allow_connections false",
]
STATE = """
select md5(string_agg(t::text, ',' order by id)), (select last_value from theirs_id_seq), (select sum(n) from identity),
       (select count(*) from pg_extension), (select setconfig from pg_db_role_setting where setdatabase <> 0 and setrole = 0),
       (select pg_get_userbyid(datdba) from pg_database where datname = 'second'),
       (select datallowconn from pg_database where datname = 'closed'),
       (select count(*) from pg_largeobject), (select relacl from pg_class where oid = 'theirs_id_seq'::regclass),
       (select rolpassword from pg_authid where rolname = 'reader') is not null
from theirs t
"""


@pytest.fixture
def older(make_brief_project):
    project = make_brief_project()
    project.write(".env", "POSTGRES_MAJOR=17\n")
    project.dev("up")
    project.psql(FILL)
    for statement in SECOND:
        project.psql(statement)
    project.compose(
        "exec",
        "-T",
        "db",
        "psql",
        "-U",
        "app",
        "-d",
        "second",
        "-c",
        "create table t as select generate_series(1, 500)",
    )
    return project


def files(project):
    """A sum of all files of the cluster of 17, while no server runs."""
    volume = f"--volume={project.name}_db:/v:ro"
    return docker(
        "run",
        "--rm",
        volume,
        "postgres:18-trixie",
        "sh",
        "-c",
        "cd /v/17 && find . -type f | sort | xargs md5sum | md5sum",
    )


def test_the_cause_is_told_everywhere_and_nothing_is_changed(older):
    older.compose("stop")
    before = files(older)
    older.write(".env", older.read(".env").replace("17", "18"))
    reason = "The volume holds data of PostgreSQL 17, which PostgreSQL 18 cannot read"
    assert older.compose("up", "--wait", "--build", check=False).returncode != 0
    assert reason in older.compose("logs", "--no-log-prefix", "app").stdout
    assert reason in older.dev_fails("up")
    restarts = "{{.RestartCount}} {{.State.Health.Status}}"
    assert docker("inspect", "--format", restarts, older.container("db")["Id"]) == "0 unhealthy"
    assert reason in older.compose("exec", "-T", "db", "psql", "-h", "localhost", "-U", "app", check=False).stdout
    older.compose("stop")
    assert files(older) == before
    older.write(".env", older.read(".env").replace("18", "17"))
    older.dev("up")
    assert older.psql("select count(*) from theirs") == "20000"


def test_data_in_the_place_of_older_images_is_refused(make_brief_project):
    """A volume of 17's own image, mounted at /var/lib/postgresql/data: its root is the cluster."""
    project = make_brief_project()
    project.compose("create", "db")
    initdb = ["initdb", "--pgdata", "/v/data", "--username=app"]
    docker(
        "run",
        "--rm",
        f"--volume={project.name}_db:/v",
        "postgres:17-trixie",
        "bash",
        "-c",
        "install -d -o postgres /v/data",
    )
    docker("run", "--rm", "--user=postgres", f"--volume={project.name}_db:/v", "postgres:17-trixie", *initdb)
    assert project.compose("up", "--wait", check=False).returncode != 0
    log = project.compose("logs", "--no-log-prefix", "app").stdout
    assert "data in the place of older images, /var/lib/postgresql/data" in log


def test_one_command_takes_everything_along(older):
    before = older.psql(STATE)
    said = older.dev("upgrade", "18")
    assert "READY" in said.stdout
    assert older.psql("show server_version_num").startswith("18")
    assert older.psql(STATE) == before
    count = ["exec", "-T", "db", "psql", "-U", "app", "-d", "second", "-Atc", "select count(*) from t"]
    assert older.compose(*count).stdout == "500\n"
    older.psql("insert into theirs (text) values ('goes on')")
    assert older.psql("select max(id) from theirs") == "20001"
    said = older.dev("doctor")
    assert "PostgreSQL 17 too" in said.stdout + said.stderr
    assert "no newer one" in older.dev_fails("upgrade", "17")
    older.write(".env", older.read(".env") + "POSTGRES_MAJOR=17\n")
    older.dev("up")
    assert older.psql(STATE) == before, "the old data still starts"


def test_a_copy_that_differs_is_not_taken(older):
    """A column that is computed anew, by a function that lies about itself."""
    older.psql("create function lie() returns float language plpgsql immutable as 'begin return random(); end'")
    older.psql("create table lying (id int, number float generated always as (lie()) stored)")
    older.psql("insert into lying values (1)")
    said = older.dev_fails("upgrade", "18")
    assert "lying" in said and "differs" in said
    assert "POSTGRES_MAJOR=18" not in older.read(".env")
    older.dev("up")
    assert older.psql("select count(*) from theirs") == "20000"


def test_old_settings_and_stale_views_do_not_look_like_a_difference(older):
    older.psql("create table times as select now() as at, 'a' as t; create table counted as select 1")
    older.psql("create materialized view stale as select count(*) from counted; insert into counted values (2)")
    older.psql("create materialized view empty as select 1 with no data")
    older.psql("alter system set timezone = 'Europe/Berlin'")
    older.psql("alter system set bytea_output = 'escape'")
    older.psql("alter role app set statement_timeout = '30s'")
    older.psql("select pg_reload_conf()")
    said = older.dev("upgrade", "18")
    assert "READY" in said.stdout
    assert "set by ALTER SYSTEM" in said.stderr and "Europe/Berlin" in said.stderr


def test_a_version_in_the_shell_is_refused_before_anything_is_copied(older):
    assert "unset POSTGRES_MAJOR" in older.dev_fails("upgrade", "18", POSTGRES_MAJOR="17")
    assert older.get("readyz")[0] == 200


def test_killed_at_any_moment_it_can_be_run_again(older, moments, kill_rounds):
    before = older.psql(STATE)
    for _ in range(kill_rounds):
        upgrade = subprocess.Popen(["./dev", "upgrade", "18"], cwd=older.folder, env=older.environment)
        time.sleep(moments.uniform(2, 14))  # what is tried: any moment
        upgrade.kill()
        upgrade.wait()
        for container in older.containers():
            docker("kill", container, check=False)
        older.write(".env", older.read(".env").replace("POSTGRES_MAJOR=18", "POSTGRES_MAJOR=17"))  # it may have ended
        older.dev("up")
        wait_until(lambda: older.psql(STATE) == before)  # what is closed gets closed again
    older.dev("upgrade", "18")
    assert older.psql(STATE) == before
    assert older.psql("show server_version_num").startswith("18")


def test_a_number_that_is_lost_does_not_lead_back_to_older_data(older):
    """17 stands for the default: the compose file of this project names it."""
    text = older.read("docker-compose.yml")
    older.write("docker-compose.yml", text.replace("POSTGRES_MAJOR:-18", "POSTGRES_MAJOR:-17"))
    older.write("Dockerfile", older.read("Dockerfile").replace("ARG POSTGRES_MAJOR=18", "ARG POSTGRES_MAJOR=17"))
    older.dev("upgrade", "18")
    older.psql("create table work_since as select 1")
    older.write(".env", older.read(".env").replace("POSTGRES_MAJOR=18\n", ""))
    assert "Set POSTGRES_MAJOR=18 in .env, or 17 to go back" in older.dev_fails("up")
    older.write(".env", f"{older.read('.env')}POSTGRES_MAJOR=18\n")
    older.dev("up")
    assert older.psql("select count(*) from work_since") == "1"
