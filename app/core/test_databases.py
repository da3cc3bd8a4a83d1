"""A test database of its own for each run of tests: two at once would destroy each other's."""

import atexit
import collections
import contextlib
import itertools
import sys

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections


def claim_names(*, keep=False):
    """
    Give each PostgreSQL database of the settings a test database that no other run uses.

    A run that is to *keep* its test database has no choice: it takes the name if that is free.
    """
    same = collections.defaultdict(list)  # several aliases may name one database
    for connection in connections.all():
        if connection.vendor == "postgresql" and not connection.settings_dict["TEST"]["MIRROR"]:
            same[connection.creation.test_db_signature()].append(connection)
    for group in same.values():
        with contextlib.suppress(DatabaseError):  # its server may be away, and no test need it
            claim(group, keep)


def claim(group, keep):
    name = group[0].creation._get_test_db_name()
    session = contextlib.ExitStack()
    cursor = session.enter_context(group[0]._nodb_cursor())
    # Its advisory lock says that the name is in use, and ends with the process, however that ends.
    atexit.register(session.close)
    if keep:
        is_free(cursor, name)
        return
    claimed = next(one for one in names(name) if is_free(cursor, one))
    # A client may still be in the one that a killed run has left.
    cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [claimed])
    if claimed != name:
        print(f"Another run uses the database {name}: this one uses {claimed}.", file=sys.stderr)
        for connection in group:
            connection.settings_dict["TEST"]["NAME"] = claimed
    remove_others(cursor, name, claimed)


def remove_others(cursor, name, claimed):
    """What runs that were killed have left beside the one of that name."""
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [beside(name)])
    for (left,) in cursor.fetchall():
        if left != claimed and is_free(cursor, left):
            with contextlib.suppress(DatabaseError):  # it is gone already
                cursor.execute(f"DROP DATABASE {connections[DEFAULT_DB_ALIAS].ops.quote_name(left)} WITH (FORCE)")
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [left])


def names(name):
    """The name first."""
    yield name
    yield from (f"{beside(name)}{number}" for number in itertools.count(2))


def beside(name):
    """A name of PostgreSQL has 63 bytes at most."""
    return f"{name.encode()[:50].decode(errors='ignore')}_beside_"


def is_free(cursor, name):
    cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name])
    return cursor.fetchone() == (True,)
