"""What there is to know about the environment, as the page shows it."""

import datetime
import json
import platform
import time
from dataclasses import dataclass

import django
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.version import get_docs_version

from core import disk, listeners, places
from core.wait_for_db import LoginCheck, NotReady, classify
from core.wait_for_db.checks import limit_statements, unapplied_migrations

DATABASE_TIMEOUT = 3  # seconds; for a server that is busy. One that is down is known at once


class Environment:
    python = platform.python_version()
    django = django.get_version()
    django_docs = f"https://docs.djangoproject.com/en/{get_docs_version()}/"

    def __init__(self):
        self.commands = {
            "create_admin": places.command("manage", "create_admin"),
            "setup": places.command("setup"),
            "test": places.command("test"),
        }
        self.shows_setup = places.place() == "devcontainer"
        self.setup = Setup.last()
        self.database = self.cause = self.unapplied = self.has_admin = self.disk = None
        try:
            self.ask_database()
        except NotReady as error:
            self.cause = error.cause
        except DatabaseError as error:  # it went away in between
            self.cause = classify(str(error))

    def ask_database(self):
        LoginCheck(connection.alias)(DATABASE_TIMEOUT)
        started = time.perf_counter()
        connection.ensure_connection()
        login_ms = (time.perf_counter() - started) * 1000
        with limit_statements(connection, DATABASE_TIMEOUT):
            self.database = Database(login_ms)
            self.unapplied = [str(migration) for migration in unapplied_migrations(connection)]
            self.has_admin = not self.unapplied and has_admin()
        self.disk = disk.shortage(connection.alias)

    @property
    def address(self):
        return "{NAME} at {HOST}:{PORT}".format(**connection.settings_dict)

    @cached_property
    def problems(self):
        """What keeps the environment from being ready, the worst first."""
        return list(self.find_problems())

    def find_problems(self):
        if self.cause:
            hint, _, command = self.cause.hint.partition("\n")
            text = f"{capfirst(self.cause.text)}. {hint}"
            yield Problem("The database is not ready", text, command.strip(), may_pass=True)
        if self.disk:
            text = f"{self.disk}. Make room there. To see the snapshots, which can be deleted:"
            yield Problem(
                "The disk of the database is full", text, places.command("manage", "snapshots"), may_pass=True
            )
        if self.unapplied:
            what = "1 migration is" if len(self.unapplied) == 1 else f"{len(self.unapplied)} migrations are"
            names = ", ".join(self.unapplied)
            yield Problem(f"{what} not applied", names, places.command("manage", "migrate"), may_pass=True)
        if self.setup:
            yield from self.setup.find_problems(self.commands["setup"])

    @property
    def headline(self):
        return self.problems[0].headline if self.problems else "Ready"

    @property
    def may_pass(self):
        """Whether a problem may disappear by itself; the page then looks again."""
        return any(problem.may_pass for problem in self.problems)


@dataclass
class Problem:
    headline: str
    text: str
    command: str = ""
    may_pass: bool = False


class Database:
    def __init__(self, login_ms):
        self.login_ms = login_ms
        with connection.cursor() as cursor:
            started = time.perf_counter()
            cursor.execute("SELECT 1")
            self.query_ms = (time.perf_counter() - started) * 1000
            # initdb puts the time into the cluster's identifier; any role may read it.
            cursor.execute(
                "SELECT current_setting('server_version'), pg_database_size(current_database()),"
                " to_timestamp(system_identifier >> 32) FROM pg_control_system()"
            )
            version, self.size, self.created = cursor.fetchone()
        self.version = version.split()[0]  # without the packager's: "18.1 (Debian 18.1-1)"
        self.docs = f"https://www.postgresql.org/docs/{self.version.split('.')[0]}/"


def has_admin():
    """Whether a superuser exists; a user model without superusers needs none."""
    users = get_user_model()
    if not any(field.name == "is_superuser" for field in users._meta.get_fields()):
        return True
    return users._default_manager.filter(is_superuser=True).exists()


@dataclass
class Step:
    name: str
    seconds: float
    status: int
    summary: str
    started: float  # seconds since the setup began


@dataclass
class Setup:
    """The last run of environment/setup.py, as it recorded it."""

    status: str
    seconds: float
    started: datetime.datetime
    steps: list

    @classmethod
    def last(cls):
        """None where it never ran. A record that cannot be read is that of a setup that was cut off."""
        try:
            record = json.loads((places.state_folder() / "setup.json").read_text(encoding="utf-8"))
            steps = [
                Step(str(step["name"]), float(step["seconds"]), int(step["status"]), str(step["summary"]), started=0.0)
                for step in record["steps"]
            ]
            for before, step in zip(steps, steps[1:], strict=False):
                step.started = before.started + before.seconds
            started = datetime.datetime.fromisoformat(record["started"])
            return cls(record["status"], float(record["seconds"]), started, steps)
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return cls("unreadable", 0.0, None, [])

    def find_problems(self, command):
        if self.failed:
            text = " ".join(f"{step.name}: {step.summary}." for step in self.failed)
            yield Problem("The last setup failed", text, command, may_pass=not self.has_ended)
        elif self.has_ended:
            return
        elif not listeners.is_held("setup.lock"):
            yield Problem("The setup was cut off", "Run it again.", command, may_pass=True)
        elif [step.name for step in self.steps][-1:] == ["server"]:
            text = f"{capfirst(places.tests_progress())}. It is ready when they have passed."
            yield Problem("Open", text, may_pass=True)
        else:
            yield Problem("Setup is running", "This page then shows what comes of it.", may_pass=True)

    @property
    def has_ended(self):
        return self.status in {"ready", "failed"}

    @property
    def failed(self):
        return [step for step in self.steps if step.status]
