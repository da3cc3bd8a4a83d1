"""What wait_for_db, the page and the doctor advise here; wait_for_db/causes.py has the words for any other project."""

import shlex

from django.conf import settings

from core import places

QUOTED = str.maketrans({'"': '""'})


def hints():
    """A dict of causes to advice, by place."""
    database = settings.DATABASES["default"]
    if places.place() == "native":
        return native(database) if places.is_development() else {}
    return compose(database) if database["HOST"] == "db" else {}


def native(database):
    start = "Start the database: ./dev up. A shell that has an old port needs `. .dev/env` again."
    first = "The database was made with the first DB_USER and DB_NAME: set these back in .env ({} is not there), then ./dev up."
    return {
        "connection_refused": start,
        "invalid_catalog_name": first.format(database["NAME"]),
        "invalid_password": "./dev up writes the right password to .dev/env and .dev/env.json.",
        "invalid_authorization_specification": first.format(database["USER"]),
    }


def compose(database):
    """Commands for the host, with every name quoted as PostgreSQL and the shell need it."""
    user, name = database["USER"], database["NAME"]
    client = f"-p {shlex.quote(str(database['PORT']))} -U {shlex.quote(user)}"
    alter = f"ALTER ROLE \"{user.translate(QUOTED)}\" PASSWORD 'new'"
    psql = f"docker compose exec db psql {client} postgres -c {shlex.quote(alter)}"
    return {
        "name_not_resolved": (
            "The container of the database does not run. To see why, on the host:\n  docker compose logs db"
        ),
        "feature_not_supported": (  # environment/database says it; its text names what to do
            "The database was not started, and its data was not changed. After the change run, on the host:\n"
            f"  docker compose up --force-recreate {'--wait' if places.place() == 'compose' else '--detach db'}"
        ),
        "invalid_password": (
            "The database's volume keeps the user and the password of its first start. Set DB_USER and DB_PASS back to "
            f"those. Or, if the user is the same, give it the new password, on the host; no data is lost:\n  {psql}"
        ),
        "invalid_authorization_specification": (
            "PostgreSQL does not admit this address: the first start of the database was cut off before it was set up. If "
            "it holds no data yet, on the host, in the project's folder:\n  docker compose down --volumes"
        ),
        "invalid_catalog_name": (
            "The database's volume keeps the database of its first start. Set DB_NAME back to that, or create the new one, "
            f"on the host:\n  docker compose exec db createdb {client} {shlex.quote(name)}"
        ),
    }
