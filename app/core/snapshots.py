"""
Snapshots of the development database: copies beside it, on the same server, which nobody can connect to.

A snapshot of the database app is the database "app_snapshot_NAME". Its comment is a JSON object: "created" (ISO 8601),
"branch" (of git, or ""), "migrations" ("app.name" of each applied one), "comment" (the database's own). A copy gets its
name when it is complete, and the database is replaced by renaming; so what is cut off leaves the database and all
snapshots as they were.
"""

import contextlib
import datetime
import json
import re
import subprocess
import time
from dataclasses import dataclass

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg2.errors import ObjectInUse

from core import places

TIME = "%Y-%m-%d-%H%M%S"
LONGEST_OWN_NAME = "before-2026-11-30-145900"
# Their values are lists of quoted names; PostgreSQL keeps them as they are to be written.
LISTS = {"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}
LEAVE_SECONDS = 10  # for other sessions to end what they are at
LONGEST_NAME = 63  # bytes of a name in PostgreSQL
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OTHERS = "FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
SETTINGS = """
SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1), rolname
FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = %s)
"""
GRANTS = """
SELECT privilege_type, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END, is_grantable
FROM pg_database, aclexplode(datacl) WHERE datname = %s AND grantee <> datdba
"""


@dataclass(frozen=True)
class Snapshot:
    name: str
    created: str
    branch: str
    migrations: frozenset
    size: str


def check_place():
    """A production image has no environment around it, and another way to keep its data."""
    if not places.is_development():
        raise CommandError("Snapshots are for the development environment.")


@contextlib.contextmanager
def server(alias=DEFAULT_DB_ALIAS, *, changes=True):
    """A Server. One process at a time has it if it *changes* something."""
    connection = connections[alias]
    database = connection.settings_dict["NAME"]
    if connection.vendor != "postgresql" or database == "postgres":
        raise CommandError('Snapshots are of a PostgreSQL database with another name than "postgres".')
    if len(f"{database}_snapshot_{LONGEST_OWN_NAME}".encode()) > LONGEST_NAME:
        raise CommandError(f"The name of the database, {database}, is too long for snapshots of it.")
    try:
        with connection._nodb_cursor() as cursor:
            cursor.execute("SELECT NOT %s OR pg_try_advisory_lock(hashtext('snapshots'))", [changes])
            if cursor.fetchone() != (True,):
                raise CommandError("Another process takes or restores a snapshot just now: wait for its end.")
            yield Server(connection, cursor)
    except DatabaseError as error:
        raise CommandError(f"{error}\nThe database and its snapshots are as they were.") from error


class Server:
    """The server of the database, by a session that is in none of the databases that are copied."""

    def __init__(self, connection, cursor):
        self.connection, self.cursor = connection, cursor
        self.database = connection.settings_dict["NAME"]
        self.prefix = f"{self.database}_snapshot_"
        self.work = f"{self.prefix}.copy"  # one that is not complete; no snapshot may have that name

    def ask(self, sql, *parameters):
        self.cursor.execute(sql, parameters)
        return self.cursor.fetchall()

    def run(self, sql, *words):
        """A statement about databases and roles, which take no parameters: %I is a name and %L a text of *words*."""
        places = ", %s::text" * len(words)
        ((statement,),) = self.ask(f"SELECT format(%s{places})", sql, *words)
        self.cursor.execute(statement.replace("%", "%%"), ())

    def snapshots(self):
        """All of them, the newest first."""
        rows = self.ask(
            "SELECT datname, shobj_description(oid, 'pg_database'), pg_size_pretty(pg_database_size(oid))"
            " FROM pg_database WHERE starts_with(datname, %s) AND datconnlimit <> -2",
            self.prefix,
        )
        found = [read(name.removeprefix(self.prefix), comment, size) for name, comment, size in rows]
        return sorted(filter(None, found), key=lambda snapshot: snapshot.created, reverse=True)

    def names(self):
        return [snapshot.name for snapshot in self.snapshots()]

    def find(self, name):
        """Return the name of the snapshot's database."""
        if name not in self.names():
            raise CommandError(self.no_snapshot(name))
        return f"{self.prefix}{name}"

    def no_snapshot(self, name):
        return f"There is no snapshot {name!r}. There are: {', '.join(self.names()) or 'none'}."

    def take(self, name):
        """Keep a copy of the database under *name*."""
        self.check_new(name)
        comment = self.describe()
        self.copy(self.database)
        with self.transaction():
            self.keep(self.work, name, comment)

    def check_new(self, name):
        longest = LONGEST_NAME - len(self.prefix.encode())
        if not NAME.fullmatch(name) or len(name) > longest:
            raise CommandError(
                f"{name!r} cannot be the name: use letters, digits and ._-, {longest} characters at most."
            )
        if name in self.names():
            raise CommandError(
                f"There is a snapshot {name!r} already. Choose another name, or: "
                + places.command("manage", "snapshots", "--delete", name)
            )

    def keep(self, database, name, comment):
        """Make a snapshot of *database*."""
        self.run("COMMENT ON DATABASE %I IS %L", database, comment)
        self.run("ALTER DATABASE %I ALLOW_CONNECTIONS false", database)
        self.run("ALTER DATABASE %I RENAME TO %I", database, f"{self.prefix}{name}")

    def delete(self, name):
        self.run("DROP DATABASE %I", self.find(name))

    def restore(self, name):
        """Replace the database by a copy of the snapshot. Return the name of the snapshot of what was replaced."""
        snapshot = self.find(name)
        self.copy(snapshot)
        return self.replace(json.loads(self.comment(snapshot)).get("comment"))

    def replace(self, comment):
        """Put the work copy, with its *comment*, in the place of the database, which becomes a snapshot. Return its name."""
        before, description = f"before-{datetime.datetime.now().astimezone().strftime(TIME)}", self.describe()

        def exchange():
            with self.transaction():
                self.keep(self.database, before, description)
                self.run("COMMENT ON DATABASE %I IS %L", self.work, comment)
                self.run("ALTER DATABASE %I RENAME TO %I", self.work, self.database)

        self.alone(self.database, exchange)
        return before

    def comment(self, database):
        find = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        ((comment,),) = self.ask(find, database)
        return comment

    def copy(self, database):
        """Make the work copy of *database*, file by file; where the file system can, the copies share their content."""
        self.run("DROP DATABASE IF EXISTS %I", self.work)
        owner, limit = self.owner_and_limit(database)
        create = f"CREATE DATABASE %I TEMPLATE %I OWNER %I STRATEGY FILE_COPY CONNECTION LIMIT {limit}"
        try:
            self.cursor.execute("SET file_copy_method = clone")  # of PostgreSQL 18 on
            self.alone(database, lambda: self.run(create, self.work, database, owner))
        except DatabaseError:  # it cannot, or the file system cannot
            with contextlib.suppress(DatabaseError):
                self.cursor.execute("RESET file_copy_method")
            self.run("DROP DATABASE IF EXISTS %I", self.work)
            self.alone(database, lambda: self.run(create, self.work, database, owner))
        self.copy_settings(database)

    def owner_and_limit(self, database):
        find = "SELECT pg_get_userbyid(datdba), datconnlimit FROM pg_database WHERE datname = %s"
        (found,) = self.ask(find, database)
        return found

    def copy_settings(self, database):
        """What belongs to the database and is not in it."""
        with self.transaction():
            for name, value, role in self.ask(SETTINGS, database):
                whose = ["ROLE %I IN DATABASE %I", role] if role else ["DATABASE %I"]
                self.run(
                    f"ALTER {whose[0]} SET {name} TO {'%s' if name in LISTS else '%L'}", *whose[1:], self.work, value
                )
            if self.ask("SELECT FROM pg_database WHERE datname = %s AND datacl IS NOT NULL", database):
                self.run("REVOKE ALL ON DATABASE %I FROM PUBLIC", self.work)
            for privilege, role, is_grantable in self.ask(GRANTS, database):
                option = " WITH GRANT OPTION" if is_grantable else ""
                grant = f"GRANT {privilege} ON DATABASE %I TO {'%I' if role else 'PUBLIC'}{option}"
                self.run(grant, self.work, *filter(None, [role]))

    def alone(self, database, action):
        """Do what needs *database* without a session in it: end the idle ones, and give the others some seconds."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while True:
            self.ask(f"SELECT pg_terminate_backend(pid) {OTHERS} AND state = 'idle'", database)
            others = self.ask(f"SELECT pid, application_name, state, left(query, 80) {OTHERS}", database)
            if not others:
                try:
                    return action()
                except OperationalError as error:
                    if not isinstance(error.__cause__, ObjectInUse):
                        raise
            if time.monotonic() > deadline:
                who = "; ".join(
                    f"process {pid} ({name or 'no name'}, {state}): {query}" for pid, name, state, query in others
                )
                raise CommandError(
                    f"The database {database} is in use, and nothing was changed: {who or 'new sessions come again and again'}. "
                    "Let it finish, or end it: SELECT pg_terminate_backend(pid);"
                )
            time.sleep(0.1)

    def describe(self):
        """The comment for a copy of the database as it is now."""
        migrations = MigrationRecorder(self.connection).applied_migrations()
        self.connection.close()  # it would be in the way
        created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        names = sorted(".".join(key) for key in migrations)
        content = {
            "created": created,
            "branch": git_branch(),
            "migrations": names,
            "comment": self.comment(self.database),
        }
        return json.dumps(content)

    @contextlib.contextmanager
    def transaction(self):
        self.cursor.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.cursor.execute("ROLLBACK")
            raise
        self.cursor.execute("COMMIT")


def fitting(alias, loader):
    """The name of the newest snapshot whose migrations this code has, each and every one; None without one."""
    found = []
    with contextlib.suppress(CommandError), server(alias, changes=False) as one:
        found = one.snapshots()
    known = {".".join(key) for key in loader.disk_migrations}
    return next((snapshot.name for snapshot in found if snapshot.migrations <= known), None)


def read(name, comment, size):
    """None for a database that this module has not made."""
    try:
        content = json.loads(comment)
        return Snapshot(name, content["created"], content["branch"], frozenset(content["migrations"]), size)
    except (TypeError, ValueError, LookupError):
        return None


def git_branch():
    with contextlib.suppress(OSError):
        branch = ["git", "branch", "--show-current"]
        done = subprocess.run(branch, cwd=places.ROOT, check=False, capture_output=True, text=True)
        return done.stdout.strip()
    return ""
