import argparse
import gc
import signal
import time

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from ...wait_for_db import (
    Blockers,
    LoginCheck,
    MigrationLock,
    MigrationsCheck,
    NeverReady,
    Progress,
    TimedOut,
    sentence,
    wait_for,
)


class Command(BaseCommand):
    help = (
        "Waits until each database lets Django log in and write. "
        "Exit codes: 0 ready; 1 a migration failed; 2 wrong usage or settings; "
        "3 never ready, whatever the wait: see the hint; 124 timed out; "
        "130 interrupted (SIGINT); 143 terminated (SIGTERM)."
    )
    # They may need the database.
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument(
            "--database",
            action="append",
            choices=tuple(connections),
            dest="databases",
            help='Nominates a database to wait for; repeatable. Defaults to "default".',
        )
        parser.add_argument(
            "--timeout",
            default=60.0,
            type=seconds,
            metavar="SECONDS",
            help="Time to wait in all, and for a lock that a migration needs. Migrating itself does not count. Defaults to 60.",
        )
        then = parser.add_mutually_exclusive_group()
        then.add_argument(
            "--migrate",
            action="store_true",
            help="Then run migrate, one process at a time for each database.",
        )
        then.add_argument(
            "--until-migrated",
            action="store_true",
            help="Then wait until no migration is unapplied, while another process migrates.",
        )

    def run_from_argv(self, argv):
        # Python's own answers: a traceback, and as PID 1 none at all to SIGTERM.
        for signalnum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signalnum, exit_with_signal)
        try:
            super().run_from_argv(argv)
        finally:
            # The process ends here: spare it a last walk over all of Django.
            gc.freeze()

    def handle(self, *, databases, timeout, migrate, until_migrated, verbosity, **options):
        self.timeout, self.deadline = timeout, time.monotonic() + timeout
        self.progress = Progress(self.stdout) if verbosity else None
        # Where call_command() was told to write; self.stdout would break migrate's lines.
        streams = {name: options.get(name) for name in ("stdout", "stderr")}
        databases = list(dict.fromkeys(databases or [DEFAULT_DB_ALIAS]))
        try:
            self.wait_for(LoginCheck, databases)
            if migrate:
                for database in databases:
                    self.migrate(database, verbosity=verbosity, **streams)
            elif until_migrated:
                self.wait_for(MigrationsCheck, databases)
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=2) from error
        except NeverReady as error:
            raise CommandError(explain(error, "will not get ready"), returncode=3) from error
        except TimedOut as error:
            raise CommandError(explain(error, "did not get ready"), returncode=124) from error

    def wait_for(self, check, databases):
        checks = [check(database) for database in databases]
        try:
            wait_for(checks, self.deadline - time.monotonic(), self.progress)
        finally:
            if self.progress:
                self.progress.close()
        return checks

    def migrate(self, database, **options):
        (lock,) = self.wait_for(MigrationLock, [database])
        connection, blockers = connections[database], None
        try:
            with lock.shared_with(connection), Blockers(connection, self.timeout, self.tell) as blockers:
                # It reads the state of the database anew, now that nobody else changes it.
                call_command("migrate", database=database, interactive=False, **options)
        except OperationalError:
            if not (blockers and blockers.cause):
                raise
            text = f"Migrating was ended after {self.timeout:.0f} s: {blockers.cause.text}.\n{blockers.cause.hint}"
            raise CommandError(text, returncode=124) from None
        finally:
            lock.release()

    def tell(self, text):
        if self.progress:
            self.progress.write(f"\n{text}")  # migrate's line is open


def seconds(text):
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 on.")
    return value


def explain(error, what):
    """Say what happened, why, and what to do next."""
    what = f"{what}: {error.cause.text}"
    return f"{sentence(error.watcher, what, error.seconds)}\n{error.cause.hint}"


def exit_with_signal(signalnum, frame):
    raise SystemExit(128 + signalnum)
