#!/usr/bin/env python3
"""
The supervisor of the development server, the same for Compose, the dev container and the way without Docker. It waits
for the database, migrates, serves, and starts the server again after each edit.

In the project's own container it listens on port 8000 of every address, elsewhere on $APP_PORT of 127.0.0.1 alone.
One supervisor runs in each place; a second one only says so.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "app")]

from core import places  # noqa: E402 the path comes first
from environment import health, hooks, locks  # noqa: E402

STATE = places.state_folder()
LOCK, LOG = STATE / "server.lock", STATE / "server.log"


def main():
    arguments = parse_arguments()
    STATE.mkdir(parents=True, exist_ok=True)
    if arguments.health:
        return health.probe()
    if arguments.log:
        os.execvp("tail", ["tail", "-n", "+1", "-F", LOG])
    if arguments.stop or arguments.restart:
        stop()
    if arguments.detach or arguments.restart:
        return detach(arguments)
    return 0 if arguments.stop else run(arguments)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--detach", action="store_true", help="run in the background")
    action.add_argument("--stop", action="store_true", help="end the supervisor that runs in the background")
    action.add_argument("--restart", action="store_true", help="--stop, then --detach")
    action.add_argument("--log", action="store_true", help="follow the log of the one in the background")
    action.add_argument("--health", action="store_true", help="wait for news; exit 0 if the server is ready, else 1")
    action.add_argument("--in-background", action="store_true", help=argparse.SUPPRESS)  # what --detach starts
    parser.add_argument("--debug", action="store_true", help="let a debugger attach without Docker, too")
    return parser.parse_args()


def run(arguments):
    with LOCK.open("a+") as lock:
        if not locks.acquire(lock, seconds=2):  # who looks whether it runs holds the lock for a moment
            print(f"The server is already running. Its log: {places.command('log')}")
            return 0
        locks.write_pid(lock)
        try:
            places.load_variables()  # an editor's task has none of ./dev's
        except ValueError as error:
            sys.exit(f"{error}. Run: {places.command('up')}")
        hooks.install(ROOT)
        from environment.supervisor import Supervisor  # loads watchfiles, which a probe can do without

        return Supervisor(in_background=arguments.in_background, debug=arguments.debug).run()


def detach(arguments):
    with LOCK.open("a+") as lock:
        if not locks.acquire(lock):
            return 0
        places.starting_file().write_text("")  # from now on who follows the log knows that the supervisor waits
    command = [sys.executable, __file__, "--in-background", *(["--debug"] if arguments.debug else [])]
    with LOG.open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    while process.poll() is None and not locks.is_held(LOCK):
        time.sleep(0.02)
    if process.returncode:
        print(f"{LOG.read_text(errors='replace')}\nThe server did not start, see above.", file=sys.stderr)
    return process.returncode or 0


def stop():
    """The lock is held as long as the supervisor lives, so the number in it is the supervisor's."""
    with LOCK.open("a+") as lock:
        if locks.acquire(lock):
            return
        pid = locks.read_pid(lock)
        if os.getsid(pid) != pid:
            sys.exit(
                f"The server runs in the foreground: press Ctrl-C there, or on the host: {places.command('restart')}"
            )
        os.kill(pid, signal.SIGTERM)
        if not locks.acquire(lock, seconds=30):
            sys.exit(f"The server, process {pid}, has not ended within 30 s. Its log is {LOG}.")


if __name__ == "__main__":
    sys.exit(main())
