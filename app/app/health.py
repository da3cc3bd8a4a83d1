"""
For machines that ask whether to send traffic here.

/livez: the process answers. /readyz: its database does too, and has every migration; else 503 and the cause's name,
which tells nobody where the database is.

A middleware, and the first one: no ALLOWED_HOSTS, redirect to HTTPS, session or transaction comes between a probe and
its answer.
"""

from core.wait_for_db import LogIn, NotReady
from core.wait_for_db.checks import unapplied_migrations
from django.db import DatabaseError, connection
from django.http import HttpResponse

SECONDS = 2


def probes(get_response):
    def middleware(request):
        if request.path_info == "/livez":
            return answer()
        if request.path_info == "/readyz":
            return answer(why_not_ready())
        return get_response(request)

    return middleware


def answer(reason=""):
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(f"{reason or 'ok'}\n", "text/plain", 503 if reason else 200, headers=headers)


def why_not_ready():
    try:
        LogIn(connection.alias)(SECONDS)
        return "unapplied" if unapplied_migrations(connection) else ""
    except NotReady as error:
        return error.cause.name
    except DatabaseError:
        return "connection_failure"
