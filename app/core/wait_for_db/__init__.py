"""
Wait for PostgreSQL, as Django will use it.

    from .wait_for_db import LoginCheck, wait_for

    wait_for([LoginCheck("default")], timeout=60)

Needs Django and psycopg2. Works the same in another project: copy this folder and
management/commands/wait_for_db.py into one of its apps.
"""

from .blockers import Blockers
from .causes import HINTS, Cause, classify
from .checks import LoginCheck, MigrationLock, MigrationsCheck
from .progress import Progress, sentence
from .session import NotReady
from .waiting import GaveUp, NeverReady, TimedOut, wait_for

__all__ = [
    "HINTS",
    "Blockers",
    "Cause",
    "GaveUp",
    "LoginCheck",
    "MigrationsCheck",
    "MigrationLock",
    "NeverReady",
    "NotReady",
    "Progress",
    "TimedOut",
    "classify",
    "sentence",
    "wait_for",
]
