"""
System checks of the development environment, run by the command `doctor` alone: they ask other programs, and the
database, and would hold up every runserver and migrate.
"""

import fcntl
import os
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.conf import settings
from django.core.checks import Error, Warning, register
from django.db import DatabaseError, connections
from django.utils.text import capfirst

from .wait_for_db import GaveUp, LogIn, Migrated, wait_for

ROOT = settings.BASE_DIR.parent
STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")  # as in .devcontainer/serve
POST_CREATE = "Run: bash .devcontainer/post-create"

timeout = 3.0  # the command's option: checks have none


@register("doctor")
def check_databases(databases, **kwargs):
    return [problem for alias in databases for problem in check_database(alias)]


def check_database(alias):
    try:
        wait_for([LogIn(alias)], timeout)
    except GaveUp as error:
        yield Error(f"Not ready: {error}.", hint=error.cause.hint, id="doctor.E001")
        return
    try:
        wait_for([Migrated(alias)], timeout)
    except GaveUp as error:
        yield Warning(f"{capfirst(str(error))}.", hint="Run: python app/manage.py migrate", id="doctor.W002")
    with connections[alias].cursor() as cursor:
        yield from check_client(connections[alias].pg_version // 10000)
        yield from check_volume(cursor)


def check_client(server):
    output = run("psql", "--version")[1]
    client = re.search(r"\) (\d+)", output)
    if not client or int(client[1]) != server:
        yield Warning(
            f"The server is PostgreSQL {server}, its client tools are: {output}.",
            hint="Rebuild the container, with the server's version as POSTGRES_MAJOR.",
            id="doctor.W003",
        )


def check_volume(cursor):
    """Clusters lie side by side in the volume, in folders named for their major version; docker-compose.yml, PGDATA."""
    try:
        cursor.execute(
            "SELECT name FROM pg_ls_dir('/var/lib/postgresql') AS name WHERE name ~ '^[0-9]+$'"
            " AND name <> split_part(current_setting('server_version'), '.', 1)"
            " AND (pg_stat_file('/var/lib/postgresql/' || name || '/docker/PG_VERSION', true)).size IS NOT NULL"
        )
    except DatabaseError:
        return  # not this image, or not a superuser
    for (major,) in cursor.fetchall():
        yield Warning(
            f"The volume holds a database of PostgreSQL {major} too, which is not in use.",
            hint=f"To go back to it, set POSTGRES_MAJOR={major} in .env and rebuild.",
            id="doctor.W004",
        )


@register("doctor")
def check_workspace(**kwargs):
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in {".dev", ".git", ".venv", "__pycache__"}]
        for path in (Path(folder, name) for name in ["", *files]):
            owner = path.lstat().st_uid
            if owner != os.getuid() and not os.access(path, os.W_OK, follow_symlinks=False):
                return [
                    Warning(
                        f"{path} belongs to uid {owner}; uid {os.getuid()}, which this runs as, may not write to it.",
                        hint=f"On the host: sudo chown -R {os.getuid()} . (in the project's folder); or where everything"
                        f" there belongs to uid {owner}, set APP_UID={owner} in .env and rebuild.",
                        id="doctor.W005",
                    )
                ]
    return []


@register("doctor")
def check_git(**kwargs):
    if not (ROOT / ".git").is_dir() and run("git", "rev-parse", "--git-dir")[0]:
        return []  # no repository, or one outside of the container: post-create says so
    status, output = run("git", "status", "--short")
    if status:
        return [Error(f"git does not work here: {output}", hint=POST_CREATE, id="doctor.E006")]
    if run("git", "config", "core.hooksPath")[1]:
        return []  # hooks of one's own
    hook = ROOT / run("git", "rev-parse", "--git-path", "hooks/pre-commit")[1]
    if not os.access(hook, os.X_OK):
        return [Warning("The commit hooks are not installed.", hint=POST_CREATE, id="doctor.W007")]
    return []


@register("doctor")
def check_ports(**kwargs):
    if not (STATE / "server.lock").exists():
        return []  # no server was ever started here: a container of `docker compose run`, or no container
    if not server_runs():
        if listens(8000):
            text = "Port 8000 is taken by something else than .devcontainer/serve."
            return [Warning(text, hint="End it, then run: bash .devcontainer/serve --detach", id="doctor.W008")]
        return [Warning("The server does not run.", hint="Run: bash .devcontainer/serve --detach", id="doctor.W009")]
    if not listens(8000, timeout):
        why = f"Its log says why: {STATE}/server.log"
        return [Warning("The server does not answer on port 8000.", hint=why, id="doctor.W010")]
    if not listens(5678):
        restart = "Run: bash .devcontainer/serve --stop; bash .devcontainer/serve --detach"
        return [Warning("The server runs without a debugger: F5 can't attach.", hint=restart, id="doctor.W011")]
    return []


def server_runs():
    try:
        with (STATE / "server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def listens(port, seconds=0):
    """Whether some process listens on *port*, or does so within *seconds*; a connection could disturb it."""
    deadline = time.monotonic() + seconds
    while True:
        sockets = [line.split() for table in Path("/proc/net").glob("tcp*") for line in table.open()]
        if any(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in sockets):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)


@register("doctor")
def check_interpreter(**kwargs):
    venv = os.environ.get("VIRTUAL_ENV")
    if venv and Path(sys.prefix) != Path(venv):
        return [
            Warning(
                f"This is {sys.executable}, not the container's {venv}/bin/python.",
                hint="In VS Code run 'Python: Select Interpreter'; in a terminal: deactivate.",
                id="doctor.W012",
            )
        ]
    requirements = "".join((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt"))
    pins = re.findall(r"^([\w.-]+)==([\w.]+)( ;)?", requirements, re.MULTILINE)  # and whether for some platforms alone
    stale = [f"{name} {pin}" for name, pin, marker in pins if not marker and installed(name) != pin]
    if stale:
        return [
            Warning(
                f"Not installed as the requirements say: {', '.join(stale)}.",
                hint="Rebuild the container, or run: pip install --require-hashes -r requirements-dev.txt",
                id="doctor.W013",
            )
        ]
    return []


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def run(*command):
    """Run *command* in the project's folder; return its exit status and what it says."""
    try:
        process = subprocess.run(  # noqa: S603 the commands are this module's
            command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return process.returncode, (process.stdout + process.stderr).strip()
