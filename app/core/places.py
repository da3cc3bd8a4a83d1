"""
Where this runs, and so which commands help a reader who stands there. Standard library only: what serves the project
without Django reads it too.

"compose": the container of `docker compose up` or of ./dev. "devcontainer": an editor's. "native": without Docker.
"""

import json
import os
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PORT = 8000  # of the container; APP_PORT of the host leads to it

COMMANDS = {
    "compose": {
        "manage": "docker compose exec app python manage.py",
        "test": "docker compose exec app pytest",
        "rebuild": "docker compose up --build --wait",
        "restart": "docker compose restart app",
        "setup": "docker compose exec app python environment/setup.py",
        "log": "docker compose logs app",
        "up": "docker compose up --wait",
        "database_log": "docker compose logs db",
        "debug": "Open the project in an editor's dev container, and press F5.",
    },
    "devcontainer": {
        "manage": "python manage.py",
        "test": "pytest",
        "rebuild": "'Rebuild Container' in the editor",
        "restart": "environment/serve.py --restart",
        "setup": "environment/setup.py",
        "log": "environment/serve.py --log",
        "up": "'Reopen in Container' in the editor",
        "database_log": "on the host: docker compose logs db",
        "debug": "Press F5 (Server) in the editor.",
    },
    "native": {
        "manage": "./dev manage",
        "test": "./dev test",
        "rebuild": "./dev up",
        "restart": "./dev down && ./dev up",
        "setup": "./dev up",
        "log": "cat .dev/server.log",
        "up": "./dev up",
        "database_log": "cat .dev/postgres.log",
        "debug": "Run ./dev up --debug and press F5 (Server); or use a terminal: ./dev manage runserver 8001",
    },
}


def place():
    """ "compose", "devcontainer" or "native"."""
    given = os.environ.get("DEV_ENVIRONMENT")
    return given if given in COMMANDS else "native"


def is_development():
    """Whether this is a checkout of the project, where advice has commands to name; a production image has app/ only."""
    return "DEV_ENVIRONMENT" in os.environ or (ROOT / "dev").is_file()


def load_variables():
    """
    Set the variables that ./dev has written down for programs that it did not start: an editor's, a shell's.

    In a container DB_HOST is set, and nothing is read. Raise ValueError for a file that cannot be used.
    """
    path = ROOT / ".dev/env.json"
    if "DB_HOST" in os.environ or not path.exists():
        return
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written["folder"] != str(ROOT):
            raise ValueError(f"it is a copy, of {written['folder']}")
        for name, value in written["variables"].items():
            os.environ.setdefault(name, value)
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None


def where_they_are_set():
    """For a program that was started beside the environment: on the host of a container, for example."""
    if place() != "native":
        return f"Run {command('up')} first."
    return "Run ./dev up first. If the project runs with Docker, type ./dev manage and ./dev test instead, or work in the dev container."


def command(name, *arguments):
    """The command line that a reader types here; *name* is a key of COMMANDS."""
    return " ".join([COMMANDS[place()][name], *map(shlex.quote, arguments)])


def state_folder():
    """The folder of the server's log and lock and of the setup's record: of this project and this place."""
    if place() == "native":
        return ROOT / ".dev"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")


def starting_file():
    """It is there while the server waits for the database or migrates, and says what is waited for."""
    return state_folder() / "starting"


def asked_early_file():
    """It is there if the server's code asked the database while it was loaded, before the migrations."""
    return state_folder() / "asked-early"


def tests_progress_file():
    """It is there once a setup has begun to run the tests."""
    return state_folder() / "tests.json"


def tests_progress():
    """How far the tests of a setup are, for a reader."""
    try:
        progress = json.loads(tests_progress_file().read_text(encoding="utf-8"))
        done, total = int(progress["done"]), int(progress["total"])
    except (OSError, ValueError, LookupError, TypeError):
        return "tests running"
    return f"tests running, {done:,} of {total:,}" if total else f"tests running, {done:,} so far"


def port():
    """The port that the server listens on."""
    return int(os.environ.get("APP_PORT") or PORT) if place() == "native" else PORT


def url():
    """The page's address for a browser; an editor forwards the container's own port."""
    return f"http://localhost:{PORT if place() == 'devcontainer' else os.environ.get('APP_PORT') or PORT}"


def debug_port():
    return int(os.environ.get("DEBUG_PORT") or 5678)


def folder_problem():
    """Why the project's folder cannot be written, and what to do about it; "" if it can."""
    for path in (ROOT, ROOT / ".git"):
        if path.exists() and not os.access(path, os.W_OK):
            return not_writable(path)
    return ""


def not_writable(path):
    owner, uid = path.lstat().st_uid, os.getuid()
    text = f"{path} belongs to uid {owner}, and uid {uid}, which this runs as, may not write to it. "
    if place() == "native":
        return f"{text}To fix it: sudo chown -R {uid} '{ROOT}'"
    return (
        f"{text}On the host, in the project's folder: sudo chown -R {uid} . Or, where everything there belongs to uid "
        f"{owner}: put APP_UID={owner} and its APP_GID into the file .env, then {command('rebuild')}"
    )
