"""Tells the supervisor which saved files concern the server."""

import sys
import threading
from pathlib import Path

import watchfiles

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"
RESTARTING_SUFFIXES = {".html", ".mo", ".py"}


def start(events):
    """Put ("changed", path) into *events* from now on."""
    dotenv = [ROOT], lambda change, path: path == str(ROOT / ".env"), False
    for arguments in ([APP], Filter(), True), dotenv:
        threading.Thread(target=watch, args=[events, *arguments], daemon=True).start()


class Filter(watchfiles.DefaultFilter):
    """Code, templates and compiled translations: Django reads these once. Static files it reads at each request."""

    def __call__(self, change, path):
        if not super().__call__(change, path):
            return False
        path = Path(path)
        if change == watchfiles.Change.added and path.is_dir():  # what is in a new one may have been missed
            return any(is_read_once(file) for file in path.rglob("*"))
        return is_read_once(path)


def is_read_once(file):
    folders = set(file.relative_to(APP).parts[:-1])
    if folders & {"templates", "jinja2"}:
        return True
    return "static" not in folders and file.suffix in RESTARTING_SUFFIXES


def watch(events, folders, watch_filter, recursive):
    options = {
        "watch_filter": watch_filter,
        "recursive": recursive,
        "debounce": 200,
        "step": 20,
        "rust_timeout": 3_600_000,
    }
    try:
        report(events, watchfiles.watch(*folders, **options))
    except (OSError, RuntimeError) as error:  # of watchfiles, too
        print(f"No file events ({error}): looking through all files every second instead.", file=sys.stderr, flush=True)
        report(events, watchfiles.watch(*folders, **options, force_polling=True, poll_delay_ms=1000))


def report(events, changes):
    for change in changes:
        events.put(("changed", sorted(Path(path) for _, path in change)))
