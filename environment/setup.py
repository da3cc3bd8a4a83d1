#!/usr/bin/env python3
"""
Makes the dev container ready, and says whether it is.

Its record is setup.json in the state folder: the steps that ran, and "running", "ready" or "failed" for the whole. The
page at / and every new terminal read it. A suite of tests that takes long goes on in the background; the environment is
open meanwhile, and ready when they have passed.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "app")]

from core import places  # noqa: E402 the path comes first
from environment import hooks, locks, serve, steps  # noqa: E402

STATE, PROGRESS = places.state_folder(), places.tests_progress_file()
RECORD, LOCK, LOG = STATE / "setup.json", STATE / "setup.lock", STATE / "setup.log"
SERVE = [sys.executable, "environment/serve.py"]
WAIT = ["sh", "environment/entrypoint", sys.executable, "app/manage.py", "wait_for_db", "--migrate"]
NO_TESTS_COLLECTED = 5  # pytest's exit status
TESTS = [sys.executable, "-m", "pytest", "-p", "environment.tests_progress"]
COLOR = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}  # pytest sees a pipe
NEW_SECONDS = 3  # as long after a setup there is nothing new for the doctor to find
RED, GREEN, BLUE = 41, 42, 44


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--start", action="store_true", help="start the server, finish a setup that was cut off, look for problems"
    )
    action.add_argument("--status", action="store_true", help="say so if the environment is not ready; exit 1 then")
    parser.add_argument(
        "--test-seconds",
        default=5.0,
        type=float,
        metavar="SECONDS",
        help="how long to wait for the tests, which then go on in the background; default: %(default)s",
    )
    arguments = parser.parse_args()
    if places.place() == "native":
        sys.exit("This sets up the dev container. Without Docker, ./dev up does it.")
    STATE.mkdir(parents=True, exist_ok=True)
    if arguments.status:
        return say_status()
    with LOCK.open("a+") as lock:  # one at a time; and while it is held, a setup is running
        if arguments.start:
            return start(lock, arguments.test_seconds)
        if not locks.acquire(lock, seconds=1):  # who looks whether it runs holds the lock for a moment
            take_over(lock)
        return set_up(lock, arguments.test_seconds)


def take_over(lock):
    """A setup by hand ends the tests that another one left running, and begins anew."""
    print("Another setup is running: this one ends its tests.", flush=True)
    while not locks.acquire(lock, seconds=0.5):
        if pid := locks.read_pid(lock):  # it is at its tests
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def start(lock, test_seconds):
    """Every start of the dev container."""
    if not locks.is_held(serve.LOCK):
        subprocess.run([*SERVE, "--detach"], cwd=ROOT, check=False)
    if not locks.acquire(lock, seconds=1):
        say_status()
        return 0
    lock.truncate(0)
    record = read_record()
    if (record or {}).get("status") not in {"ready", "failed"}:
        return set_up(lock, test_seconds)  # it was cut off, maybe before its record was there: the lock is free
    if time.time() < RECORD.stat().st_mtime + NEW_SECONDS:
        return say_status()
    doctor = [sys.executable, "app/manage.py", "doctor", "--timeout", "20", "--verbosity", "0"]
    with contextlib.suppress(subprocess.TimeoutExpired):  # opening is not held up for longer
        subprocess.run(doctor, cwd=ROOT, check=False, timeout=90)
    return say_status()


def set_up(lock, test_seconds):
    """Every step, in a process that goes on if the tests take long; its output is the log. Exit status 1 if one failed."""
    lock.truncate(0)
    PROGRESS.unlink(missing_ok=True)
    record = Record()
    LOG.write_text("")
    sys.stdout.flush()
    parent = os.getpid()
    worker = os.fork()  # it has the lock, too
    if worker:
        return follow(worker, test_seconds)
    os.setsid()
    with LOG.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    run_steps(lock, record)
    color, text = result(record.content)
    say(color, text)
    if os.getppid() != parent:
        tell_terminals(color, text)
    os._exit(int(bool(failed_steps(record.content))))


def run_steps(lock, record):
    record.step("folder", check_folder)
    record.step("git", describe_git)
    record.step("commit hooks", install_hooks)
    waits = not locks.is_held(serve.LOCK)
    started = run([*SERVE, "--detach"])
    tests = popen(TESTS, stdin=subprocess.PIPE)  # all but the project's own code is loaded while the database starts
    is_migrated = record.step("database", follow_supervisor if waits and not started[0] else WAIT)
    locks.write_pid(lock)
    if is_migrated:
        with contextlib.suppress(BrokenPipeError), tests.stdin as stdin:  # it may have ended, for want of a package
            stdin.write("\n")
    else:
        tests.kill()
    record.step("server", lambda: started if started[0] else wait_for_page(is_migrated))
    if is_migrated:
        record.step("tests", lambda: passed(*output_of(tests)))
    record.end()


def follow(worker, test_seconds):
    """Show the worker's log until it has ended, or the tests have taken as long as one waits for them."""
    deadline = None
    with LOG.open() as log:
        try:
            while True:
                ended, status = os.waitpid(worker, os.WNOHANG)
                print(log.read(), end="", flush=True)
                if ended:
                    return os.waitstatus_to_exitcode(status)
                record = read_record()
                if has_served(record):
                    deadline = deadline or time.monotonic() + test_seconds
                    if time.monotonic() > deadline:
                        say_status()
                        return int(bool(failed_steps(record)))
                time.sleep(0.02)
        except KeyboardInterrupt:
            os.killpg(worker, signal.SIGTERM)
            return 130


def has_served(record):
    """Whether the setup is at its tests, the last step."""
    return [step["name"] for step in (record or {}).get("steps", [])][-1:] == ["server"]


def failed_steps(record):
    return [str(step.get("name")) for step in record.get("steps", []) if step.get("status")]


def tell_terminals(color, text):
    """Those that are open, since nobody waits for the tests any more."""
    for terminal in Path("/dev/pts").glob("[0-9]*"):
        with contextlib.suppress(OSError), terminal.open("w") as stream:
            print(line(color, text), file=stream)


class Record:
    """The record of this run, written anew after each step, whole or not at all."""

    def __init__(self):
        self.started = time.monotonic()
        self.content = {
            "status": "running",
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "steps": [],
        }
        self.write()

    @property
    def seconds(self):
        return self.content["seconds"]

    def step(self, name, action):
        """Run a command, or a function that returns (exit status, text). Return whether it succeeded."""
        print(f"\n\033[1m▶ {name}\033[0m", flush=True)
        started = time.monotonic()
        status, output = action() if callable(action) else run(action)
        lines = [line.strip("= ") for line in without_colors(output).splitlines()]
        step = {"name": name, "seconds": round(time.monotonic() - started, 1), "status": status}
        self.content["steps"].append({**step, "summary": next((line for line in reversed(lines) if line), "")})
        self.write()
        return status == 0

    def end(self):
        self.content["status"] = "failed" if failed_steps(self.content) else "ready"
        self.write()

    def write(self):
        self.content["seconds"] = round(time.monotonic() - self.started, 1)
        new = RECORD.with_suffix(".new")
        new.write_text(json.dumps(self.content))
        new.replace(RECORD)


def read_record():
    """The last run's record; {} if it cannot be read, None if there is none."""
    try:
        record = json.loads(RECORD.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def run(command):
    """Return the exit status and the output, which is shown as it comes."""
    return output_of(popen(command))


def popen(command, **options):
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **COLOR}, **options)


def output_of(process):
    output = []
    for line in process.stdout:
        print(line, end="", flush=True)
        output.append(line)
    return process.wait(), "".join(output)


def passed(status, output):
    """A project that has no test yet has none that fails."""
    return 0 if status == NO_TESTS_COLLECTED else status, output


def follow_supervisor():
    """Show its log until it has migrated, or says why it has not."""
    output = ""
    with serve.LOG.open(errors="replace") as log:
        while True:
            is_waiting = places.starting_file().exists() and locks.is_held(serve.LOCK)
            text = log.read()
            print(text, end="", flush=True)
            output += text
            if not is_waiting:
                return int(steps.WITHOUT_DATABASE in output or not locks.is_held(serve.LOCK)), output
            time.sleep(0.02)


def wait_for_page(is_migrated):
    """Until the server answers, whatever it says of a database that is not migrated."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status, answer = steps.page_answer(places.PORT)
        if status and not (is_migrated and answer == "starting"):
            return show(f"The page answers, and the database: {answer if status in (200, 503) else 'not known'}")
        if steps.SERVER_ENDED in serve.LOG.read_text(errors="replace"):
            break
        time.sleep(0.05)
    text = f"The server does not answer. Its log says why: {places.command('log')}"
    print(text)
    return 1, text


def check_folder():
    problem = places.folder_problem()
    if problem:
        print(problem)
    return int(bool(problem)), problem


def describe_git():
    if not (ROOT / ".git").exists():
        return show("There is no git repository yet. After 'git init' run this again, for the commit hooks.")
    if (ROOT / ".git").is_file() and hooks.git(ROOT, "rev-parse", "--git-dir") is None:
        return show(
            "This is a worktree or a submodule, and its repository is outside the container: use git on the host."
        )
    return run(["git", "status", "--short", "--branch"])


def install_hooks():
    return show(hooks.install(ROOT))


def show(text):
    print(text)
    return 0, text


def without_colors(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def say_status():
    """Return 1, and say why, if the environment is not ready."""
    record = read_record()
    if record is None or record.get("status") == "ready":
        return 0
    if record.get("status") == "failed":
        say(*result(record))
    elif not locks.is_held(LOCK):
        say(RED, f"NOT READY: the setup was cut off. To run it again: {places.command('setup')}")
    elif has_served(record) and failed_steps(record):
        say(*result(record))
    elif has_served(record):
        say(BLUE, f"OPEN; {places.tests_progress()}. It is READY when they have passed. To follow them: tail -f {LOG}")
    else:
        say(RED, "NOT READY yet: the setup is running.")
    return 1


def result(record):
    """The color and the text for a setup that has ended."""
    if failed := failed_steps(record):
        return RED, f"NOT READY: {', '.join(failed)} failed. Fix it, then run: {places.command('setup')}"
    return GREEN, f"READY after {record['seconds']} s. The server listens on port {places.PORT}: see the tab Ports."


def say(color, text):
    print(f"\n{line(color, text)}", flush=True)


def line(color, text):
    return f"\033[1;37;{color}m {text} \033[0m"


if __name__ == "__main__":
    sys.exit(main())
