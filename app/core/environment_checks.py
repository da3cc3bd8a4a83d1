"""
System checks of the development environment, run by the command `doctor` alone: they ask other programs, and the
database, and would hold up every runserver and migrate.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from core import disk, listeners, places, snapshots
from core.wait_for_db import GaveUp, LoginCheck, wait_for
from core.wait_for_db.checks import unapplied_migrations

ROOT = places.ROOT
DEFAULT_TIMEOUT = 10.0
IN_CONTAINER = {"compose", "devcontainer"}


def checks(timeout):
    """Register every check. A check has no options of its own, so *timeout* is bound here: seconds, for each wait."""
    for check in (check_databases, check_workspace, check_git, check_server, check_interpreter, check_packages):
        register(survives(functools.partial(check, timeout=timeout), check.__name__), "doctor")


def survives(check, name):
    """A check that cannot do its work is a finding, and the others go on."""

    def run(**kwargs):
        try:
            return list(check(**kwargs))
        except Exception as error:  # noqa: BLE001 whatever it is, it is told
            return [Error(f"{name} failed: {type(error).__name__}: {error}", id="doctor.E014")]

    return run


def check_databases(databases, timeout, **kwargs):
    for alias in databases or []:
        if connections[alias].vendor == "postgresql":
            yield from check_database(alias, timeout)
        else:
            yield from check_other_database(alias)


def check_other_database(alias):
    try:
        connections[alias].ensure_connection()
    except DatabaseError as error:
        yield Error(f'The database "{alias}" cannot be used: {error}', hint="Correct DATABASES.", id="doctor.E001")


def check_database(alias, timeout):
    try:
        wait_for([LoginCheck(alias)], timeout)
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint=f"Correct DATABASES, or the DB_ variables in .env, then run: {places.command('rebuild')}",
            id="doctor.E001",
        )
        return
    except GaveUp as error:
        is_replica = error.cause.name == "read_only" and settings.DATABASES[alias].get("TEST", {}).get("MIRROR")
        if not is_replica:
            yield Error(f"Not ready: {error}.", hint=error.cause.hint, id="doctor.E001")
        return
    yield from check_migrations(alias, timeout)
    if room := disk.shortage(alias):
        text = f'The disk of the database "{alias}" is full. {room}.'
        hint = f"Make room there. To see the copies that can be deleted, run: {places.command('manage', 'snapshots')}"
        yield Error(text, hint=hint, id="doctor.E017")
    with connections[alias].cursor() as cursor:
        if places.place() in IN_CONTAINER and connections[alias].settings_dict["HOST"] == "db":
            yield from check_client(connections[alias].pg_version // 10000)
            yield from check_volume(cursor)


def check_migrations(alias, timeout):
    loader = MigrationLoader(connections[alias])
    conflicts = loader.detect_conflicts()
    if conflicts:
        names = "; ".join(f"{app}: {', '.join(leaves)}" for app, leaves in conflicts.items())
        hint = f"Run: {places.command('manage', 'makemigrations', '--merge')}"
        yield Error(f"Migrations conflict, each is the last of its app ({names}).", hint=hint, id="doctor.E015")
        return
    unknown = [
        ".".join(key) for key in loader.applied_migrations if key not in loader.disk_migrations and is_ours(loader, key)
    ]
    if unknown:
        fitting = snapshots.fitting(alias, loader)
        yield Warning(
            f"Applied, and in no file: {', '.join(sorted(unknown))}. Another branch's, most likely: inserts may fail.",
            hint=(
                "Go back to that branch and undo it there, "
                f"{undo(loader, unknown[0].partition('.')[0])}; or merge the branch."
                + (
                    f" Or take the snapshot that fits: {places.command('manage', 'restore', fitting)}"
                    if fitting
                    else ""
                )
            ),
            id="doctor.W016",
        )
    deadline = time.monotonic() + timeout
    while unapplied := [one for one in unapplied_migrations(connections[alias]) if is_for(alias, one.app_label)]:
        if not places.starting_file().exists() or time.monotonic() > deadline:
            break
        time.sleep(0.2)  # the server applies them just now
    if unapplied:
        text = f'The database "{alias}" has unapplied migrations: {len(unapplied)}.'
        which = [] if alias == DEFAULT_DB_ALIAS else [f"--database={alias}"]
        yield Warning(text, hint=f"Run: {places.command('manage', 'migrate', *which)}", id="doctor.W002")


def is_for(alias, app_label):
    """Whether a database router lets any table of the app into that database."""
    models = list(apps.get_app_config(app_label).get_models(include_auto_created=True))
    return not models or any(router.allow_migrate_model(alias, model) for model in models)


def undo(loader, app):
    """The command that goes back to the last applied migration of *app* that a file has."""
    known = [
        name for label, name in loader.applied_migrations if label == app and (label, name) in loader.disk_migrations
    ]
    return places.command("manage", "migrate", app, max(known, default="zero"))


def is_ours(loader, key):
    """Of an installed app that has migrations, and not a migration that another one replaces."""
    replaced = {old for migration in loader.disk_migrations.values() for old in migration.replaces}
    return key[0] in loader.migrated_apps and key not in replaced


def check_client(server):
    output = run("psql", "--version")[1]
    client = re.search(r"\) (\d+)", output)
    if not client or int(client[1]) != server:
        yield Warning(
            f"The server is PostgreSQL {server}, its client tools are: {output}.",
            hint=f"Set POSTGRES_MAJOR={server} in .env, then: {places.command('rebuild')}",
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
            hint=f"To go back to it, set POSTGRES_MAJOR={major} in .env, then: {places.command('rebuild')}",
            id="doctor.W004",
        )


def check_workspace(**kwargs):
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in {".dev", ".git", ".venv", "__pycache__", "node_modules"}]
        for path in (os.path.join(folder, name) for name in ["", *files]):
            if os.lstat(path).st_uid != os.getuid() and not os.access(path, os.W_OK, follow_symlinks=False):
                text, _, hint = places.not_writable(ROOT / path).partition(". ")
                return [Warning(f"{text}.", hint=hint, id="doctor.W005")]
    return []


def check_git(**kwargs):
    if not shutil.which("git") or (not (ROOT / ".git").is_dir() and run("git", "rev-parse", "--git-dir")[0]):
        return  # no git, no repository, or one outside of the container: the setup says so
    status, output = run("git", "status", "--short")
    if status:
        yield Error(f"git does not work here: {output}", hint=f"Run: {places.command('setup')}", id="doctor.E006")
        return
    hook = ROOT / run("git", "rev-parse", "--git-path", "hooks/pre-commit")[1]
    if not run("git", "config", "core.hooksPath")[1] and not os.access(hook, os.X_OK):
        hint = f"Run: {places.command('restart')}"
        yield Warning("The commit hooks are not installed.", hint=hint, id="doctor.W007")


def check_server(timeout, **kwargs):
    port = places.port()
    if not listeners.server_was_started():
        return  # a container of `docker compose run`, for example
    if listeners.server_runs():
        if not listeners.listens(port, timeout):
            why = f"Its log says why: {places.command('log')}"
            yield Warning(f"The server does not answer on port {port}.", hint=why, id="doctor.W010")
    elif listeners.listens(port):
        hint = f"End it, then run: {places.command('restart')}"
        yield Warning(
            f"Port {port} is taken by something else than this project's server.", hint=hint, id="doctor.W008"
        )
    else:
        yield Warning("The server does not run.", hint=f"Run: {places.command('restart')}", id="doctor.W009")


def check_interpreter(**kwargs):
    venv = os.environ.get("VIRTUAL_ENV") if places.place() in IN_CONTAINER else ROOT / ".venv"
    if venv and os.path.exists(venv) and os.path.realpath(sys.prefix) != os.path.realpath(venv):
        leave = "deactivate" if places.place() in IN_CONTAINER else f"{places.command('manage')} …"
        yield Warning(
            f"This is {sys.executable}, not this environment's {venv}/bin/python.",
            hint=f"In VS Code run 'Python: Select Interpreter'; in a terminal: {leave}.",
            id="doctor.W012",
        )


def check_packages(**kwargs):
    names = (
        ["requirements.txt", "requirements-dev.txt"] if places.place() in IN_CONTAINER else ["requirements-native.txt"]
    )
    requirements = "".join((ROOT / name).read_text() for name in names)
    pins = re.findall(r"^([\w.-]+)==([\w.]+)( ;)?", requirements, re.MULTILINE)  # and whether for some platforms alone
    stale = [f"{name} {pin}" for name, pin, marker in pins if not marker and not is_installed(name, pin)]
    if stale:
        yield Warning(
            f"Not installed as the requirements say: {', '.join(stale)}.",
            hint=f"Run: {places.command('rebuild')}",
            id="doctor.W013",
        )


def is_installed(name, pin):
    # psycopg2-binary is the same program without the need for a compiler.
    return pin == installed(name) or (name == "psycopg2" and pin == installed("psycopg2-binary"))


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def run(*command):
    """Run *command* in the project's folder; return its exit status, and its answer or the error."""
    try:
        process = subprocess.run(  # noqa: S603 the commands are this module's
            command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return process.returncode, (process.stderr if process.returncode else process.stdout).strip()
