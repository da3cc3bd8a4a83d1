"""What there is to know about the environment, as the page shows it."""

import datetime
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import django
from core.wait_for_db import LogIn, NotReady, classify
from core.wait_for_db.checks import unapplied_migrations
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.version import get_docs_version

SETUP = "bash .devcontainer/post-create"
SECONDS = 1  # for the database to answer: a page that says it is down comes at once


class Environment:
    python = platform.python_version()
    django = django.get_version()
    django_docs = f"https://docs.djangoproject.com/en/{get_docs_version()}/"

    def __init__(self):
        self.setup = Setup.last()
        self.database = self.cause = self.unapplied = self.has_admin = None
        try:
            LogIn(connection.alias)(SECONDS)
            self.database = Database()
            self.unapplied = [str(migration) for migration in unapplied_migrations(connection)]
            self.has_admin = not self.unapplied and get_user_model().objects.filter(is_superuser=True).exists()
        except NotReady as error:
            self.cause = error.cause
        except DatabaseError as error:  # it went away in between
            self.cause = classify(str(error))

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
            yield Problem("The database is not ready", text, command.strip(), changing=True)
        if self.unapplied:
            what = "1 migration is" if len(self.unapplied) == 1 else f"{len(self.unapplied)} migrations are"
            names = ", ".join(self.unapplied)
            yield Problem(f"{what} not applied", names, "python app/manage.py migrate", changing=True)
        if self.setup and not self.setup.outcome:
            text = "It is still running, or was cut off."
            yield Problem("Setup has not ended", text, SETUP, changing=True)
        elif self.setup and self.setup.failed:
            text = " ".join(f"{step['name']}: {step['summary']}." for step in self.setup.failed)
            yield Problem("The last setup failed", text, SETUP)

    @property
    def headline(self):
        return self.problems[0].headline if self.problems else "Ready"

    @property
    def changing(self):
        """True where what is amiss may pass by itself, so that the page has to look again."""
        return any(problem.changing for problem in self.problems)


@dataclass
class Problem:
    headline: str
    text: str
    command: str = ""
    changing: bool = False


class Database:
    def __init__(self):
        started = time.perf_counter()
        connection.ensure_connection()
        connected = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            answered = time.perf_counter()
            # initdb puts the time into the cluster's identifier; any role may read it.
            cursor.execute(
                "SELECT current_setting('server_version'), pg_database_size(current_database()),"
                " to_timestamp(system_identifier >> 32) FROM pg_control_system()"
            )
            version, self.size, self.created = cursor.fetchone()
        self.version = version.split()[0]  # without the packager's: "18.1 (Debian 18.1-1)"
        self.docs = f"https://www.postgresql.org/docs/{self.version.split('.')[0]}/"
        self.login_ms = (connected - started) * 1000
        self.query_ms = (answered - connected) * 1000


@dataclass
class Setup:
    """The last run of .devcontainer/post-create, as it recorded it; without an outcome while it runs."""

    steps: list
    outcome: str
    seconds: float
    recorded: datetime.datetime

    @classmethod
    def last(cls):
        """Return None where it never ran."""
        folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        record = Path(folder, "post-create.tsv")
        try:
            lines = [line.split("\t") for line in record.read_text().splitlines()]
            recorded = datetime.datetime.fromtimestamp(record.stat().st_mtime, datetime.UTC)
        except OSError:
            return None
        outcome = lines.pop()[0] if lines and lines[-1][0].startswith(("ready", "NOT READY")) else ""
        seconds = sum(float(line[1]) for line in lines)
        return cls(list(timeline(lines, seconds)), outcome, seconds, recorded)

    @property
    def failed(self):
        return [step for step in self.steps if not step["passed"]]


def timeline(lines, total):
    """Each step with its place on the line of time, in per cent of the whole."""
    started = 0
    for name, seconds, status, *summary in lines:
        seconds = float(seconds)
        yield {
            "name": name,
            "seconds": seconds,
            "passed": status == "0",
            "summary": "".join(summary),
            "x": f"{99 * started / (total or 1):.1f}%",
            "width": f"{99 * seconds / (total or 1) + 1:.1f}%",  # never nothing
        }
        started += seconds
