"""The backend of ./dev that needs no Docker: PostgreSQL and the server run as processes of the caller. Runs in .venv."""

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sys
import time

import dotenv
import psutil
from dotenv.parser import parse_stream

from environment import locks, steps
from environment.native import packages, postgres
from environment.native.packages import PYTHON, VENV
from environment.steps import ROOT, STATE, Failure

SERVER_LOG, SERVER_STATE = STATE / "server.log", STATE / "server.sha256"
SERVE = [PYTHON, "environment/serve.py"]
PAGE_SECONDS = 86_400  # the longest wait for a server that runs without an error; a migration may need hours
NEEDED = ("APP_PORT", "DB_NAME", "DB_USER", "DEBUG")
# What a shell may have for other projects, and .dev/env takes away; `unset` needs a name.
UNSET = f"unset NONE $(env | grep -oE '^({'|'.join(steps.FOREIGN)})[A-Z_]*=' | tr -d =)\n"
# A folder that was copied or moved has the original's file until ./dev writes its own.
IS_A_COPY = """\
if [ -e .dev/env ] && ! [ .dev/env -ef {0} ]; then
  echo "This .dev/env is of another folder. Run ./dev up, then read it again." >&2
  return 1
fi
"""
LIBPQ = {"HOST": "HOST", "PORT": "PORT", "DATABASE": "NAME", "USER": "USER", "PASSWORD": "PASS"}


def variables():
    """What Compose would hand to the application: from the caller, else from .env, else .env.example's defaults."""
    example = "".join(re.findall(r"^(?:# )?([A-Z_]+=.*\n)", read(ROOT / ".env.example"), re.MULTILINE))
    values = dotenv.dotenv_values(stream=io.StringIO(example))
    missing = [name for name in NEEDED if name not in values]
    if missing:
        raise Failure(f"{ROOT / '.env.example'} has the defaults, and none for {', '.join(missing)}: put it back.")
    try:
        own = read_dotenv(ROOT / ".env")
    except UnicodeDecodeError as error:
        raise Failure(
            f"{ROOT / '.env'} is not UTF-8 text ({error.reason}, byte {error.start}): save it as UTF-8."
        ) from None
    for source in (own, os.environ):
        values.update((name, source[name]) for name in {*values, *own} if source.get(name))
    return {name: value or "" for name, value in values.items() if not name.startswith("COMPOSE_")}


def read_dotenv(file):
    """As Compose reads it: ${X} is expanded, but not within single quotes."""
    text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
    values, raw = (dotenv.dotenv_values(stream=io.StringIO(text), interpolate=expand) for expand in (True, False))
    bindings = parse_stream(io.StringIO(text))
    literal = [b.key for b in bindings if b.key and b.original.string.partition("=")[2].lstrip().startswith("'")]
    return {**values, **{name: raw[name] for name in literal}}


def app_port():
    port = variables()["APP_PORT"]
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise Failure(f"APP_PORT is {port!r}: set it to the number of a port, from 1 to 65535.")
    return int(port)


class Backend:
    name = "native"
    log = ".dev/server.log"

    def prepare(self):
        """Start PostgreSQL, and return the environment of the project's programs; .dev/env has it for shells."""
        values = variables()
        port = postgres.start(values["DB_USER"], values["DB_NAME"])
        values.update(DB_HOST="127.0.0.1", DB_PORT=str(port), DB_PASS=postgres.PASSWORD.read_text())
        values.update(DEV_ENVIRONMENT="native")
        self.values = values
        path = f"{VENV}/bin{os.pathsep}{postgres.PROGRAMS}{os.pathsep}"
        shell = {**values, "VIRTUAL_ENV": str(VENV)}
        shell.update((f"PG{libpq}", values[f"DB_{ours}"]) for libpq, ours in LIBPQ.items())
        lines = [f"export {name}={shlex.quote(shell[name])}\n" for name in shell]
        lines = [IS_A_COPY.format(shlex.quote(str(STATE / "env"))), UNSET, *lines]
        lines.append(f'export PATH={shlex.quote(path)}"$PATH"\n')
        postgres.write_secret(STATE / "env", "".join(lines))
        postgres.write_secret(STATE / "env.json", json.dumps({"folder": str(ROOT), "variables": values}))
        env = {**steps.caller_environment(), **values, "VIRTUAL_ENV": str(VENV), "PYTHONUNBUFFERED": "1"}
        return {**env, "PATH": path + env.get("PATH", os.defpath)}

    def up(self, debug=False):
        with steps.exclusive_run():
            port = app_port()
            self.end_unknown_server()
            steps.check_port(port, self.serves(port))
            env = self.prepare()
            state = hashlib.sha256(f"{json.dumps(self.values)}{packages.wanted()}{debug}".encode()).hexdigest()
            is_same = self.serves(port) and read(SERVER_STATE) == f"{port} {state}"
            is_ready = is_same and steps.page_answer(port) == (200, "ok")
            if not is_ready and (not is_same or has_failed(steps.tail(SERVER_LOG, 40))):
                self.serve(port, [*SERVE, "--restart", *(["--debug"] if debug else [])], env)
                SERVER_STATE.write_text(f"{port} {state}")
            elif not is_ready:  # a migration may have come
                steps.step("database migrated", PYTHON, "app/manage.py", "wait_for_db", "--migrate", env=env)
                self.wait_for_page(port)
        return f"http://localhost:{port}"

    def serve(self, port, command, env):
        SERVER_STATE.write_text(f"{port} ")
        steps.step("server", *command, env=env)
        self.wait_for_page(port)

    def wait_for_page(self, port):
        """As long as the server lives and says nothing wrong."""
        start = time.monotonic()
        while steps.is_no_page(status := steps.page_answer(port)[0]):
            log = steps.tail(SERVER_LOG, 40)
            has_ended = steps.is_error(status) or has_failed(log) or not self.serves(port)
            if has_ended or time.monotonic() > start + PAGE_SECONDS:
                raise Failure(
                    f"{log}\nThe page is not ready, see above. The server goes on trying; ./dev down ends it."
                )
            steps.print_progress(start, f"page: {steps.tail(SERVER_LOG, 1)}")
            time.sleep(0.05)
        steps.print_progress(start, "database, migrations, page", end="\n")

    def serves(self, port):
        """Whether this folder's supervisor runs, and with this port."""
        return locks.is_held(STATE / "server.lock") and read(SERVER_STATE).startswith(f"{port} ")

    def end_unknown_server(self):
        """One that no supervisor knows: of version 1, which has a reloader, or left by a killed supervisor; no user's."""
        if locks.is_held(STATE / "server.lock"):
            return
        for process in psutil.process_iter(["cmdline", "cwd", "terminal"]):
            command = process.info["cmdline"] or []
            serves = "environment/server.py" in command or {"app/manage.py", "runserver"} <= set(command)
            if serves and process.info["cwd"] == str(ROOT) and not process.info["terminal"]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    wait_for_end(process)

    def execute(self, *command):
        with steps.exclusive_run():
            env = self.prepare()
        os.execvpe(command[0], command, env)

    def down(self):
        with steps.exclusive_run():
            self.end_unknown_server()
            if locks.is_held(STATE / "server.lock"):
                steps.step("server stopped", *SERVE, "--stop", env={**os.environ, "DEV_ENVIRONMENT": "native"})
            postgres.stop()

    def upgrade(self, major):
        raise Failure(
            "Without Docker the version is that of a package: docs/without-docker.md says how to take the data along."
        )

    def data(self):
        return f"the database in {postgres.DATA}" if postgres.DATA.exists() else None

    def delete_data(self):
        self.down()
        with steps.exclusive_run():
            new = STATE / "postgres.new"
            shutil.rmtree(new, ignore_errors=True)
            postgres.DATA.rename(new)  # a part of it is never taken for the whole
            shutil.rmtree(new)

    def checks(self):
        yield "port", lambda: steps.check_port(app_port(), self.serves(app_port()))
        yield "Python", lambda: f"{sys.version.split()[0]} in {VENV}"
        yield "PostgreSQL", self.check_postgres

    def check_postgres(self):
        postgres.run_as()
        postgres.check_data()
        found = {file.stem for file in (postgres.PROGRAMS.parent / "share/extension").glob("*.control")}
        missing = [*sorted({"pgcrypto", "uuid-ossp"} - found), "ICU collations and TLS, which it has with Docker"]
        return f"{postgres.version()}, without {', '.join(missing)}"

    def doctor(self):
        """The project's own doctor, where the project runs."""
        if postgres.port_of_running_server():
            self.execute("python", "app/manage.py", "doctor")
        print("note   project: it does not run. ./dev up starts it.")


def has_failed(log):
    return steps.SERVER_ENDED in log or steps.WITHOUT_DATABASE in log


def wait_for_end(process, seconds=10):
    """A zombie has ended, and may stay where nothing reaps it."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(psutil.Error):
        while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.02)


def read(file):
    try:
        return file.read_text()
    except OSError:
        return ""
