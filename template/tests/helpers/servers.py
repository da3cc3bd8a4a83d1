"""
What the tests of wait_for_db run: PostgreSQL servers, and a project that is not this one, in containers. All that a run
makes bears its label, and is removed with it.
"""

import itertools
import json
import os
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest

from helpers.engine import PROGRAMS, ROOT, RUN, TEMPLATE, docker, run
from helpers.waiting import HANGING, wait_until

HERE = TEMPLATE / "tests/wait_for_db"
PASSWORD = "s3cret-of-the-tests"
WORKER = f"{RUN}-db-{secrets.token_hex(3)}"
LABEL = f"--label={WORKER}"


def program(name, *arguments):
    """The arguments of a Python that runs a program of the tests, which no image has."""
    return ["-c", (PROGRAMS / f"{name}.py").read_text(), *arguments]


def log(container):
    """What a container wrote to stdout and stderr."""
    return run("docker", "logs", container).stdout


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
        bound = threading.Timer(HANGING, self.process.kill)
        bound.start()
        while self.output.count(text) < times:
            some = self.process.stdout.read(4096).decode()
            if not some:
                bound.cancel()
                pytest.fail(f"never said {text!r}: {self.output}{self.process.stderr.read()}", pytrace=False)
            self.output += some
        bound.cancel()
        return self.output

    def end(self):
        stdout, stderr = self.process.communicate(timeout=HANGING)
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
        wait_until(lambda: "init process complete" in self.log())
        wait_until(lambda: "ready to accept connections" in self.log().split("init process complete")[1])
        return self

    def log(self):
        return log(self.name)

    def psql(self, statement, **options):
        """Run SQL inside the container, as a superuser, past pg_hba's TCP rules."""
        return docker("exec", self.name, "psql", "-XqAt", "-U", "app", "-d", "db", "-c", statement, **options)

    def open_session(self, database="db"):
        """Return a session of psql that holds a connection until it is closed."""
        return ServerSession(self.name, database)

    def sh(self, script):
        return docker("exec", "--user", "postgres", self.name, "sh", "-ec", script)


class ServerSession:
    def __init__(self, server, database):
        command = ["docker", "exec", "-i", server, "psql", "-XqAt", "-U", "app", "-d", database]
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask("SELECT 1")

    def ask(self, statement):
        """Return the first line of the answer."""
        self.psql.stdin.write(f"{statement};\n")
        self.psql.stdin.flush()
        return self.psql.stdout.readline().strip()

    def close(self):
        self.psql.communicate()


def settings(databases):
    default = {"NAME": "db", "USER": "app", "PASSWORD": PASSWORD, "PORT": 5432}
    return json.dumps({alias: default | database for alias, database in databases.items()})


def start_container(image, *options, network, command=()):
    name = f"{WORKER}-{secrets.token_hex(3)}"
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
    tag = f"{WORKER}-{target}"
    # Where they are set, as for docker-compose.yml.
    versions = [f"--build-arg={name}" for name in ("PYTHON_VERSION", "POSTGRES_MAJOR") if name in os.environ]
    options = [LABEL, f"--tag={tag}", f"--target={target}", *versions, *arguments]
    docker("build", "--quiet", *options, str(context))
    return tag


def remove_everything():
    containers = docker("ps", "--all", "--quiet", f"--filter=label={WORKER}", check=False).split()
    if containers:
        docker("rm", "--force", "--volumes", *containers, check=False)
    docker("volume", "prune", "--all", "--force", f"--filter=label={WORKER}", check=False)
    docker("network", "prune", "--force", f"--filter=label={WORKER}", check=False)
    images = docker("image", "ls", f"--filter=reference={WORKER}-*", "--format={{.Repository}}", check=False).split()
    if images:
        docker("image", "rm", *images, check=False)


def build_client():
    """The foreign project, on this one's development image."""
    development = build("development", ROOT)
    return build("client", HERE, f"--build-arg=DEVELOPMENT={development}", f"--build-context=app={ROOT / 'app'}")
