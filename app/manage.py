#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import os
import sys
import traceback
from pathlib import Path


def main():
    """Run administrative tasks."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        sys.exit(explain(error))
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # it names the setting and the next step: a traceback would hide that
        if "--traceback" in sys.argv:
            raise
        print(f"ImproperlyConfigured: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if "--traceback" in sys.argv or is_own(error):
            raise
        sys.exit(explain(error))


def is_own(error):
    """Whether the missing module would be one of this project."""
    name = (error.name or "").partition(".")[0]
    return not name or Path(__file__).resolve().parent.joinpath(name).exists()


def explain(error):
    from core import places

    app = str(Path(__file__).resolve().parent)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(app)]
    where = own[-1] if own and own[-1].filename != __file__ else None
    by = f" {where.filename}, line {where.lineno}, imports it." if where else " INSTALLED_APPS may name it."
    return (
        f"The package of the module {error.name!r} is not installed here.{by}\n"
        "Is it in pyproject.toml, and was environment/update-requirements run? Then the requirements are newer than "
        f"what is installed: {places.command('rebuild')}"
    )


if __name__ == "__main__":
    main()
