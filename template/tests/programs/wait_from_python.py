"""Waits as a project's own code would, and prints what comes of it."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from polls.wait_for_db import LoginCheck, NeverReady, TimedOut, wait_for
from psycopg2.extensions import get_wait_callback

wait_for([LoginCheck("default")], timeout=10)
for alias, expected in (("wrong", NeverReady), ("down", TimedOut)):
    try:
        wait_for([LoginCheck(alias)], timeout=0.5)
    except expected as error:
        print(alias, error.cause.name)
print(get_wait_callback())
