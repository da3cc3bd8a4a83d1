"""Ready is a login to a server that accepts writes, and nothing less."""

from helpers.engine import docker, paused
from helpers.waiting import wait_until


def test_a_new_server_is_waited_for_until_its_first_start_is_over(make_server, client):
    server = make_server()
    ended = client.run(HOST=server.name)
    assert (ended.code, ended.stderr) == (0, "")
    after = server.log().split("init process complete")
    assert len(after) == 2 and "ready to accept connections" in after[1]


def test_a_server_that_is_stopped_is_waited_for_until_it_starts(make_server, client):
    server = make_server().until_ready()
    docker("stop", server.name)
    command = client.start(HOST=server.name)
    command.until_it_says("could not translate host name")
    docker("start", server.name)
    ended = command.end()
    assert (ended.code, ended.stderr) == (0, "")


def test_a_server_that_is_paused_is_waited_for_until_it_goes_on(make_server, client):
    server = make_server().until_ready()
    with paused(server.name):
        command = client.start(HOST=server.name)
        command.until_it_says("no answer while waiting for the server's reply")
    assert command.end().code == 0


def test_a_server_without_a_free_connection_is_waited_for(make_server, client):
    limits = ("max_connections=3", "superuser_reserved_connections=0", "max_wal_senders=0")
    server = make_server(*(f"-c{limit}" for limit in limits)).until_ready()
    sessions = [server.open_session() for _ in range(3)]
    command = client.start(HOST=server.name)
    lines = command.until_it_says("SQLSTATE 53300")
    assert "is ready" not in lines
    for session in sessions:
        session.close()
    assert command.end().code == 0


def test_recovery_and_a_standby_are_waited_out(make_server, client):
    server = make_server().until_ready()
    server.psql("ALTER SYSTEM SET hot_standby = off")
    server.sh("touch $PGDATA/standby.signal")
    docker("restart", server.name)
    starting = client.start(HOST=server.name)
    starting.until_it_says("SQLSTATE 57P03")
    server.sh("echo hot_standby=on >> $PGDATA/postgresql.auto.conf")
    docker("restart", server.name)
    starting.until_it_says("in recovery, or a standby: read-only")
    # The control: what a login or `SELECT 1` alone would call ready.
    assert wait_until(lambda: server.psql("SELECT 1", check=False)) == "1"
    server.psql("SELECT pg_promote()")
    assert starting.end().code == 0
