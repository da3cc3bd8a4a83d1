"""How the tests run programs, Docker above all."""

import contextlib
import os
import secrets
import subprocess
from pathlib import Path

import pytest

from helpers.waiting import wait_until

TEMPLATE = Path(__file__).resolve().parents[2]
ROOT = TEMPLATE.parent
PROGRAMS = TEMPLATE / "tests/programs"

# In the name of all that a run makes outside of its own folder; its xdist workers inherit it.
RUN = os.environ.setdefault("TEMPLATE_RUN", f"slipway-{secrets.token_hex(3)}")

# The tests' projects know nothing of the variables of the person who runs the tests.
FOREIGN = ("ALLOWED_HOSTS", "APP_", "COMPOSE_", "CSRF_", "DB_", "DEBUG", "DEV_ENVIRONMENT", "DJANGO_", "PG", "PYTHON")
FOREIGN += ("POSTGRES_MAJOR", "SECRET_KEY", "VIRTUAL_ENV", "WATCHFILES_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def run(*command, check=True, apart=False, timeout=900, **options):
    """Run a command. Its stdout and stderr are one text, unless they are wanted *apart*; a failure shows both."""
    options = {"stdin": subprocess.DEVNULL} | options if "input" not in options else options
    stderr = subprocess.PIPE if apart else subprocess.STDOUT
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=timeout, **options
    )
    if check and done.returncode:
        shown = f"{done.stdout}{done.stderr or ''}"
        pytest.fail(f"{command} ended with exit status {done.returncode}:\n{shown}", pytrace=False)
    return done


def docker(*arguments, **options):
    """Docker's answer on stdout."""
    return run("docker", *arguments, apart=True, **options).stdout.strip()


@contextlib.contextmanager
def paused(container):
    """Nothing in the *container* (name or ID) goes on. The engine gives up at a process that waits for a slow disk."""
    wait_until(lambda: was_paused(run("docker", "pause", container, check=False)))
    try:
        yield
    finally:
        docker("unpause", container)


def was_paused(done):
    assert done.returncode == 0 or "unable to freeze" in done.stdout, done.stdout
    return done.returncode == 0


def kill_outside(pid):
    """`kill -9` on the engine's machine, as a crash would end a process. `docker kill` is a stop by hand."""
    docker("run", "--rm", "--pid=host", "--privileged", "postgres:18-trixie", "kill", "-9", str(pid))
