"""
Answers machines that ask whether to send traffic here.

/livez: the process answers. /readyz: its database answers too, and has every migration; else 503 and the cause's name,
which tells nobody where the database is.

A middleware, and the first one: no ALLOWED_HOSTS, redirect to HTTPS, session or transaction comes between a probe and
its answer.
"""

import logging

from django.db import DatabaseError, connection
from django.http import HttpResponse

from core.wait_for_db import LoginCheck, NotReady
from core.wait_for_db.checks import limit_statements, unapplied_migrations

DATABASE_TIMEOUT = 5  # seconds


def probes(get_response):
    logging.getLogger("django.server").addFilter(is_no_probe)

    def middleware(request):
        if request.path_info == "/livez":
            return answer()
        if request.path_info == "/readyz":
            return answer(why_not_ready())
        return get_response(request)

    return middleware


def is_no_probe(record):
    """Probes would fill the development server's log until the reason of a failure is out of sight."""
    return not str(record.args[0] if record.args else "").startswith(("GET /livez ", "GET /readyz "))


def answer(reason=""):
    headers = {"Cache-Control": "no-store"}
    response = HttpResponse(f"{reason or 'ok'}\n", "text/plain", 503 if reason else 200, headers=headers)
    response._has_been_logged = True  # or Django logs each "Service Unavailable"
    return response


def why_not_ready():
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
