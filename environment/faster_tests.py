"""
The pytest plugin that lets tests wait for less than the defaults of Django and pytest-django do:

- The test database is migrated once, kept as a template, and copied by every later run and by every worker of
  `pytest -n`, until something that makes it has changed: see `fingerprint`.
- Each run has a test database of its own, also beside another run.
- Commits of the tests do not wait for the disk. Those of all other databases do.
- The end of pytest does not walk over all of Django once more.

`pytest --create-db` makes the template anew; `-p no:environment.faster_tests` leaves all of it out.
"""

import contextlib
import gc
import hashlib
import importlib.util
import inspect
import modulefinder
import os
import sys
import sysconfig
import time
import weakref
from importlib import import_module
from pathlib import Path
from unittest import mock

import pytest
from django.apps import apps
from django.conf import settings
from django.core import management
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.models import signals

from core import test_databases

ROOT = Path(__file__).resolve().parent.parent
LOCK_SECONDS = 60  # for another run that makes the template
LONG_SECONDS = 30  # from here on it is worth while to say that several processes would be quicker
STARTED = time.monotonic()


def pytest_sessionstart(session):
    if settings.configured:
        for connection in filter(is_postgresql, connections.all()):
            options = connection.settings_dict["OPTIONS"]
            options["options"] = f"{options.get('options', '')} -c synchronous_commit=off".strip()


def pytest_terminal_summary(terminalreporter, config):
    seconds, cores = time.monotonic() - STARTED, os.cpu_count() or 1
    if seconds > LONG_SECONDS and cores > 1 and getattr(config.option, "numprocesses", 1) is None:
        terminalreporter.write_line(f"The tests took {seconds:.0f} s on one of {cores} cores. On all: pytest -n auto")


def pytest_unconfigure():
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Around pytest-django's own fixture that makes the test databases; a project's may extend or replace that."""
    option = request.config.option
    is_theirs = fixturedef.argname == "django_db_setup" and fixturedef.func.__module__ == "pytest_django.fixtures"
    if not is_theirs:
        return (yield)
    request.getfixturevalue("django_db_modify_db_settings")  # the names of xdist's databases
    unblock = request.getfixturevalue("django_db_blocker").unblock
    with unblock():
        test_databases.claim_names(keep=option.reuse_db)
    if option.reuse_db or option.nomigrations:
        return (yield)
    current = fingerprint()
    with contextlib.ExitStack() as stack:
        with unblock():
            migrated = databases_of(filter(is_migrated, connections.all())) if current else []
            templates = [stack.enter_context(locked_template(connection, current)) for connection in migrated]
        templates = list(filter(None, templates))
        copied = {template.connection.alias for template in templates if template.offer(anew=option.create_db)}
        with mock.patch.object(management, "call_command", but_for(copied, management.call_command)):
            result = yield
        with unblock():
            for template in templates:
                if template.connection.alias not in copied:
                    template.keep()
        return result


def is_postgresql(connection):
    return connection.vendor == "postgresql"


def is_migrated(connection):
    """Whether migrations make the whole of the test database, and the project has not said otherwise."""
    test = connection.settings_dict["TEST"]
    return is_postgresql(connection) and test["MIGRATE"] and not test["MIRROR"] and not test.get("TEMPLATE")


def databases_of(aliases):
    """One connection for each database: several aliases may name the same one."""
    return {connection.creation.test_db_signature(): connection for connection in reversed([*aliases])}.values()


def but_for(aliases, call_command):
    """The copies need neither `migrate` nor `createcachetable`, which is all that Django calls meanwhile."""

    def call(name, *arguments, **options):
        if options.get("database") not in aliases:
            call_command(name, *arguments, **options)

    return call


@contextlib.contextmanager
def locked_template(connection, current):
    """One run at a time makes or copies it. None if another one takes too long, or its server cannot be reached."""
    with contextlib.ExitStack() as stack:
        try:
            cursor = stack.enter_context(connection._nodb_cursor())
            template = Template(connection, cursor, current)
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [template.name])
        except DatabaseError:
            template = None
        yield template


class Template:
    """A database NAME_tests_template, which nobody can connect to. Its comment is the fingerprint of what made it."""

    def __init__(self, connection, cursor, current):
        self.connection, self.cursor, self.fingerprint = connection, cursor, current
        self.development = connection.settings_dict["NAME"]
        self.name = f"{self.development}_tests_template"

    def offer(self, *, anew):
        """Let Django copy the template, if that is up to date. Return whether it is."""
        find = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        self.cursor.execute(find, [self.name])
        is_current = self.cursor.fetchone() == (self.fingerprint,) and not anew
        if is_current:
            self.connection.settings_dict["TEST"]["TEMPLATE"] = self.name
        return is_current

    def keep(self):
        """Copy the database that was migrated, before a test changes it. Without the copy, tests are as slow as before."""
        if self.connection.settings_dict["NAME"] == self.development:
            return  # no test needs this database, so none was made for tests
        self.connection.close()
        quote = self.connection.ops.quote_name
        name, migrated = quote(self.name), quote(self.connection.settings_dict["NAME"])
        with contextlib.suppress(DatabaseError):
            self.cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            self.cursor.execute(f"CREATE DATABASE {name} TEMPLATE {migrated} ALLOW_CONNECTIONS false")
            self.cursor.execute(f"COMMENT ON DATABASE {name} IS '{self.fingerprint}'")


def fingerprint():
    """
    Of all that makes the test database: the installed packages, the folders of migrations and fixtures, and the project's
    modules that the settings, migrations, database routers and receivers of post_migrate are in or import. None if an app
    has models and no migrations, since Django makes its tables from the models themselves; or if not all of these modules
    can be found: modulefinder does not know packages without an __init__.py.
    """
    folders = [Path(folder) for folder in settings.FIXTURE_DIRS]
    modules = [import_module(settings.SETTINGS_MODULE), *map(import_module, router_modules()), *receivers_modules()]
    for app in apps.get_app_configs():
        folders.append(Path(app.path, "fixtures"))
        package = migrations_of(app)
        if package:
            folders.append(Path(package.__file__).parent)
            modules.append(package)
        elif any(app.get_models()):
            return None
    files = {file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    packages = os.stat(sysconfig.get_path("purelib")).st_mtime_ns
    digest = hashlib.sha256(f"{packages}".encode())
    try:
        files |= imported_files(filter(is_own, modules))
    except AttributeError:  # of modulefinder
        return None
    for file in sorted(files):
        digest.update(f"\0{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def migrations_of(app):
    """The package; None without one, and for a folder that is none, which Django passes over."""
    name, _ = MigrationLoader.migrations_module(app.label)
    package = import_module(name) if name and importlib.util.find_spec(name) else None
    return package if getattr(package, "__file__", None) else None


def receivers_modules():
    for _, receiver, *_ in signals.post_migrate.receivers:
        yield inspect.getmodule(receiver() if isinstance(receiver, weakref.ReferenceType) else receiver)


def router_modules():
    return (router.rpartition(".")[0] for router in settings.DATABASE_ROUTERS if isinstance(router, str))


def is_own(module):
    """Whether it is of this project, and not of a package in its .venv."""
    file = Path(getattr(module, "__file__", None) or "/").resolve()
    return file.is_relative_to(ROOT) and not file.is_relative_to(Path(sys.prefix).resolve())


def imported_files(modules):
    """The files of the project's *modules*, of those beside them in a package, and of all that these import."""
    finder = modulefinder.ModuleFinder(path=[str(ROOT / "app"), str(ROOT)])
    for module in modules:
        file = Path(module.__file__)
        beside = file.parent.glob("*.py") if file.name == "__init__.py" else []
        for name in [module.__name__, *(f"{module.__name__}.{other.stem}" for other in beside if other != file)]:
            with contextlib.suppress(ImportError, SyntaxError):  # Django says it, if it needs that module
                finder.import_hook(name)
    return {Path(module.__file__) for module in finder.modules.values() if module.__file__}
