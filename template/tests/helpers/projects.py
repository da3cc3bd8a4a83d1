"""Clean clones of what is committed, each a project of its own, which is removed at the end."""

import contextlib
import http.client
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import dotenv

from helpers.engine import ENVIRONMENT, ROOT, RUN, docker, run
from helpers.python import python_for_everyone
from helpers.waiting import free_port, wait_until

# A compose file whose database needs 20 s for its first start.
SLOW_FIRST_START = """
services:
  db:
    configs:
      - {source: slow, target: /docker-entrypoint-initdb.d/slow.sh}
configs:
  slow:
    content: "sleep 20"
"""
SERVER_LOG = "/home/app/.local/state/server.log"


class Project:
    """A clean clone in a folder whose path has a space."""

    def __init__(self, folder, uid=None, **variables):
        self.folder = folder
        self.uid = os.getuid() if uid is None else uid
        self.port = free_port()
        self.environment = ENVIRONMENT | {"APP_PORT": str(self.port), "TMPDIR": str(folder.parent)}
        self.environment |= {name: str(value) for name, value in variables.items()}
        self.user = {}
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
        self.commit = run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()
        if self.uid != os.getuid():
            self.become(self.uid)

    def become(self, uid):
        """The clone belongs to that user, and commands run as this one, who may use Docker."""
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(self.folder)], check=True)
        path = f"{python_for_everyone()}{os.pathsep}{self.environment['PATH']}"
        self.environment |= {"HOME": pwd.getpwuid(uid).pw_dir, "PATH": path}
        self.environment |= {"LD_LIBRARY_PATH": str(python_for_everyone().parent / "lib")}  # of a copied Python
        self.environment.pop("PYENV_ROOT", None)
        group = os.stat("/var/run/docker.sock").st_gid
        self.user = {"user": uid, "group": uid, "extra_groups": [group]}

    @property
    def name(self):
        """The Compose project's: of .env, which a ./dev or an editor writes, or else the folder's."""
        file = self.folder / ".env"
        given = dotenv.dotenv_values(file).get("COMPOSE_PROJECT_NAME") if file.is_file() else None
        return given or self.folder.name.replace(" ", "")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    # Commands

    def run(self, *command, check=True, apart=False, timeout=900, **variables):
        """Run a command in the clone, as its user; `apart` keeps stdout and stderr apart, None unsets a variable."""
        environment = self.environment | {name: str(value) for name, value in variables.items() if value is not None}
        environment = {name: value for name, value in environment.items() if variables.get(name, "") is not None}
        return run(*command, check=check, apart=apart, timeout=timeout, cwd=self.folder, env=environment, **self.user)

    def dev(self, *arguments, **options):
        """Run ./dev, and return its stdout and stderr apart."""
        return self.run("./dev", *arguments, apart=True, **options)

    def dev_fails(self, *arguments, status=1, **options):
        """What ./dev says when it fails: an exit status and no traceback."""
        done = self.dev(*arguments, check=False, **options)
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        assert "Traceback" not in said, said
        return said

    def compose(self, *arguments, **options):
        return self.run("docker", "compose", "--progress", "plain", *arguments, **options)

    def devcontainer(self, verb, *arguments, **options):
        return self.run("devcontainer", verb, "--workspace-folder", ".", *arguments, **options)

    def terminal(self, command, **options):
        """Run a shell command in the dev container, as its editor's terminals would."""
        return self.run("devcontainer", "exec", "--workspace-folder", ".", "bash", "-c", command, **options)

    def open_in_editor(self, *arguments):
        """Open the dev container as an editor does, for the first time."""
        said = self.reopen_in_editor(*arguments)
        assert "READY after" in said or "OPEN; tests running" in said, said
        return said

    def reopen_in_editor(self, *arguments):
        """The same where the setup may have been done, which is not said again. Wait until its tests have ended well."""
        said = self.devcontainer("up", *arguments).stdout
        assert json.loads(said.strip().splitlines()[-1])["outcome"] == "success", said
        assert self.setup_status() == "ready", said
        return said

    def setup_status(self):
        """ "ready" or "failed", as the record of the setup has it, once that has ended."""

        def ended():
            status = json.loads(self.bash("cat ~/.local/state/setup.json").stdout)["status"]
            return status != "running" and status

        return wait_until(ended)

    def exec_argv(self, *command):
        """The command line that runs *command* in the application's container: quicker, and with a stdin."""
        return ["docker", "exec", "--interactive", "--workdir", "/workspace", f"{self.name}-app-1", *command]

    def bash(self, command, **options):
        """Run a shell command in the application's container, quicker than `terminal`."""
        return self.run(*self.exec_argv("bash", "-c", command), **options)

    def as_root(self, command):
        """Run a shell command as root in the application's container."""
        docker("exec", "--user", "0", f"{self.name}-app-1", "sh", "-c", command)

    def psql(self, statement):
        """The database's answer, asked inside its own container."""
        return self.compose(
            "exec", "-T", "db", "psql", "--username=app", "--dbname=app", "--no-align", "--tuples-only", "-c", statement
        ).stdout.strip()

    # Containers and their server

    def container(self, service="app"):
        """What `docker inspect` tells of the service's container; None if there is none."""
        name = self.compose("ps", "--all", "--quiet", service, apart=True).stdout.strip()
        return json.loads(docker("inspect", name))[0] if name else None

    def containers(self):
        return self.compose("ps", "--all", "--quiet", apart=True).stdout.split()

    def get(self, path=""):
        """The status and the text that the published port answers with; (None, reason) if nothing does."""
        return get("127.0.0.1", self.port, path)

    def get_inside(self, path=""):
        """The same of the container's own port, for an editor's container publishes none."""
        (network,) = self.container()["NetworkSettings"]["Networks"].values()
        return get(network["IPAddress"], 8000, path) if network["IPAddress"] else (None, "it does not run")

    def server_log(self):
        return self.run(*self.exec_argv("cat", SERVER_LOG)).stdout

    # Files

    def read(self, path):
        return (self.folder / path).read_text()

    def write(self, path, text):
        """Write a file as the clone's user would, and return its former text."""
        file = self.folder / path
        former = file.read_text() if file.exists() else None
        missing = [folder for folder in file.parents if not folder.exists()]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for made in [file, *missing]:
            os.chown(made, self.uid, self.uid)
        return former

    def git_status(self):
        return self.run("git", "status", "--short").stdout

    def changed(self):
        """The paths that differ from the last commit, those of new files among them."""
        status = self.run("git", "status", "--porcelain", "--untracked-files=all", "-z").stdout
        return {entry[3:] for entry in status.split("\0") if entry}

    def restore(self, files):
        """Make the work tree as it was cloned, but for *files* {path: text}; what is right already is not touched."""
        if self.run("git", "rev-parse", "HEAD").stdout.strip() != self.commit or self.changed():
            self.run("git", "reset", "--quiet", self.commit)
        changed = self.changed()
        for path in sorted(changed - set(files)):
            if self.run("git", "ls-files", "--error-unmatch", path, check=False).returncode:
                (self.folder / path).unlink()
            else:
                self.run("git", "checkout", "--quiet", "HEAD", "--", path)
        for path, text in files.items():
            file = self.folder / path
            if not file.exists() or file.read_text() != text:
                self.write(path, text)

    def remove(self):
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "1", check=False)
        if (self.folder / ".venv").exists():
            self.run("./dev", "down", "--native", check=False)
        images = docker("image", "ls", "--quiet", "--filter", f"reference=vsc-{self.folder.name}-*").split()
        if images:
            docker("image", "rm", "--force", *images, check=False)


def get(host, port, path):
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request("GET", f"/{path.removeprefix('/')}", headers={"Host": f"localhost:{port}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)
    finally:
        connection.close()


def supervisor_is_watching(project):
    """Whether the container's supervisor waits for edits already."""
    look = """grep --quiet --no-messages "inotify.*ino:$(printf %x $(stat --format %i app/app)) " /proc/*/fdinfo/*"""
    return project.bash(look, check=False).returncode == 0


@contextlib.contextmanager
def clean_clones():
    """A factory of Projects, which are removed at the end."""
    projects = []
    parent = Path(tempfile.mkdtemp(prefix=f"{RUN} "))

    def make(uid=None, *, name=None, **variables):
        folder = parent / (name or f"{RUN}-{secrets.token_hex(3)}")
        for above in (parent, folder.parent):  # not pytest's tmp_path: an ordinary user must get in
            above.mkdir(exist_ok=True)
            above.chmod(0o1777)
        projects.append(Project(folder, uid, **variables))
        return projects[-1]

    try:
        yield make
    finally:
        for project in projects:
            project.remove()
        shutil.rmtree(parent)
