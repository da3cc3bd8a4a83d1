"""Containers that a run of these tests makes: all bear its label, and are removed with it."""

import itertools
import json
import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PASSWORD = "s3cret-of-the-tests"
RUN = f"wait-for-db-{secrets.token_hex(4)}"
LABEL = f"--label={RUN}"


def docker(*arguments, check=True, **options):
    """Run docker and return its stdout."""
    process = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, **options)
    if check and process.returncode:
        pytest.fail(f"docker {arguments} ended with {process.returncode}:\n{process.stderr}", pytrace=False)
    return process.stdout.strip()


def log(container):
    """Return what a container wrote to stdout and stderr."""
    return subprocess.run(
        ["docker", "logs", container], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def until(condition, timeout=60):
    """Wait for an event: until *condition* returns something true; return that."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {condition}"
        time.sleep(0.05)
    return result


@dataclass
class Ended:
    """How a process ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float


class Command:
    """wait_for_db in a container, running."""

    def __init__(self, arguments):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.output = ""

    def until_it_says(self, text, times=1):
        """Read stdout until *text*; return all of it so far."""
        while self.output.count(text) < times:
            some = self.process.stdout.read(4096).decode()
            if not some:
                pytest.fail(f"never said {text!r}: {self.output}{self.process.stderr.read()}", pytrace=False)
            self.output += some
        return self.output

    def end(self):
        stdout, stderr = self.process.communicate(timeout=120)
        seconds = time.monotonic() - self.started
        ended = Ended(self.process.returncode, self.output + stdout.decode(), stderr.decode(), seconds)
        assert PASSWORD not in ended.stdout + ended.stderr
        assert ended.code == 1 or "Traceback" not in ended.stderr, ended.stderr
        return ended


class Client:
    """A container of the foreign project, in which the command runs."""

    def __init__(self, image, network, *options):
        self.image, self.network = image, network
        self.name = start_container(image, "--init", *options, network=network, command=["sleep", "infinity"])

    def start(self, *arguments, databases=None, environ=None, tty=False, **database):
        """Start the command for one database, given by what differs from "db", or for several *databases*."""
        command = ["manage.py", "wait_for_db", *arguments]
        return self.start_python(*command, databases=databases, environ=environ, tty=tty, **database)

    def start_python(self, *command, databases=None, environ=None, tty=False, **database):
        environ = {"DATABASES": settings(databases or {"default": database}), **(environ or {})}
        variables = itertools.chain.from_iterable(("-e", f"{key}={value}") for key, value in environ.items())
        options = ["-t"] if tty else []
        return Command(["exec", *options, *variables, self.name, "python", *command])

    def run(self, *arguments, **options):
        return self.start(*arguments, **options).end()


class Server:
    """A PostgreSQL server of its own, with the databases "db" and the role "app" in it."""

    def __init__(self, image, network, *arguments, environ=(), options=()):
        environment = [
            f"--env=POSTGRES_{key}={value}"
            for key, value in {"USER": "app", "PASSWORD": PASSWORD, "DB": "db", **dict(environ)}.items()
        ]
        self.name = start_container(
            image, *environment, *options, network=network, command=["postgres", "-c", "fsync=off", *arguments]
        )

    def until_ready(self):
        """Wait for the server's own log, after the first start's temporary server has gone."""
        until(lambda: "init process complete" in self.log(), 90)
        until(lambda: "ready to accept connections" in self.log().split("init process complete")[1])
        return self

    def log(self):
        return log(self.name)

    def psql(self, statement, **options):
        """Run SQL inside the container, as a superuser, past pg_hba's TCP rules."""
        return docker("exec", self.name, "psql", "-XqAt", "-U", "app", "-d", "db", "-c", statement, **options)

    def open_session(self):
        """Return a psql that holds a connection until its stdin ends."""
        psql = subprocess.Popen(
            ["docker", "exec", "-i", self.name, "psql", "-XqAt", "-U", "app", "-d", "db"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        psql.stdin.write("SELECT 1;\n")
        psql.stdin.flush()
        assert psql.stdout.readline() == "1\n"
        return psql

    def sh(self, script):
        return docker("exec", "--user", "postgres", self.name, "sh", "-ec", script)


def settings(databases):
    default = {"NAME": "db", "USER": "app", "PASSWORD": PASSWORD, "PORT": 5432}
    return json.dumps({alias: default | database for alias, database in databases.items()})


def start_container(image, *options, network, command=()):
    name = f"{RUN}-{secrets.token_hex(3)}"
    docker(
        "run",
        "--detach",
        LABEL,
        f"--name={name}",
        f"--network={network}",
        "--stop-timeout=20",
        *options,
        image,
        *command,
    )
    return name


def build(target, context, *arguments):
    tag = f"{RUN}-{target}"
    # Where they are set, as for docker-compose.yml.
    versions = [f"--build-arg={name}" for name in ("PYTHON_VERSION", "POSTGRES_MAJOR") if name in os.environ]
    options = [LABEL, f"--tag={tag}", f"--target={target}", *versions, *arguments]
    docker("build", "--quiet", *options, str(context), timeout=600)
    return tag
