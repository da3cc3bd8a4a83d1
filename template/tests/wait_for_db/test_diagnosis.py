"""What will never be ready ends the wait at once, in whatever language; what can pass is waited out."""

import json

import pytest
from helpers.engine import docker
from helpers.servers import PASSWORD, Client, program, start_container
from helpers.waiting import wait_until

LANGUAGES = ("C", "de_DE.UTF-8", "de_DE.ISO-8859-1", "fr_FR.UTF-8", "ja_JP.UTF-8", "ru_RU.UTF-8")
NEVER = {
    "invalid_password": ({"PASSWORD": "wrong"}, "28P01"),
    "missing role": ({"USER": "stranger"}, "28000"),
    "rejected by pg_hba.conf": ({"USER": "rejected"}, "28000"),
    "missing database": ({"NAME": "missing"}, "3D000"),
    "no right to connect": ({"USER": "outsider", "NAME": "private"}, "42501"),
    "unknown parameter": ({"OPTIONS": {"options": "-c no_such_parameter=1"}}, "42704"),
}


@pytest.fixture(scope="module")
def strict_server(server):
    """The shared server, with roles that may not log in, and rules against them."""
    hba = server.sh("cat $PGDATA/pg_hba.conf")
    server.psql("CREATE ROLE rejected LOGIN")
    server.psql(f"CREATE ROLE outsider LOGIN PASSWORD '{PASSWORD}'")
    server.psql("CREATE DATABASE private")
    server.psql("REVOKE CONNECT ON DATABASE private FROM PUBLIC")
    rules = "host all rejected all reject\nhost all stranger all trust\n"
    server.sh(f"printf '{rules}' | cat - $PGDATA/pg_hba.conf > /tmp/hba && cat /tmp/hba > $PGDATA/pg_hba.conf")
    reload(server)
    yield server
    server.psql("ALTER SYSTEM RESET lc_messages")
    server.sh(f"cat > $PGDATA/pg_hba.conf <<'END'\n{hba}\nEND")
    reload(server)


def reload(server):
    loaded = server.psql("SELECT pg_conf_load_time()")
    server.psql("SELECT pg_reload_conf()")
    wait_until(lambda: server.psql("SELECT pg_conf_load_time()") != loaded)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_never_gets_ready_ends_the_wait_in_every_language(strict_server, client, language):
    strict_server.psql(f"ALTER SYSTEM SET lc_messages = '{language}'")
    reload(strict_server)
    runs = {name: client.start(HOST=strict_server.name, **change) for name, (change, _) in NEVER.items()}
    for name, (_, sqlstate) in NEVER.items():
        ended = runs[name].end()
        assert ended.code == 3 and "is ready" not in ended.stdout, (name, ended)
        assert f"(SQLSTATE {sqlstate})" in ended.stderr, ended
        # The cause, then the next step.
        assert len(ended.stderr.splitlines()) == 2, ended
    german = client.run(HOST=strict_server.name, PASSWORD="wrong").stderr
    # The control: the text is in that language.
    assert ("password authentication failed" in german) == (language == "C"), german


def test_a_missing_password_never_gets_ready(server, client):
    ended = client.run(HOST=server.name, PASSWORD="")
    assert ended.code == 3
    assert "no password supplied" in ended.stderr


def test_tls_that_the_server_does_not_speak_never_gets_ready(server, client):
    ended = client.run(HOST=server.name, OPTIONS={"sslmode": "require"})
    assert ended.code == 3
    assert "server does not support SSL, but SSL was required" in ended.stderr
    assert "OPTIONS['sslmode']" in ended.stderr


def test_tls_that_the_server_requires_and_certificates_that_it_cannot_show(make_server, client):
    server = make_server("-c", "ssl=on", "-c", "ssl_cert_file=/server.crt", "-c", "ssl_key_file=/server.key")
    server.until_ready()
    server.sh("sed -i 's/^host all all all/hostssl all all all/' $PGDATA/pg_hba.conf")
    reload(server)
    assert client.run(HOST=server.name, OPTIONS={"sslmode": "require"}).code == 0
    without = client.run(HOST=server.name, OPTIONS={"sslmode": "disable"})
    assert (without.code, "SQLSTATE 28000" in without.stderr) == (3, True)
    no_root = client.run(HOST=server.name, OPTIONS={"sslmode": "verify-full"})
    assert (no_root.code, "root certificate file" in no_root.stderr) == (3, True)
    unknown = client.run(
        HOST=server.name, OPTIONS={"sslmode": "verify-full", "sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}
    )
    assert (unknown.code, "certificate" in unknown.stderr) == (3, True), unknown
    assert client.run(HOST=server.name, PASSWORD="wrong").code == 3  # the default, sslmode=prefer, tries twice


def test_one_hopeless_database_of_several_ends_the_wait(server, client):
    down = {"HOST": server.name, "PORT": 1}
    hopeless = {"HOST": server.name, "NAME": "missing"}
    arguments = ["--database", "default", "--database", "other"]
    ended = client.run(*arguments, databases={"default": down, "other": hopeless})
    assert ended.code == 3
    assert 'Database "missing"' in ended.stderr
    both = client.run(*arguments, databases={"default": {"HOST": server.name}, "other": {"HOST": server.name}})
    assert (both.code, both.stdout.count("is ready")) == (0, 2)


@pytest.mark.parametrize(
    "change",
    [{"NAME": ""}, {"OPTIONS": {"sslmodus": "require"}}, {"OPTIONS": {"service": "missing"}}, {"PORT": "postgres"}],
)
def test_unusable_settings_are_an_error_of_their_own(server, client, change):
    ended = client.run(HOST=server.name, **change)
    assert (ended.code, len(ended.stderr.splitlines())) == (2, 1) and "is ready" not in ended.stdout, ended


def test_another_engine_is_an_error_of_its_own(client):
    ended = client.run(databases={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    reason = 'The database "default" is not PostgreSQL: wait_for_db has nothing to wait for. Name another --database.'
    assert (ended.code, ended.stderr) == (2, f"CommandError: {reason}\n")


@pytest.mark.parametrize(
    "arguments",
    [["--timeout=-1"], ["--timeout=nan"], ["--timeout=x"], ["--database=unknown"], ["--migrate", "--until-migrated"]],
)
def test_wrong_usage(server, client, arguments):
    ended = client.run(*arguments, HOST=server.name)
    assert (ended.code, ended.stdout) == (2, ""), ended


def test_a_service_file_and_the_settings_own_options_are_honoured(server, client):
    service = f"[db]\nhost={server.name}\ndbname=db\nuser=app\n"
    docker("exec", "-i", client.name, "sh", "-c", "cat > /tmp/service.conf", input=service)
    ended = client.run(
        NAME="", USER="", PORT="", OPTIONS={"service": "db"}, environ={"PGSERVICEFILE": "/tmp/service.conf"}
    )
    assert (ended.code, ended.stderr) == (0, "")
    assert 'The database of service "db" is ready' in ended.stdout
    role = client.run(HOST=server.name, OPTIONS={"assume_role": "no_such_role"})
    assert (role.code, "SQLSTATE 22023" in role.stderr) == (3, True), role


def test_a_unix_socket(make_server, client, make_volume):
    sockets = f"--volume={make_volume()}:/var/run/postgresql"
    make_server(options=[sockets]).until_ready()
    neighbour = Client(client.image, client.network, sockets)
    for host in ("", "/var/run/postgresql"):
        assert neighbour.run(HOST=host).code == 0
        assert neighbour.run(HOST=host, PORT="").code == 0
        missing = neighbour.run(HOST=host, USER="stranger")
        assert (missing.code, "SQLSTATE 28000" in missing.stderr) == (3, True), missing


def test_a_unix_socket_that_is_not_there_yet(client):
    ended = client.run("--timeout=5", HOST="")
    assert ended.code == 124
    assert "/var/run/postgresql/.s.PGSQL.5432" in ended.stderr


def test_a_project_has_hints_of_its_own(server, client):
    hints = {"HINTS": json.dumps({"invalid_password": "Ask Ann."})}
    ended = client.run(HOST=server.name, PASSWORD="wrong", environ=hints)
    assert ended.stderr.splitlines()[1] == "Ask Ann."


def test_what_is_not_postgresql_is_named_so(client, network):
    host = start_container(client.image, network=network, command=["python", *program("http_server")])
    try_connection = ["python", *program("try_connection", host)]
    wait_until(lambda: docker("exec", client.name, *try_connection, check=False) == "connected")
    for sslmode in ("prefer", "disable"):
        ended = client.run("--timeout=5", HOST=host, OPTIONS={"sslmode": sslmode})
        assert ended.code == 124
        assert ended.stderr.endswith("\nCorrect PORT in DATABASES; something else listens there.\n"), ended
