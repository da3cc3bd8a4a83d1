"""What is said, where, and how often."""

import re

from helpers.engine import docker
from helpers.waiting import wait_until


def test_a_log_gets_a_line_when_the_cause_changes_and_one_every_10_s(make_server, client):
    server = make_server().until_ready()
    docker("stop", server.name)
    command = client.start(HOST=server.name)
    lines = command.until_it_says("could not translate", times=2).splitlines()
    lines = [line for line in lines if "no answer" not in line]  # of a name server that is slow
    docker("start", server.name)
    ended = command.end()
    assert (ended.code, ended.stderr) == (0, "")
    assert len(lines) == 2
    name = re.escape(f'Database "db" at {server.name}:5432')
    assert re.fullmatch(
        rf'Waiting for d{name[1:]} \(\d+ s\): could not translate host name "\S+" to address: .+', lines[0]
    )
    assert int(re.search(r"\((\d+) s\)", lines[1])[1]) >= 10
    assert re.fullmatch(rf"{name} is ready \(\d+\.\d s, attempt \d+\)\.", ended.stdout.splitlines()[-1])


def test_a_terminal_has_one_line_that_rewrites_itself(server, client):
    ended = client.run("--timeout=6", "--no-color", HOST=server.name, PORT=1, tty=True)
    assert ended.code == 124
    rewritten, clear, error = ended.stdout.partition("\r\x1b[KCommandError")
    assert clear, ended
    lines = rewritten.split("\r\x1b[K")[1:]
    assert not any("\n" in line for line in lines)
    seconds = [int(number) for line in lines for number in re.findall(r" \((\d+) s\): Connection refused", line)]
    assert len(set(seconds)) >= 2
    assert seconds == sorted(seconds)
    assert error.count("\n") == 2


def test_a_terminal_is_left_clean_by_ctrl_c(server, client):
    command = client.start(HOST=server.name, PORT=1, tty=True)
    command.until_it_says("Connection refused")
    docker(
        "exec",
        client.name,
        "sh",
        "-c",
        "kill -INT $(grep -l wait_for_d[b] /proc/[0-9]*/cmdline | cut -d/ -f3 | head -1)",
    )
    ended = command.end()
    assert ended.code == 130
    assert ended.stdout.endswith("\r\x1b[K")


def test_verbosity_0_is_silent_but_for_errors(server, client):
    ended = client.run("--verbosity=0", HOST=server.name)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    ended = client.run("--verbosity=0", "--timeout=5", HOST=server.name, PORT=1)
    assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (124, "", 2)


def test_an_encoding_that_lacks_the_servers_letters_does_no_harm(make_server, client):
    server = make_server().until_ready()
    server.psql("ALTER SYSTEM SET lc_messages = 'ja_JP.UTF-8'")
    server.psql("ALTER SYSTEM SET hot_standby = off")
    server.sh("touch $PGDATA/standby.signal")
    docker("restart", server.name)
    wait_until(lambda: "rejecting" in docker("exec", server.name, "pg_isready", check=False))
    command = client.start("--timeout=5", HOST=server.name, environ={"PYTHONIOENCODING": "ascii"})
    ended = command.end()
    assert ended.code == 124
    assert "\\u30c7" in ended.stdout
