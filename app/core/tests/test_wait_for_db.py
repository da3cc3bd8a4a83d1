import socket
import time
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from core.wait_for_db import (
    Cause,
    LoginCheck,
    MigrationLock,
    MigrationsCheck,
    NeverReady,
    NotReady,
    TimedOut,
    classify,
    wait_for,
)
from core.wait_for_db.session import describe
from core.wait_for_db.waiting import Watcher


def free_port():
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def at(**values):
    """Point the alias "default" somewhere else."""
    return mock.patch.dict(connections.settings["default"], values)


class RealServerTests(SimpleTestCase):
    databases = frozenset({"default"})

    def run_command(self, *args):
        stdout, stderr = StringIO(), StringIO()
        with self.assertRaises(CommandError) as raised:
            call_command("wait_for_db", *args, stdout=stdout, stderr=stderr)
        return raised.exception, stdout.getvalue()

    def test_a_wrong_password_ends_the_wait_with_a_hint(self):
        with at(PASSWORD="wr0ng-s3cret"), override_settings(WAIT_FOR_DB_HINTS={"invalid_password": "Ask Ann."}):
            error, stdout = self.run_command()
        self.assertEqual(error.returncode, 3)
        self.assertNotIn("is ready", stdout)
        self.assertRegex(str(error), r"(?s)will not get ready: .+ \(SQLSTATE 28P01\) \(.+\)\.\nAsk Ann\.\Z")
        self.assertNotIn("wr0ng-s3cret", str(error))

    def test_a_missing_database_ends_the_wait(self):
        with at(NAME="no_such_database"):
            error, _ = self.run_command()
        self.assertEqual(error.returncode, 3)
        self.assertIn("SQLSTATE 3D000", str(error))

    def test_a_server_without_tls_where_it_is_required(self):
        with at(OPTIONS={"sslmode": "verify-full", "sslrootcert": "/nonexistent"}):
            error, _ = self.run_command()
        self.assertEqual(error.returncode, 3)

    def test_unusable_settings(self):
        for change in ({"NAME": ""}, {"OPTIONS": {"sslmodus": "x"}}, {"PORT": "http"}):
            with self.subTest(change), at(**change):
                error, _ = self.run_command()
                self.assertEqual(error.returncode, 2)

    def test_verbosity_0_is_silent(self):
        stdout = StringIO()
        call_command("wait_for_db", verbosity=0, stdout=stdout)
        self.assertEqual(stdout.getvalue(), "")

    def test_one_hopeless_database_ends_the_wait_for_all(self):
        real = connections.settings["default"]
        hopeless = {**real, "NAME": "no_such_database"}
        down = {**real, "HOST": "127.0.0.1", "PORT": free_port()}
        aliases = mock.patch.dict(connections.settings, hopeless=hopeless, down=down)
        with aliases, self.assertRaises(NeverReady) as raised:
            wait_for([LoginCheck("down"), LoginCheck("hopeless"), LoginCheck("default")], timeout=60)
        self.assertEqual(raised.exception.cause.name, "invalid_catalog_name")


class SilentHostTests(SimpleTestCase):
    def test_a_host_that_accepts_and_says_nothing(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            at(HOST="127.0.0.1", PORT=listener.getsockname()[1]),
            self.assertRaises(TimedOut) as raised,
        ):
            wait_for([LoginCheck("default")], timeout=0.3)
        self.assertEqual(raised.exception.cause.name, "no_answer")
        self.assertLess(raised.exception.seconds, 60)


class MigrationTests(TransactionTestCase):
    def _fixture_teardown(self):
        """Each test takes back what it changed. Django would empty every table, a slow thing, of a kept database too."""

    def test_only_one_holds_the_lock(self):
        first, second = MigrationLock("default"), MigrationLock("default")
        self.addCleanup(first.release)
        self.addCleanup(second.release)
        first(seconds=60)
        pid = first.session.connection.info.backend_pid
        with self.assertRaisesMessage(NotReady, f"held by server process {pid}"):
            second(seconds=60)
        first.release()
        wait_for([second], timeout=60)  # the server takes a moment to end the first one's session
        second.release()

    def applied_migrations(self):
        applied = MigrationRecorder(connections["default"]).applied_migrations()
        if not applied:
            self.skipTest("the test database was made without migrations")
        return applied

    def test_a_migrated_database(self):
        self.applied_migrations()
        MigrationsCheck("default")(seconds=60)

    def last_migration_of_some_app(self):
        applied = self.applied_migrations()
        leaves = MigrationLoader(connections["default"]).graph.leaf_nodes()
        return next(leaf for leaf in leaves if leaf in applied)

    def test_an_unapplied_migration(self):
        recorder = MigrationRecorder(connections["default"])
        migration = self.last_migration_of_some_app()
        recorder.record_unapplied(*migration)
        self.addCleanup(recorder.record_applied, *migration)
        migrated = MigrationsCheck("default")
        self.addCleanup(migrated.connection.close)  # which else may outlive the tests, and keep their database
        with self.assertRaisesMessage(NotReady, "unapplied migrations: 1"):
            migrated(seconds=60)


class PureFunctionTests(SimpleTestCase):
    def test_classify(self):
        cases = (
            ('FATAL:  28P01: password authentication failed for user "app"', "invalid_password", True),
            ("FATAL:  28P01: Passwort-Authentifizierung fehlgeschlagen", "invalid_password", True),
            ("致命的エラー:  57P03: データベースシステムは起動処理中です", "cannot_connect_now", False),
            ("ВАЖНО:  53300: too many clients", "too_many_connections", False),
            ("FATAL:  99999: who knows", "connection_failure", False),
            # One address refuses the password, another is starting up: wait.
            ("FATAL:  28P01: a\nhost 2: FATAL:  57P03: b", "cannot_connect_now", False),
            ('could not translate host name "db" to address: …', "name_not_resolved", False),
            ("Connection refused\n\tIs the server running?", "connection_refused", False),
            ('connection to server at "certificate" failed: no', "connection_failure", False),
            ("server does not support SSL, but SSL was required", "tls", True),
            ('sslmode value "require" invalid when SSL support is not compiled in', "tls", True),
            ("SSL error: certificate verify failed", "tls", True),
            ("SSL SYSCALL error: EOF detected", "connection_failure", False),
            ("received invalid response to SSL negotiation: H", "not_postgresql", False),
            ('FATAL:  role "app" does not exist', "invalid_authorization_specification", True),
            ("", "connection_failure", False),
        )
        for message, name, permanent in cases:
            with self.subTest(message):
                cause = classify(message)
                self.assertEqual((cause.name, cause.permanent), (name, permanent))

    def test_a_cause_is_one_line_that_cannot_steer_a_terminal(self):
        self.assertEqual(classify("FATAL:  3D000: a\x1b[2Jb\nLOCATION: c").text, "a [2Jb (SQLSTATE 3D000)")

    def test_the_deadlines_own_cause_does_not_replace_one_that_says_more(self):
        silence, refusal = Cause("no_answer", "no answer"), Cause("connection_refused", "refused")
        cases = ((silence, -1, True), (silence, 60, False), (refusal, -1, False))
        for cause, seconds_left, cut_short in cases:
            with self.subTest(cause=cause, seconds_left=seconds_left):
                watcher = Watcher(None, time.monotonic() + seconds_left, None)
                self.assertEqual(watcher.is_cut_short(cause), cut_short)

    def test_describe(self):
        cases = (
            ({"dbname": "d", "host": "h", "port": 1, "password": "p"}, 'database "d" at h:1'),
            ({"dbname": "d"}, 'database "d" at local socket:5432'),
            ({"service": "s"}, 'the database of service "s"'),
        )
        for params, name in cases:
            with self.subTest(name):
                self.assertEqual(describe(params), name)
