"""What can be waited for."""

from contextlib import contextmanager, suppress

from django.db import Error, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from psycopg2.extensions import quote_ident

from .causes import Cause, classify
from .session import NotReady, Session, describe

# One lock for each database: advisory locks are local to it.
LOCK_KEY = int.from_bytes(b"migrate")


class Check:
    """
    Called with the seconds that it may take, it returns when all is ready, and raises NotReady when not yet.

    `name`: what is waited for. `doing`: the current step, for error messages. `success`: the
    end of the line that tells of the success, or "". `shortest_pause`: seconds.
    """

    shortest_pause = 0.02
    success = ""


class SessionCheck(Check):
    """A check that has a session of its own with the database *alias*."""

    def __init__(self, alias):
        self.session = Session(alias)
        self.name = self.session.name

    @property
    def doing(self):
        return self.session.doing


class LoginCheck(SessionCheck):
    """A login with Django's own settings, to a server that accepts writes."""

    success = "is ready"

    def __call__(self, seconds):
        try:
            self.ask(seconds)
        finally:
            self.session.close()

    def ask(self, seconds):
        """The same with a session that stays open, and is used by the next call."""
        self.session.limit(seconds)
        if self.session.connection is None:
            self.session.open()
            self.check_version()
            self.check_role()
        self.check_writable()

    def check_version(self):
        # Django raises NotSupportedError on its first query.
        version = divmod(self.session.connection.server_version, 10000)
        minimum = self.session.wrapper.features.minimum_database_version
        if minimum and version < minimum:
            found, needed = (".".join(map(str, number)) for number in (version, minimum))
            text = f"PostgreSQL {found} is older than {needed}, which Django needs"
            raise NotReady(Cause("unsupported_version", text, permanent=True))

    def check_role(self):
        if role := self.session.wrapper.settings_dict["OPTIONS"].get("assume_role"):
            self.session.query(f"SET ROLE {quote_ident(role, self.session.connection)}")

    def check_writable(self):
        # Logins succeed a moment before recovery ends, and for ever on a standby.
        (in_recovery,) = self.session.query("SELECT pg_is_in_recovery()")
        if in_recovery:
            raise NotReady(Cause("read_only", "in recovery, or a standby: read-only"))


class MigrationLock(SessionCheck):
    """
    The right to migrate *alias*: a session-level advisory lock.

    It is held by a session of its own, so the server frees it when this process dies, and by the session that migrates
    (see `shared_with`): where this process is killed, that one may still commit, or be at a long statement.
    The lock is asked for again and again instead of waited for: a waiting statement
    would hold a snapshot, and CREATE INDEX CONCURRENTLY in the holder's migrations
    would wait for it, for ever. It does not work through a transaction pooler.
    """

    def __init__(self, alias):
        super().__init__(alias)
        self.name = f"the migrations lock of {self.session.name}"

    def __call__(self, seconds):
        self.session.limit(seconds)
        try:
            if self.session.connection is None:
                self.session.open()
                # A long migration leaves this session idle.
                self.session.query("SET idle_session_timeout = 0")
            (locked,) = self.session.query("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
            if locked:
                share = "SELECT pg_advisory_lock_shared(%s), pg_advisory_unlock(%s)"
                self.session.query(share, [LOCK_KEY, LOCK_KEY])
        except NotReady:
            self.session.close()
            raise
        if not locked:
            raise NotReady(Cause("locked", f"held by {self.holder()}"))

    def holder(self):
        """Name the server process that holds the lock."""
        row = self.session.query(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (classid::bigint << 32) + objid::bigint = %s AND objsubid = 1",
            [LOCK_KEY],
        )
        return f"server process {row[0]}" if row else "another session"

    @contextmanager
    def shared_with(self, connection):
        """Let *connection*, which migrates, hold the lock, too, and notice within a second that its client has died."""
        with suppress(Error), connection.cursor() as cursor:  # not every PostgreSQL and system can notice it
            cursor.execute("SET client_connection_check_interval = 1000")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock_shared(%s)", [LOCK_KEY])
        try:
            yield
        finally:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [LOCK_KEY])

    def release(self):
        self.session.close()


class MigrationsCheck(Check):
    """No migration of *alias* is unapplied."""

    shortest_pause = 0.2
    success = "is up to date"

    def __init__(self, alias):
        self.connection = connections.create_connection(alias)
        # Checks run in a thread of their own.
        self.connection.inc_thread_sharing()
        self.name = f"the schema of {describe(self.connection.get_connection_params())}"
        self.doing = "reading the migrations"
        self.applied = self.unapplied = None

    def __call__(self, seconds):
        try:
            applied = set(MigrationRecorder(self.connection).applied_migrations())
            if applied != self.applied:
                self.unapplied = unapplied_migrations(self.connection)
                self.applied = applied
        except Error as error:
            self.connection.close()
            raise NotReady(classify(str(error))) from None
        if self.unapplied:
            raise NotReady(Cause("unapplied", f"unapplied migrations: {len(self.unapplied)}"))
        self.connection.close()


def unapplied_migrations(connection):
    """Return the migrations that `migrate` would apply, first to last."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [migration for migration, _ in plan]


@contextmanager
def limit_statements(connection, seconds):
    """Let no statement on *connection* wait longer than *seconds*, for a lock say; the limit ends with the block."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))])
        yield
