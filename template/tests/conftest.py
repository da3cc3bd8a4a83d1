"""
The environment's own tests: they run on the host, against a real Docker engine, each in a clean clone of what is
committed, and remove what they made.
"""

import contextlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDINARY_UID = 1500  # from here on: an id that the image does not have, and so must take over

# The tests' projects know nothing of the variables of whoever runs the tests.
ENVIRONMENT = {name: os.environ[name] for name in os.environ if not name.startswith(("APP_", "COMPOSE_", "DB_", "PG"))}


pytest_plugins = ["machines"]


def pytest_addoption(parser):
    parser.addoption(
        "--kill-rounds", type=int, default=2, help="how often tests/test_dev_kills.py kills, at random moments"
    )


@pytest.fixture(scope="session")
def kill_rounds(request):
    return request.config.getoption("--kill-rounds")


class Project:
    """A clean clone in a folder whose path has a space; its name is the Compose project's."""

    def __init__(self, folder, uid=None, **variables):
        self.folder, self.uid, self.name = folder, uid, folder.name
        self.port = free_port()
        self.environment = ENVIRONMENT | {"APP_PORT": str(self.port), "TMPDIR": str(folder.parent)} | variables
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        if uid is not None and uid != os.getuid():
            subprocess.run(["chown", "-R", f"{uid}:{uid}", str(folder)], check=True)
            self.environment |= {"HOME": pwd.getpwuid(uid).pw_dir}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def run(self, *command, check=True, timeout=600, **variables):
        """Run a command in the clone, as its user; its stdout and stderr are one text, shown when it fails."""
        switch = {}
        if self.uid is not None and self.uid != os.getuid():
            group = os.stat("/var/run/docker.sock").st_gid
            switch = {"user": self.uid, "group": self.uid, "extra_groups": [group]}
        process = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            **switch,
        )
        if check and process.returncode:
            pytest.fail(f"{command} ended with exit status {process.returncode}:\n{process.stdout}", pytrace=False)
        return process

    def compose(self, *arguments, **options):
        return self.run("docker", "compose", "--progress", "plain", *arguments, **options)

    def devcontainer(self, verb, *arguments, **options):
        return self.run("devcontainer", verb, "--workspace-folder", ".", *arguments, **options)

    def inside(self, command, **options):
        """Run a shell command in the dev container, as its editor's terminals would."""
        return self.run("devcontainer", "exec", "--workspace-folder", ".", "bash", "-c", command, **options)

    def inside_command(self, *command):
        """The command line that runs *command* in the application's container: quicker than `inside`, and with a stdin."""
        return ["docker", "exec", "--interactive", "--workdir", "/workspace", f"{self.name}-app-1", *command]

    def psql(self, statement):
        """The database's answer, asked inside its own container."""
        return self.compose(
            "exec", "-T", "db", "psql", "--username=app", "--dbname=app", "--no-align", "--tuples-only", "-c", statement
        ).stdout.strip()

    def container(self, service="app"):
        """What `docker inspect` tells of the service's container; None if there is none."""
        name = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        return json.loads(self.run("docker", "inspect", name).stdout)[0] if name else None

    def get(self, path=""):
        """The status and text that the published port answers with; (None, reason) if nothing does."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return None, str(error)

    def write(self, path, text):
        """Write a file as the clone's user would, and return its former text."""
        file = self.folder / path
        former = file.read_text() if file.exists() else None
        file.write_text(text)
        if self.uid is not None:
            os.chown(file, self.uid, self.uid)
        return former

    def git_status(self):
        return self.run("git", "status", "--short").stdout

    def remove(self):
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "1", check=False)
        images = self.run("docker", "image", "ls", "--quiet", "--filter", f"reference=vsc-{self.name}-*").stdout.split()
        if images:
            self.run("docker", "image", "rm", "--force", *images, check=False)


def wait_until(condition, seconds=60):
    """Ask until it is so; the bound is against hanging, not a measure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.1)


def watches(project):
    """Whether the reloader of the dev container's server waits for edits already: what is saved before, it misses."""
    look = """grep --quiet --no-messages "inotify.*ino:$(printf %x $(stat --format %i app/app)) " /proc/*/fdinfo/*"""
    return project.run(*project.inside_command("bash", "-c", look), check=False).returncode == 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def clean_clones():
    """A factory of Projects, which are removed at the end."""
    projects = []
    parent = Path(tempfile.mkdtemp(prefix="slip way "))  # not pytest's tmp_path: an ordinary user must get in
    parent.chmod(0o1777)

    def make(uid=None, **variables):
        folder = parent / f"slipway-{secrets.token_hex(4)}"
        projects.append(Project(folder, uid, **variables))
        return projects[-1]

    try:
        yield make
    finally:
        for project in projects:
            project.remove()
        shutil.rmtree(parent)


@pytest.fixture(scope="module")
def make_project():
    with clean_clones() as make:
        yield make


@pytest.fixture(scope="session")
def clone():
    """The folder of a clean clone, for the bare machines."""
    with clean_clones() as make:
        yield make().folder


@pytest.fixture(scope="session")
def ordinary_uid():
    """An ordinary user whose id is neither 0 nor the image's own: whoever runs the tests, or one made for them by root."""
    if os.getuid() == 1000:
        pytest.skip("needs root, or a user whose id is not the image's 1000")
    if os.getuid() != 0:
        yield os.getuid()
        return
    name = f"slipway-{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--create-home", "--key", f"UID_MIN={ORDINARY_UID}", name], check=True)
    yield pwd.getpwnam(name).pw_uid
    subprocess.run(["userdel", "--remove", name], check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def launch_browser():
    """Start Chromium, Debian's or the one that CHROMIUM names, with more arguments; it meets no host but this one."""
    from playwright.sync_api import sync_playwright  # only those who ask for a browser need it

    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=[*arguments, *more]
        )
