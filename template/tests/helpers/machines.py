"""Bare machines for the tests of `./dev` without Docker: containers of the plain Python image, with nothing added."""

import contextlib
import secrets

import pytest

from helpers.engine import PROGRAMS, RUN, docker, run

HOME = "/home/some one"  # a path with a space
FOLDER = f"{HOME}/project"
PLAIN = "python:3.14-slim-trixie"
NAMESPACES = "--security-opt=seccomp=unconfined"  # Docker's own filter forbids user namespaces
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
MACHINE = f"{RUN}-machine"
CACHE = f"{MACHINE}-cache"  # of packages, for all workers
CACHES = {"PIP_CACHE_DIR": "/cache/pip", "UV_CACHE_DIR": "/cache/uv", "UV_LINK_MODE": "copy"}

SUPERVISOR = "environment/serve.py"
SERVER = "environment/server.py"
POSTGRES = "/postgres -D"


class Machine:
    """A container that does nothing, its clean clone, and the commands run in it."""

    def __init__(self, image, *options):
        self.user = "0"
        self.name = f"{MACHINE}-{secrets.token_hex(3)}"
        options = [f"--name={self.name}", f"--volume={CACHE}:/cache", *options]
        docker("run", "--detach", *options, image, "sleep", "infinity")

    def run(self, *command, user=None, folder="/", check=True, apart=False, detach=False, **variables):
        """Run a command in the machine; its stdout and stderr are one text unless they are wanted *apart*."""
        variables = {"PATH": PATH, **CACHES, **variables}
        options = [f"--env={name}={value}" for name, value in variables.items()] + ["--detach"] * detach
        options += [f"--user={user or self.user}", "--workdir", folder]
        command = ["env", "-u", "VIRTUAL_ENV", *command]
        return run("docker", "exec", *options, self.name, *command, check=check, apart=apart)

    def sh(self, script, *arguments, folder=FOLDER, **options):
        """Run a shell script, in the project's folder."""
        return self.run("sh", "-c", script, *arguments, folder=folder, **options)

    def dev(self, *arguments, folder=FOLDER, **options):
        """Run ./dev, and return its stdout and stderr apart."""
        return self.run("./dev", *arguments, folder=folder, apart=True, **options)

    def dev_fails(self, *arguments, status=1, **options):
        """What ./dev says when it fails: an exit status and no traceback of its own."""
        done = self.dev(*arguments, check=False, **options)
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert f'File "{FOLDER}/dev"' not in said and "/environment/steps.py" not in said, said
        return said

    def program(self, name, *arguments, **options):
        return self.run("python3", f"/programs/{name}.py", *arguments, **options).stdout

    def processes(self, text=""):
        """Those of the project, or with that text: their ids and command lines."""
        return dict(line.split(" ", 1) for line in self.program("processes", text, user="0").splitlines())

    def servers(self):
        """Its processes without PostgreSQL's own children, which come and go."""
        return {process: line for process, line in self.processes().items() if not line.startswith("postgres: ")}

    def kill(self, text):
        self.sh(f"kill -9 {' '.join(self.processes(text))}", folder="/", user="0", check=False)

    def kill_everything(self):
        docker("kill", self.name)
        docker("start", self.name)

    def status(self, port=8000, path=""):
        """What the page answers with, or "" if nothing answers."""
        return self.program("status", f"http://127.0.0.1:{port}/{path}").strip()

    def listening(self):
        """The addresses that something listens on, as /proc/net has them."""
        tables = self.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
        return [line.split()[1] for line in tables.splitlines() if line.split()[3] == "0A"]

    def psql(self, statement, **options):
        return self.sh('. .dev/env && psql -At -c "$0"', statement, **options).stdout.strip()

    def read(self, path):
        return self.run("cat", f"{FOLDER}/{path}", user="0").stdout

    def write(self, path, text):
        self.sh('mkdir -p "$(dirname "$0")" && printf %s "$1" > "$0"', path, text)

    def give_to(self, user):
        self.run("chown", "-R", user, HOME, user="0")
        self.user = user

    def add_user(self, name, uid):
        self.run("useradd", f"--uid={uid}", "--no-create-home", f"--home-dir={HOME}", name, user="0")


@pytest.fixture(scope="session")
def clone(make_shared_project):
    """The folder of a clean clone, for the bare machines."""
    yield make_shared_project().folder
    docker("volume", "rm", CACHE, check=False)  # unless another worker has it


@contextlib.contextmanager
def bare_machines(clone):
    """A factory of bare machines with the clone. They are removed at the end, since what runs in them costs time."""
    machines = []

    def make(*options, image=PLAIN):
        machine = Machine(image, *options)
        machines.append(machine)
        if not image.startswith(MACHINE):
            machine.run("mkdir", "-p", HOME)
            docker("cp", "--quiet", str(clone), f"{machine.name}:{FOLDER}")
            docker("cp", "--quiet", str(PROGRAMS), f"{machine.name}:/programs")
            machine.run("chown", "-R", "0:0", HOME)
            machine.run("chmod", "-R", "a+rX", "/programs")
        return machine

    try:
        yield make
    finally:
        for machine in machines:
            docker("rm", "--force", machine.name, check=False)


@contextlib.contextmanager
def set_up_machines(clone, image):
    """A factory of machines that have their packages, but no data; how they get those is proven with `bare`."""
    with bare_machines(clone) as make_machine:

        def make(*options):
            machine = make_machine(*options, image=image)
            unshare = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "true"]
            if NAMESPACES in options and machine.run(*unshare, user="4321", check=False).returncode:
                pytest.skip("needs a kernel that allows user namespaces")
            machine.sh("cd .dev && rm -r postgres password")
            return machine

        yield make


@pytest.fixture
def make_machine(clone):
    with bare_machines(clone) as make:
        yield make


@pytest.fixture(scope="session")
def bare(clone):
    """A machine with nothing but Python, on which `./dev up` was typed once. The tests that share it restore it."""
    with bare_machines(clone) as make:
        machine = make()
        machine.users = machine.run("cat", "/etc/passwd").stdout
        machine.first_up = machine.dev("up")
        yield machine


@pytest.fixture(scope="session")
def set_up_image(bare):
    image = f"{MACHINE}-{secrets.token_hex(3)}"
    docker("commit", bare.name, image)
    yield image
    docker("image", "rm", image, check=False)


@pytest.fixture
def make_set_up_machine(clone, set_up_image):
    with set_up_machines(clone, set_up_image) as make:
        yield make
