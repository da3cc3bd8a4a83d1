"""
Answers machines that ask whether to send traffic here.

/livez: the process answers. /readyz: its database answers too, and has every migration; else 503 and the cause's name,
which tells nobody where the database is. In production it costs one query of a session that is kept, says nothing but
"not ready", and stays ready while the database is away for READINESS_GRACE seconds: or each hiccup would take every
replica out of service. From the SIGTERM on it is not ready.

A middleware, and the first one: no ALLOWED_HOSTS, redirect to HTTPS, session or transaction comes between a probe and
its answer.
"""

import logging
import mmap
import threading
import time

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.http import HttpResponse

from core.wait_for_db import LoginCheck, NotReady
from core.wait_for_db.checks import limit_statements, unapplied_migrations

DATABASE_TIMEOUT = 5  # seconds
NEWS = 1  # seconds for which an answer in production is that of the probes to come, too

draining = mmap.mmap(-1, 1)  # shared with the server's other processes, which are forked from the one that sets it


def probes(get_response):
    logging.getLogger("django.server").addFilter(is_no_probe)
    production = Readiness() if hasattr(settings, "READINESS_GRACE") else None

    def middleware(request):
        if request.path_info == "/livez":
            return answer()
        if request.path_info == "/readyz":
            return answer(production.why_not() if production else why_not_ready())
        return get_response(request)

    return middleware


def is_no_probe(record):
    """Probes would fill the server's log until the reason of a failure is out of sight. gunicorn's args are a dict."""
    request = record.args["r"] if isinstance(record.args, dict) else (record.args or [""])[0]
    return not str(request).startswith(("GET /livez ", "GET /readyz ", "HEAD /livez ", "HEAD /readyz "))


def answer(reason=""):
    headers = {"Cache-Control": "no-store"}
    response = HttpResponse(f"{reason or 'ok'}\n", "text/plain", 503 if reason else 200, headers=headers)
    response._has_been_logged = True  # or Django logs each "Service Unavailable"
    return response


def why_not_ready():
    """Everything is asked anew, since everything changes while one develops."""
    try:
        LoginCheck(connection.alias)(DATABASE_TIMEOUT)
        with limit_statements(connection, DATABASE_TIMEOUT):
            return "unapplied" if unapplied_migrations(connection) else ""
    except NotReady as error:
        return error.cause.name
    except DatabaseError:
        return "connection_failure"
    except Exception as error:  # noqa: BLE001 whatever it is, it is not ready: migrations that cannot be loaded, for example
        return type(error).__name__


class Readiness:
    """Of one of the server's processes, in production."""

    def __init__(self):
        self.login = LoginCheck(DEFAULT_DB_ALIAS)
        self.lock = threading.Lock()
        self.good = None  # time.monotonic() of the last good answer

    def why_not(self):
        if draining[0]:
            return "not ready"
        # While one probe waits for a mute database the others do not, or they would take every thread of the server.
        if not self.is_good_for(NEWS) and self.lock.acquire(blocking=False):
            try:
                if self.is_ready():
                    self.good = time.monotonic()
            finally:
                self.lock.release()
        return "" if self.is_good_for(settings.READINESS_GRACE) else "not ready"

    def is_ready(self):
        """Migrations that were applied once stay so."""
        if self.good is None:
            return not why_not_ready()
        return self.answers() or self.answers()

    def is_good_for(self, seconds):
        return self.good is not None and time.monotonic() < self.good + seconds

    def answers(self):
        """Whether the database accepts writes; if not, the next try is with a new session."""
        try:
            self.login.ask(DATABASE_TIMEOUT)
        except (NotReady, ImproperlyConfigured):
            self.login.session.close()
            return False
        return True
