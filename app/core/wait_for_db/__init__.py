"""
Wait for PostgreSQL, as Django will use it.

    from .wait_for_db import LogIn, wait_for

    wait_for([LogIn("default")], timeout=60)

Needs Django and psycopg2. Works the same in another project: copy this folder and
management/commands/wait_for_db.py into one of its apps.
"""

from .causes import HINTS, Cause, classify
from .checks import LogIn, Migrated, MigrationLock
from .progress import Progress, outcome
from .session import NotReady
from .waiting import GaveUp, NeverReady, TimedOut, wait_for

__all__ = [
    "HINTS",
    "Cause",
    "GaveUp",
    "LogIn",
    "Migrated",
    "MigrationLock",
    "NeverReady",
    "NotReady",
    "Progress",
    "TimedOut",
    "classify",
    "outcome",
    "wait_for",
]
