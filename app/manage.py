#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""

import importlib.util
import os
import sys
import traceback
from pathlib import Path

APP = Path(__file__).resolve().parent
if str(APP) not in sys.path:  # Python does not add it under PYTHONSAFEPATH
    sys.path.insert(0, str(APP))


def main():
    """Run administrative tasks."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    try:
        run()
    except ModuleNotFoundError as error:
        if "--traceback" in sys.argv or not is_missing_package(error):
            raise
        print(explain(error), file=sys.stderr)
        sys.exit(1)


def run():
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # it names the setting and the next step: a traceback would hide both
        if "--traceback" in sys.argv:
            raise
        print(f"ImproperlyConfigured: {error}", file=sys.stderr)
        sys.exit(2)


def is_missing_package(error):
    """Tell whether *error* is about a package as a whole; a wrong name inside of one is a mistake in the code."""
    package = (error.name or "").partition(".")[0]
    return bool(package) and not (APP / package).exists() and importlib.util.find_spec(package) is None


def explain(error):
    """Say which module is missing, what imports it, and what to do next."""
    from core.places import command, place

    package = error.name.partition(".")[0]
    text = f'The module "{error.name}" is not installed{importer(error, package)}.'
    if package == "django" and place() == "native":  # no Python but the one of ./dev has the packages
        return f"{text}\nRun: {command('manage', *sys.argv[1:])}"
    return (
        f"{text}\nIf its package is in the requirements, run: {command('rebuild')}\n"
        "If not, correct the name, or add the package to pyproject.toml first. --traceback shows more."
    )


def importer(error, package):
    """Name the place in the project's own files that asks for the module."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if APP in Path(frame.filename).parents and frame.filename != __file__]
    if own:
        return f"; {Path(own[-1].filename).relative_to(APP.parent)}, line {own[-1].lineno}, imports it"
    settings = sys.modules.get("app.settings")
    if any(entry.partition(".")[0] == package for entry in getattr(settings, "INSTALLED_APPS", ())):
        return "; INSTALLED_APPS in app/app/settings.py names it"
    return ""


if __name__ == "__main__":
    main()
