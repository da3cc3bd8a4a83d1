"""The loop behind serve.py: two children, the waiter (wait_for_db) and the server (runserver), and what happens to them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from importlib.util import cache_from_source
from pathlib import Path
from queue import Empty, SimpleQueue

from core import places
from environment import identity, locks, steps, watching
from environment.debugging import Listener
from environment.health import Health

ROOT = watching.ROOT
DEATHS = 3  # a server that is killed, or that crashes, is started again as often
WAITS = 10  # of a minute each, for the stack's own database, before the pages are served without it
RETRY_SECONDS = 30  # for what is fixed outside app/, by `pip install` for example
execv = os.execv  # a debugger replaces it by one that would debug the new program, too


def say(text):
    print(text, file=sys.stderr, flush=True)


def forget_bytecode(path):
    """Python tells the age of bytecode in whole seconds, so a second edit of the same size may look like the first."""
    if path.suffix == ".py":
        with contextlib.suppress(OSError):  # another user's
            Path(cache_from_source(path)).unlink()


def is_own_database_there():
    """Whether the stack's own database container runs, which then has a name."""
    return os.environ.get("DB_HOST") == "db" and steps.Answer("getent", "hosts", "db").status == 0


class Supervisor:
    """
    Reacts to events, each a name and a value: ("changed", paths), ("ended", process), ("debug", whether a client is
    attached), ("signal", number). A handler that returns an exit status ends the loop.
    """

    def __init__(self, *, in_background, debug):
        self.in_background = in_background
        self.events = SimpleQueue()
        self.waiter = self.server = None
        self.is_migrated = self.has_waited = False
        self.has_loaded = threading.Event()  # or the database was there: what fails then fails again
        self.waits = 0
        self.said = ""  # by the waiter
        self.has_changed_dotenv = False
        self.crash = None  # the exit status of a server that ended while the waiter was at work
        self.deaths = 0  # of servers, since one answered
        in_container = places.place() != "native"
        self.address = f"{'0.0.0.0' if in_container else '127.0.0.1'}:{places.port()}"  # noqa: S104 in our own container alone
        self.health = Health(places.port())
        # A debugger's port has no password: outside of a container it is open on request only.
        self.debugger = Listener(self.events) if in_container or debug else None

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: self.events.put(("signal", number)))
        watching.start(self.events)
        for helper in filter(None, [self.health, self.debugger]):
            helper.start()
        threading.Thread(target=self.look_for_database, daemon=True).start()
        places.asked_early_file().unlink(missing_ok=True)
        self.say_waiting("Loading Django …")
        self.wait_for_database()
        self.start_server()  # beside the waiter: it loads meanwhile, and holds back its pages
        status = None
        while status is None:
            name, value = self.next_event()
            status = getattr(self, f"on_{name}")(value)
        self.end(self.server)
        self.end(self.waiter)
        places.starting_file().unlink(missing_ok=True)
        return status

    def next_event(self):
        try:
            return self.events.get(timeout=None if self.waiter or self.server else RETRY_SECONDS)
        except Empty:
            return "retry", None

    def on_signal(self, number):
        return 128 + number

    def on_changed(self, paths):
        if paths == [ROOT / ".env"]:
            if self.has_changed_dotenv:
                self.has_changed_dotenv = False
                return
            say(f".env changed. To apply it: {places.command('rebuild')}")
            return
        if self.server:
            say(f"{paths[0].relative_to(ROOT)} changed: restarting.")
        self.end(self.server)
        for path in paths:
            forget_bytecode(path)
        if self.server:
            self.start_server()
        if not (self.server and self.is_migrated):
            self.resume()

    def on_retry(self, _):
        self.resume()

    def on_debug(self, is_attached):
        if is_attached:
            self.start_server()
            return
        self.end(self.server)
        self.end(self.waiter)
        self.debugger.hand_on()
        execv(sys.executable, [sys.executable, *sys.argv])  # without the debugger, which slows every reload

    def on_ended(self, process):
        if process is self.waiter:
            self.waiter = None
            return self.on_waited(process.returncode)
        if process is self.server:
            self.server = None
            self.deaths = 1 if self.health.state == "ready" else self.deaths + 1
            if process.returncode < 0 and self.deaths <= DEATHS:
                self.health.report("starting")
                say(f"The server was killed (signal {-process.returncode}): starting it again.")
                self.start_server()
                return None
            self.crash = process.returncode
            if not self.waiter:
                self.say_crash()
        return None

    def say_crash(self):
        self.health.report("failed")
        say(
            f"{steps.SERVER_ENDED} (exit status {self.crash}, see above). It starts again when a file in app/ is saved."
        )

    def on_waited(self, status):
        """The exit statuses are those of wait_for_db."""
        if status == 1 and not (self.has_waited or self.has_loaded.is_set()):
            self.has_loaded.set()  # code that asks the database while it is loaded: once more, when that is there
            self.wait_for_database("sh", "environment/entrypoint")
            return None
        if status == 124 and not self.has_waited and self.waits < WAITS and is_own_database_there():
            self.wait_for_database()  # a first start that loads a dump, for example
            return None
        if status in {2, 3} and not (self.in_background or self.has_waited):
            return status  # Compose then knows at once; an editor shows the page that says why
        self.has_waited, self.is_migrated = True, status == 0
        if self.is_migrated:
            self.has_changed_dotenv = identity.keep(os.environ.get(identity.VARIABLE))
        else:
            self.health.report("failed")
            say(f"{steps.WITHOUT_DATABASE}, or some of its migrations (exit status {status}, see above).")
        places.starting_file().unlink(missing_ok=True)
        asked_early = places.asked_early_file().exists()
        places.asked_early_file().unlink(missing_ok=True)
        if self.server and not (self.is_migrated and asked_early):
            self.health.watch()
        elif self.is_migrated or self.crash is None:
            self.start_server()
        else:
            self.say_crash()
        if status == 124:
            self.wait_for_database()
        return None

    def resume(self):
        self.crash = None
        if self.is_migrated:
            self.start_server()
        elif not self.waiter:
            self.wait_for_database()

    def look_for_database(self):
        """Whether it accepts connections before the waiter looks."""
        address = [f"--host={os.environ.get('DB_HOST')}", f"--port={os.environ.get('DB_PORT')}"]
        if steps.Answer("pg_isready", "--quiet", "--timeout=3", *address).status == 0:
            self.has_loaded.set()

    def wait_for_database(self, *prefix):
        self.waits += 1
        self.waiter = self.start(
            "waiter",
            [*prefix, sys.executable, "app/manage.py", "wait_for_db", "--migrate"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def on_output(self, chunk):
        """The waiter's; a line is shown before it is whole, for migrate ends it after the migration."""
        text = chunk.decode(errors="replace")
        print(text, end="", file=sys.stderr, flush=True)
        self.said = (self.said + text)[-4000:]
        if "Waiting for " in self.said or " is ready (" in self.said:
            self.has_loaded.set()
        self.say_waiting(next((line for line in reversed(self.said.splitlines()) if line.strip()), ""))

    def say_waiting(self, text):
        """What the held back pages show."""
        if not self.has_waited:
            places.starting_file().write_text(text, encoding="utf-8")

    def start_server(self):
        self.end(self.server)
        self.crash = None
        options = ["-Xfrozen_modules=off"] if self.debugger and self.debugger.is_attached else []
        self.server = self.start("runserver", [sys.executable, *options, "environment/server.py", self.address])
        self.health.watch()

    def start(self, name, command, **options):
        """Start a child. It inherits a lock, so that a later supervisor finds and ends what a killed one left."""
        with (places.state_folder() / f"{name}.lock").open("a+") as lock:
            locks.take_over(lock)
            options |= {"stdin": subprocess.DEVNULL, "pass_fds": [lock.fileno()], "start_new_session": True}
            process = subprocess.Popen(command, cwd=ROOT, **options)
            locks.write_pid(lock, process.pid)
        output = threading.Thread(target=self.report_output, args=[process], daemon=True)
        output.start()
        threading.Thread(target=self.report_end, args=[process, output], daemon=True).start()
        return process

    def report_output(self, process):
        while process.stdout and (chunk := os.read(process.stdout.fileno(), 65536)):
            self.events.put(("output", chunk))

    def report_end(self, process, output):
        process.wait()
        output.join(timeout=1)  # what a migration has started, and left, may keep the pipe open
        self.events.put(("ended", process))

    def end(self, process):
        """SIGKILL follows, for a process that a debugger has stopped answers nothing."""
        if process:
            for number, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, None)):
                try:
                    os.killpg(process.pid, number)
                    process.wait(seconds)
                except ProcessLookupError:
                    return
                except subprocess.TimeoutExpired:
                    continue
