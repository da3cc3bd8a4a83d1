"""Django's runserver, as the supervisor starts it: server.py ADDRESS:PORT"""

import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent / "app")

import manage  # noqa: E402 the path comes first
from core import places  # noqa: E402


def main(address):
    os.environ.setdefault("DJANGO_RUNSERVER_HIDE_WARNING", "true")
    if "pydevd" not in sys.modules:
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
    # The supervisor has migrated. Django's own check ends the server if the database is down.
    BaseCommand.check_migrations = lambda self: None
    Command.on_bind = lambda self, port: print(f"Serving {places.url()}", flush=True)  # the port that a browser uses


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
