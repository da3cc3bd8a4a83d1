"""The development database in a file, of pg_dump's custom format. *server* is a snapshots.Server."""

import os
import re
import subprocess

from django.apps import apps
from django.core.management.base import CommandError
from django.db import DatabaseError

from core import snapshots

COLLATION = """
SELECT format('ENCODING %%L LC_COLLATE %%L LC_CTYPE %%L LOCALE_PROVIDER ', pg_encoding_to_char(encoding), datcollate, datctype)
       || CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN format('icu ICU_LOCALE %%L', datlocale)
          ELSE format('builtin BUILTIN_LOCALE %%L', datlocale) END
FROM pg_database WHERE datname = %s
"""


def dump(server, file):
    """Write the database to *file*, which is there as a whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    try:
        options = ["--format=custom", f"--lock-wait-timeout={snapshots.LEAVE_SECONDS * 1000}", f"--file={new}"]
        run_program(server, "pg_dump", *options, database=server.database)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def load(server, file):
    """Replace the database by the content of *file*, once that has been loaded as a whole. Return as `restore` does."""
    check_file(server, file)
    server.run("DROP DATABASE IF EXISTS %I", server.work)
    owner, limit = server.owner_and_limit(server.database)
    create = f"CREATE DATABASE %I TEMPLATE template0 OWNER %I CONNECTION LIMIT {limit}"
    ((collation,),) = server.ask(COLLATION, server.database)
    server.run(f"{create} {collation}", server.work, owner)
    try:
        options = ["--exit-on-error", "--single-transaction", str(file)]
        run_program(server, "pg_restore", *options, database=server.work)
        check_content(server, file)
    except CommandError as error:
        server.run("DROP DATABASE IF EXISTS %I", server.work)
        raise CommandError(f"{error}\nThe database is as it was.") from None
    server.copy_settings(server.database)
    return server.replace(server.comment(server.database))


def check_file(server, file):
    listing = run_program(server, "pg_restore", "--list", str(file))
    found = re.search(r"Dumped from database version: (\d+)", listing)
    own = server.connection.pg_version // 10000
    if not found or int(found[1]) != own:
        raise CommandError(f"{file} is of PostgreSQL {found[1] if found else '(unknown)'}, and this server is {own}.")


def check_content(server, file):
    """It is a Django project's, and has no app that this one does not have."""
    labels = migrated_apps(server, server.work)
    foreign = labels - {app.label for app in apps.get_app_configs()} - migrated_apps(server, server.database)
    if foreign or not labels:
        what = f"has apps that this project has not: {', '.join(sorted(foreign))}" if foreign else "has no migrations"
        raise CommandError(f"{file} is not of this project: it {what}.")


def migrated_apps(server, database):
    """The labels of the apps whose migrations were ever applied there."""
    connection = server.connection.copy()
    connection.settings_dict["NAME"] = database
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT app FROM django_migrations")
            return {app for (app,) in cursor.fetchall()}
    except DatabaseError:
        return set()
    finally:
        connection.close()


def run_program(server, program, *options, database=None):
    """Its output. With *database* it logs into that, as Django does."""
    login, env = [], {}
    if database:
        settings = {**server.connection.settings_dict, "NAME": database}
        (_, *login), env = server.connection.client.settings_to_cmd_args_env(settings, [])
        login[-1:] = ["--no-password", f"--dbname={login[-1]}"]
    try:
        done = subprocess.run(
            [program, *login, *options],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise CommandError(f"{program} does not run: {error}") from None
    if done.returncode:
        raise CommandError(f"{done.stderr.strip()}\n{program} failed, see above.")
    return done.stdout
