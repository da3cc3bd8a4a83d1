"""Django's runserver, as the supervisor starts it: server.py ADDRESS:PORT"""

import html
import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent / "app")

import manage  # noqa: E402 the path comes first
from core import places  # noqa: E402

STARTING_PAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="1">
<meta name="viewport" content="width=device-width">
<title>Starting …</title>
<style>:root {{ color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif }} body {{ max-width: 40rem; margin: 20vh auto; padding: 0 1rem }}</style>
<h1>Starting …</h1>
<p>This page reloads by itself as soon as the database is ready and its migrations are applied.</p>
<p><code>{}</code></p>
"""


def main(address):
    os.environ.setdefault("DJANGO_RUNSERVER_HIDE_WARNING", "true")
    if "pydevd" not in sys.modules and not os.environ.get("PYTHONBREAKPOINT"):
        sys.breakpointhook = explain_breakpoint
    prepare_runserver()
    sys.argv = ["app/manage.py", "runserver", "--noreload", address]
    manage.main()


def prepare_runserver():
    """Only while Django is there: manage.py explains its absence."""
    try:
        from django.core.management.base import BaseCommand
        from django.core.management.commands.runserver import Command
    except ImportError:
        return
    # The supervisor migrates. Django's own check ends the server if the database is down.
    BaseCommand.check_migrations = lambda self: None
    hold_back_pages()
    remember_early_questions()
    Command.on_bind = lambda self, port: print(f"Serving {places.url()}", flush=True)  # the port that a browser uses


def hold_back_pages():
    """Until the database is migrated each page says so: no view meets a missing table. /livez alone needs none."""
    from django.core.handlers.base import BaseHandler
    from django.http import HttpResponse

    starting = places.starting_file()

    def answer(request):
        try:
            waited_for = starting.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has started
            return None
        if request.path_info == "/livez":
            return None
        headers = {"Cache-Control": "no-store", "Retry-After": "1"}
        if request.path_info == "/readyz":
            return HttpResponse("starting\n", "text/plain", 503, headers=headers)
        return HttpResponse(STARTING_PAGE.format(html.escape(waited_for)), status=503, headers=headers)

    get_response, get_response_async = BaseHandler.get_response, BaseHandler.get_response_async

    async def answer_async(handler, request):
        return answer(request) or await get_response_async(handler, request)

    BaseHandler.get_response = lambda handler, request: answer(request) or get_response(handler, request)
    BaseHandler.get_response_async = answer_async


def remember_early_questions():
    """Code that asks the database while it is loaded, and bears its absence, is to be loaded again once it is there."""
    from django.db.backends.base.base import BaseDatabaseWrapper

    ensure_connection = BaseDatabaseWrapper.ensure_connection

    def remember(connection):
        if places.starting_file().exists():
            places.asked_early_file().touch()
        else:
            BaseDatabaseWrapper.ensure_connection = ensure_connection
        ensure_connection(connection)

    BaseDatabaseWrapper.ensure_connection = remember


def explain_breakpoint(*args, **kwargs):
    """Without a debugger Python's own would read from a terminal that is not there, and end the request."""
    caller = sys._getframe(1)
    print(
        f"breakpoint() in {caller.f_code.co_filename}, line {caller.f_lineno}, was passed: no debugger is attached. "
        f"{places.command('debug')}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1])
