"""Waiting and migrating in one process, and many processes that migrate at once."""

import pytest
from helpers.engine import docker
from helpers.servers import program, settings, start_container
from helpers.waiting import wait_until

REPLICAS = 4


@pytest.fixture
def database(server):
    """A new, empty database of the shared server."""
    server.psql("CREATE DATABASE empty")
    yield {"HOST": server.name, "NAME": "empty"}
    server.psql("DROP DATABASE empty WITH (FORCE)")


def recorded(server):
    sql = "SELECT count(*), count(DISTINCT (app, name)) FROM django_migrations"
    return docker("exec", server.name, "psql", "-XqAt", "-U", "app", "-d", "empty", "-c", sql, check=False)


def start_migrating(client, database, *options):
    """Start a process, PID 1, that migrates; return its container."""
    return start_container(
        client.image,
        f"--env=DATABASES={settings({'default': database})}",
        *options,
        network=client.network,
        command=["python", "manage.py", "wait_for_db", "--migrate"],
    )


def start_holder(client, database):
    """Start a process that holds the lock and migrates for minutes; return its container."""
    holder = start_migrating(client, database, "--env=MIGRATION_SECONDS=600")
    wait_until(lambda: "Applying polls.0001_initial... OK" in docker("logs", holder))
    return holder


def test_it_migrates_in_the_same_process(server, client, database):
    ended = client.run("--migrate", **database)
    assert (ended.code, ended.stderr) == (0, ""), ended
    assert "Applying polls.0003_question_text_index... OK" in ended.stdout
    assert client.run("--migrate", "--verbosity=0", **database).stdout == ""


def test_several_replicas_migrate_an_empty_database_one_at_a_time(server, client, database):
    # An index that is built concurrently waits for every snapshot: no replica may hold one while it waits.
    replicas = [client.start("--migrate", **database) for _ in range(REPLICAS)]
    ends = [replica.end() for replica in replicas]
    assert [ended.code for ended in ends] == [0] * REPLICAS, ends
    assert sum("Applying polls.0003" in ended.stdout for ended in ends) == 1
    count, distinct = recorded(server).split("|")
    assert count == distinct


def test_control_without_the_lock_some_of_them_fail(server, client, database):
    gate = server.open_session("empty")
    gate.ask("SELECT pg_advisory_lock(42)")
    replicas = [client.start_python(*program("migrate_without_lock"), **database) for _ in range(REPLICAS)]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    wait_until(lambda: server.psql(waiting) == str(REPLICAS))
    gate.close()
    codes = [replica.end().code for replica in replicas]
    assert 1 in codes, codes


def test_the_lock_is_freed_when_its_holder_is_killed(server, client, database):
    holder = start_holder(client, database)
    waiting = client.start("--migrate", **database)
    waiting.until_it_says("held by server process")
    docker("kill", holder)
    ended = waiting.end()
    assert ended.code == 0, ended
    assert "Applying polls.0002_question_asked... OK" in ended.stdout


def waiting_process(server, event):
    """The process id of the server's session that waits for *event*, or ""."""
    return server.psql(
        f"SELECT pid FROM pg_stat_activity WHERE datname = 'empty' AND '{event}' IN (wait_event, wait_event_type)"
    )


def test_a_commit_that_outlives_its_killed_client_is_waited_for(server, client, database):
    """As on a slow disk: the server has the COMMIT, and nobody sees its result yet."""
    server.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try:
        server.psql("SELECT pg_reload_conf()")
        holder = start_migrating(client, database)
        wait_until(lambda: waiting_process(server, "SyncRep"))
        docker("kill", holder)
        following = client.start("--migrate", **database)
        following.until_it_says(f"held by server process {waiting_process(server, 'SyncRep')}")
    finally:
        server.psql("ALTER SYSTEM RESET synchronous_standby_names")
        server.psql("SELECT pg_reload_conf()")
    ended = following.end()
    assert ended.code == 0, ended
    count, distinct = recorded(server).split("|")
    assert count == distinct


def test_a_statement_of_a_killed_client_ends(server, client, database):
    assert client.start_python("manage.py", "migrate", "polls", "0001", **database).end().code == 0
    other = server.open_session("empty")
    other.ask("BEGIN; LOCK TABLE polls_question; SELECT 1")
    holder = start_migrating(client, database)
    wait_until(lambda: waiting_process(server, "relation"))
    pid = waiting_process(server, "relation")
    docker("kill", holder)
    wait_until(lambda: waiting_process(server, "relation") != pid)
    other.close()
    ended = client.run("--migrate", **database)
    assert ended.code == 0, ended


def test_a_signal_ends_a_migration_and_frees_the_lock(server, client, database):
    holder = start_holder(client, database)
    docker("stop", holder)
    assert docker("wait", holder) == "143"
    assert client.run("--migrate", **database).code == 0


def test_waiting_for_the_lock_ends_with_the_deadline(server, client, database):
    holder = start_holder(client, database)
    ended = client.run("--migrate", "--timeout=15", **database)
    assert ended.code == 124
    assert "The migrations lock of" in ended.stderr and "held by server process" in ended.stderr
    docker("rm", "--force", holder)


def test_until_migrated_waits_for_another_to_migrate(server, client, database):
    early = client.run("--until-migrated", "--timeout=15", **database)
    assert (early.code, "unapplied migrations" in early.stderr) == (124, True), early
    follower = client.start("--until-migrated", **database)
    follower.until_it_says("unapplied migrations")
    migrating = client.start("--migrate", environ={"MIGRATION_SECONDS": "2"}, **database)
    ended = follower.end()
    assert (ended.code, ended.stderr) == (0, "")
    assert "is up to date" in ended.stdout
    assert recorded(server).startswith("2")
    assert migrating.end().code == 0


def test_a_migration_that_fails_ends_with_djangos_own_error(server, client, database):
    docker(
        "exec", server.name, "psql", "-XqAt", "-U", "app", "-d", "empty", "-c", "CREATE TABLE polls_question (id int)"
    )
    ended = client.run("--migrate", **database)
    assert ended.code == 1
    assert 'relation "polls_question" already exists' in ended.stderr
