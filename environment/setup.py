#!/usr/bin/env python3
"""
Makes the dev container ready, and says whether it is.

Its record is setup.json in the state folder: the steps that ran, and "running", "ready" or "failed" for the whole. The
page at / and every new terminal read it.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "app")]

from core import places  # noqa: E402 the path comes first
from environment import hooks, serve, steps  # noqa: E402

STATE = places.state_folder()
RECORD, LOCK = STATE / "setup.json", STATE / "setup.lock"
SERVE = [sys.executable, "environment/serve.py"]
RED, GREEN = 41, 42


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--start", action="store_true", help="start the server, finish a setup that was cut off, look for problems"
    )
    action.add_argument("--status", action="store_true", help="say so if the environment is not ready; exit 1 then")
    arguments = parser.parse_args()
    if places.place() == "native":
        sys.exit("This sets up the dev container. Without Docker, ./dev up does it.")
    STATE.mkdir(parents=True, exist_ok=True)
    if arguments.status:
        return say_status()
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time; and while it is held, a setup is running
        return start() if arguments.start else set_up()


def set_up():
    """Every step; the exit status is 1 if one failed."""
    record = Record()
    record.step("folder", check_folder)
    record.step("git", describe_git)
    record.step("commit hooks", install_hooks)
    is_migrated = record.step("database", [sys.executable, "app/manage.py", "wait_for_db", "--migrate"])
    started, said = run([*SERVE, "--detach"])  # it loads while the tests run
    if is_migrated:
        record.step("tests", [sys.executable, "-m", "pytest"])
    record.step("server", lambda: (started, said) if started else wait_for_page())
    record.end()
    if record.failed:
        return say_status()
    say(GREEN, f"READY after {record.seconds} s. The server listens on port {places.PORT}: see the tab Ports.")
    return 0


def start():
    """Every start of the dev container."""
    subprocess.run([*SERVE, "--detach"], cwd=ROOT, check=False)
    record = read_record()
    if record is not None and record.get("status") not in {"ready", "failed"}:
        return set_up()  # it was cut off: the lock is free
    doctor = [sys.executable, "app/manage.py", "doctor", "--timeout", "20", "--verbosity", "0"]
    with contextlib.suppress(subprocess.TimeoutExpired):  # opening is not held up for longer
        subprocess.run(doctor, cwd=ROOT, check=False, timeout=90)
    return say_status()


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

    @property
    def failed(self):
        return [step["name"] for step in self.content["steps"] if step["status"]]

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
        self.content["status"] = "failed" if self.failed else "ready"
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
    color = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}  # pytest sees a pipe
    output = []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **color},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    for line in process.stdout:
        print(line, end="", flush=True)
        output.append(line)
    return process.wait(), "".join(output)


def wait_for_page():
    """Until the server answers, whatever it says: its page knows what is wrong with the database."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status, answer = steps.page_answer(places.PORT)
        if status:
            return show(f"The page answers, and the database: {answer}")
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
    again = f"run: {places.command('setup')}"
    if record is None or record.get("status") == "ready":
        return 0
    if record.get("status") == "failed":
        failed = ", ".join(str(step.get("name")) for step in record.get("steps", []) if step.get("status"))
        say(RED, f"NOT READY: {failed} failed. Fix it, then {again}")
    elif is_running():
        say(RED, "NOT READY yet: the setup is running.")
    else:
        say(RED, f"NOT READY: the setup was cut off. To {again}")
    return 1


def is_running():
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def say(color, text):
    print(f"\n\033[1;37;{color}m {text} \033[0m", flush=True)


if __name__ == "__main__":
    sys.exit(main())
