"""
The pytest plugin of the setup's own test run, which may go on in the background: it writes down how many tests have run,
and takes databases of its own, so that `pytest` can be typed meanwhile.
"""

import json
import os
import sys
import time

import django.test  # noqa: F401 loaded while the database starts
import pytest
from django.conf import settings
from django.db import connections

from core import places

FILE = places.tests_progress_file()
EVERY_SECONDS = 0.5


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests():
    """Load the project's code when the setup says so, by a byte: the database is there and migrated then."""
    if "PYTEST_XDIST_WORKER" not in os.environ and not os.read(0, 1):
        sys.exit("The setup has ended.")
    return (yield)


def pytest_sessionstart(session):
    for connection in connections.all() if settings.configured else ():
        if connection.vendor == "postgresql":
            connection.settings_dict["TEST"]["NAME"] = f"{connection.creation._get_test_db_name()}_of_setup"
    if hasattr(session.config.option, "reuse_db"):  # of pytest-django; nobody would need what it keeps
        session.config.option.reuse_db = False
    if not hasattr(session.config, "workerinput"):  # of pytest-xdist
        session.config.pluginmanager.register(Progress())


class Progress:
    def __init__(self):
        self.done = self.total = 0
        self.write()

    def write(self):
        self.written = time.monotonic()
        new = FILE.with_suffix(".new")
        new.write_text(json.dumps({"done": self.done, "total": self.total}))
        new.replace(FILE)

    def pytest_collection_finish(self, session):
        self.total = len(session.items)
        self.write()

    def pytest_runtest_logfinish(self):
        self.done += 1
        if time.monotonic() > self.written + EVERY_SECONDS:
            self.write()
