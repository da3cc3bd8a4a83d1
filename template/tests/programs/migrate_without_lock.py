"""The control: wait_for_db --migrate with its lock taken out, in many processes at the same moment."""

import os

import django
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from django.db import connection
from polls.wait_for_db import MigrationLock

with connection.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_lock_shared(42)")  # the gate, which the test opens when all are here
connection.close()

MigrationLock.__call__ = lambda self, seconds: None
execute_from_command_line(["manage.py", "wait_for_db", "--migrate"])
