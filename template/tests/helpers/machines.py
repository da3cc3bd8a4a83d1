"""Bare machines for the tests of `./dev` without Docker: containers of the plain Python image, with nothing added."""

import os
import secrets
import subprocess

import pytest

HOME = "/home/some one"  # a path with a space
FOLDER = f"{HOME}/project"
PLAIN = "python:3.14-slim-trixie"
NAMESPACES = "--security-opt=seccomp=unconfined"  # Docker's own filter forbids user namespaces
PIP_CACHE = f"slipway-machine-{os.environ.get('PYTEST_XDIST_TESTRUNUID', secrets.token_hex(4))}"  # one for all workers

# What is in no bare image: the processes whose command line contains a text, zombies excepted.
PIDS = """
import os, sys
for pid in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
    try:
        line = open(f"/proc/{pid}/cmdline").read().replace("\\0", " ").replace("\\n", " ").strip()
    except OSError:
        continue
    if line and sys.argv[1] in line and int(pid) not in (1, os.getpid(), os.getppid()):
        print(pid, line)
"""


class Machine:
    """A container that does nothing, its clean clone, and the commands run in it."""

    def __init__(self, image, *options):
        self.user = "0"
        self.name = f"slipway-machine-{secrets.token_hex(4)}"
        self.docker(
            "run", "--detach", f"--name={self.name}", f"--volume={PIP_CACHE}:/pip", *options, image, "sleep", "infinity"
        )

    def docker(self, *command, check=True, **options):
        options.update(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        done = subprocess.run(["docker", *command], check=False, **options)
        if check and done.returncode:
            pytest.fail(f"docker {command} ended with exit status {done.returncode}:\n{done.stdout}", pytrace=False)
        return done

    def exec(self, *command, user=None, check=True, detach=False, **variables):
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "PIP_CACHE_DIR": "/pip", **variables}
        options = [f"--env={name}={value}" for name, value in variables.items()]
        options += ["--detach"] if detach else []
        unset = ["env", "-u", "VIRTUAL_ENV"]
        return self.docker("exec", f"--user={user or self.user}", "--workdir", FOLDER if command[0] == "./dev" else "/",
                           *options, self.name, *unset, *command, check=check)  # fmt: skip

    def dev(self, *arguments, **options):
        return self.exec("./dev", *arguments, **options)

    def refused(self, *arguments, **options):
        """What ./dev says when it fails."""
        done = self.dev(*arguments, check=False, **options)
        assert done.returncode == 1, done.stdout
        assert f'File "{FOLDER}/dev"' not in done.stdout, "a traceback of its own"
        return done.stdout

    def python(self, code, *arguments, **options):
        return self.exec("python3", "-c", code, *arguments, **options).stdout

    def processes(self, text=""):
        """Those of the project, or with that text: their ids and command lines."""
        return dict(line.split(" ", 1) for line in self.python(PIDS, text, user="0").splitlines())

    def kill(self, text):
        self.exec("sh", "-c", f"kill -9 {' '.join(self.processes(text))}", user="0", check=False)

    def kill_everything(self):
        self.docker("kill", self.name)
        self.docker("start", self.name)

    def status(self, port=8000):
        code = (
            "import urllib.request as r, sys; print(r.urlopen(f'http://127.0.0.1:{sys.argv[1]}/', timeout=10).status)"
        )
        return self.exec("python3", "-c", code, str(port), check=False).stdout.strip()

    def psql(self, statement, **options):
        return self.exec(
            "sh", "-c", f". '{FOLDER}/.dev/env' && psql -At -c \"$0\"", statement, **options
        ).stdout.strip()

    def give_to(self, user):
        self.exec("chown", "-R", user, HOME, user="0")
        self.user = user


@pytest.fixture(scope="session")
def make_machine(clone):
    """A factory of bare machines."""
    machines = []

    def make(*options, image=PLAIN):
        machines.append(Machine(image, *options))
        if not image.startswith("slipway-machine"):
            machines[-1].exec("mkdir", "-p", HOME)
            machines[-1].docker("cp", "--quiet", str(clone), f"{machines[-1].name}:{FOLDER}")
            machines[-1].exec("chown", "-R", "0:0", HOME)
        return machines[-1]

    yield make
    for machine in machines[:1]:
        machine.docker("rm", "--force", *(machine.name for machine in machines))
        machine.docker("volume", "rm", PIP_CACHE, check=False)  # unless another worker has it


@pytest.fixture(scope="session")
def bare(make_machine):
    """A machine with nothing but Python, on which `./dev up` was typed once."""
    machine = make_machine()
    machine.users = machine.exec("cat", "/etc/passwd").stdout
    machine.said = machine.dev("up").stdout
    return machine


@pytest.fixture(scope="session")
def make_set_up_machine(bare, make_machine):
    """A factory of machines that have their packages, but no data; how they get those is proven with `bare`."""
    image = f"slipway-machine-{secrets.token_hex(4)}"
    bare.docker("commit", bare.name, image)

    def make(*options):
        machine = make_machine(*options, image=image)
        unshare = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "true"]
        if NAMESPACES in options and machine.exec(*unshare, user="4321", check=False).returncode:
            pytest.skip("needs a kernel that allows user namespaces")
        machine.exec("sh", "-c", f"cd '{FOLDER}/.dev' && rm -r postgres password")
        return machine

    yield make
    made = bare.docker("ps", "--all", "--quiet", f"--filter=ancestor={image}").stdout.split()
    bare.docker("rm", "--force", *made)
    bare.docker("image", "rm", image)
