"""Whether the database's disk has room, as far as one of its clients can tell."""

from django.db import DatabaseError, connections, transaction
from psycopg2.errors import DiskFull

TAKERS = """
SELECT 'the database ' || datname, pg_database_size(oid) AS size FROM pg_database
UNION ALL SELECT 'the write-ahead log', sum(size)::bigint FROM pg_ls_waldir()
ORDER BY size DESC LIMIT 3
"""


def shortage(alias):
    """What takes the room of a disk that is full, the most first. "" if a small write succeeds; it is rolled back."""
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE room AS SELECT repeat(i::text, 10) FROM generate_series(1, 5000) AS i"
            )
            transaction.set_rollback(True, using=alias)
    except DatabaseError as error:
        return takers(alias) if isinstance(error.__cause__, DiskFull) else ""  # other checks tell of other errors
    return ""


def takers(alias):
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(TAKERS)
            found = ", ".join(f"{what} {size / 2**20:,.0f} MB" for what, size in cursor.fetchall())
            return f"What takes most room: {found}"
    except DatabaseError:
        return "What takes the room cannot be told"
