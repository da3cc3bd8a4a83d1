"""Waits as a project's own code would, and prints what comes of it."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()

from polls.wait_for_db import LoginCheck, NeverReady, TimedOut, wait_for
from psycopg2.extensions import get_wait_callback

wait_for([LoginCheck("default")], timeout=60)
for alias, expected, seconds in (("wrong", NeverReady, 60), ("down", TimedOut, 5)):
    try:
        wait_for([LoginCheck(alias)], seconds)
    except expected as error:
        print(alias, error.cause.name)
print(get_wait_callback())
