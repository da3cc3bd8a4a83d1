"""
The deadline and the signals are heeded whatever the network does. The promise is 0.3 s and 100 ms; a test allows ten
times as much, and the start of Python and Django.
"""

import json
import signal
import subprocess
import time

import pytest
from containers import docker, log, settings, start_container, until

START = 2.0
SILENT = "import socket, time; listener = socket.create_server(('', 5432)); time.sleep(600)"
# With its backlog full, the kernel drops what else comes: a packet filter's DROP, without one.
DROPPING = (
    "import socket, time; listener = socket.create_server(('', 5432), backlog=0)\n"
    "peers = [socket.socket() for _ in range(3)]\n"
    "for peer in peers: peer.setblocking(False); peer.connect_ex(('127.0.0.1', 5432))\n"
    "time.sleep(600)"
)
MUTE_NAME_SERVER = (
    "import socket, time; server = socket.socket(type=socket.SOCK_DGRAM); server.bind(('', 53)); time.sleep(600)"
)


@pytest.fixture(scope="module")
def hosts(client, network):
    """The trouble, and the settings that lead into it."""
    silent, dropping, name_server = (
        start_container(client.image, network=network, command=["python", "-c", script])
        for script in (SILENT, DROPPING, MUTE_NAME_SERVER)
    )
    until(lambda: docker("exec", client.name, "python", "-c", connect(silent), check=False) == "connected")
    return {
        "silent": ({"HOST": silent}, "no answer while waiting for the server's reply"),
        "dropping": ({"HOST": dropping}, "no answer while connecting"),
        "mute name server": (
            {"HOST": "db.invalid", "DNS": address(name_server)},
            "no answer while looking up the host name",
        ),
        "refused": ({"HOST": silent, "PORT": 1}, "Connection refused"),
    }


def connect(host):
    return f"import socket; socket.create_connection(('{host}', 5432), 5); print('connected')"


def address(container):
    (network,) = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


def start_as_pid_1(client, host, *arguments):
    host = dict(host)
    options = [f"--dns={host.pop('DNS')}"] if "DNS" in host else []
    databases = settings({"default": host})
    command = ["python", "manage.py", "wait_for_db", *arguments]
    return start_container(
        client.image, f"--env=DATABASES={databases}", *options, network=client.network, command=command
    )


def seconds_and_code(container):
    code = int(docker("wait", container, timeout=60))
    state = json.loads(docker("inspect", container))[0]["State"]
    moments = (subprocess.check_output(["date", "+%s.%N", "-d", state[key]]) for key in ("StartedAt", "FinishedAt"))
    started, finished = map(float, moments)
    return finished - started, code, finished


TROUBLES = ("silent", "dropping", "mute name server", "refused")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_deadline_is_kept(client, hosts, trouble):
    host, cause = hosts[trouble]
    container = start_as_pid_1(client, host, "--timeout=1")
    seconds, code, _ = seconds_and_code(container)
    assert code == 124, log(container)
    assert 1 <= seconds <= 1 + START + 3
    assert cause in log(container)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("signalnum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_as_pid_1_too(client, hosts, trouble, signalnum, code):
    host, _ = hosts[trouble]
    container = start_as_pid_1(client, host)
    until(lambda: "Waiting" in log(container))
    docker("kill", f"--signal={signalnum.name}", container)
    sent = time.time()
    _, ended, finished = seconds_and_code(container)
    assert ended == code
    assert finished - sent <= 1 + 0.5  # and docker's own time
    assert "Traceback" not in log(container)


@pytest.mark.parametrize("trouble", ["silent", "dropping", "mute name server"])
def test_control_a_blocking_connect_keeps_neither(client, hosts, trouble):
    host, _ = hosts[trouble]
    options = [f"--dns={host['DNS']}"] if "DNS" in host else []
    connect = (
        "import psycopg2, signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: exit(143))\n"
        "print('go', flush=True)\n"
        f"psycopg2.connect(host='{host['HOST']}', user='app', dbname='db', connect_timeout=600)"
    )
    container = start_container(client.image, *options, network=client.network, command=["python", "-c", connect])
    until(lambda: "go" in log(container))
    docker("kill", "--signal=SIGTERM", container)
    with pytest.raises(subprocess.TimeoutExpired):
        docker("wait", container, timeout=3)
    docker("rm", "--force", container)


def test_a_timeout_of_0_asks_once(server, client):
    assert client.run("--timeout=0", HOST=server.name).code == 0
    assert client.run("--timeout=0", HOST=server.name, PORT=1).code == 124


def test_the_last_cause_that_says_something_is_kept(make_server, client):
    server = make_server().until_ready()
    server.psql("ALTER SYSTEM SET hot_standby = off")
    server.sh("touch $PGDATA/standby.signal")
    docker("restart", server.name)
    command = client.start("--timeout=4", HOST=server.name)
    command.until_it_says("SQLSTATE 57P03")
    docker("pause", server.name)
    ended = command.end()
    docker("unpause", server.name)
    assert ended.code == 124
    assert "SQLSTATE 57P03" in ended.stderr
