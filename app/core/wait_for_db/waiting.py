"""Wait for checks, within a deadline, and within reach of signals."""

import queue
import threading
import time

from .causes import Cause
from .session import NotReady

# An attempt without an answer may take as long as all before it, and at least so long.
ATTEMPT_SECONDS = 5.0
LONGEST_PAUSE = 0.2
# What even a timeout of 0 gives the first attempt.
SHORTEST_TIMEOUT = 0.2


class GaveUp(Exception):
    """Waiting for `watcher.check` ended for `cause`, after `seconds` and `attempts`."""

    def __init__(self, watcher, seconds):
        self.watcher = watcher
        self.cause = watcher.cause
        self.seconds = seconds
        self.attempts = watcher.attempts
        super().__init__(f"{watcher.check.name}: {self.cause.text}")


class NeverReady(GaveUp):
    """No waiting would help."""


class TimedOut(GaveUp):
    """The deadline came first."""


class Watcher(threading.Thread):
    """
    Call *check* until it succeeds, in a thread of its own.

    Looking up a host name blocks in C for as long as the resolver likes. A daemon
    thread keeps that from the deadline, the signals and the end of the process.
    """

    def __init__(self, check, deadline, changes):
        super().__init__(daemon=True)
        self.check = check
        self.deadline = deadline
        self.changes = changes
        self.stopping = threading.Event()
        self.attempts = 0
        self.last_cause = None
        self.error = None
        self.ready = False

    @property
    def cause(self):
        """The last informative Cause; before there is one, what the check is at."""
        return self.last_cause or Cause("no_answer", f"no answer while {self.check.doing}")

    def run(self):
        try:
            self.watch()
        except Exception as error:  # noqa: BLE001 raised again in the main thread
            self.error = error
        self.changes.put(self)

    def watch(self):
        started = time.monotonic()
        while not self.stopping.is_set():
            elapsed = time.monotonic() - started
            limit = min(max(elapsed, ATTEMPT_SECONDS), self.deadline - time.monotonic())
            self.attempts += 1
            try:
                self.check(limit)
            except NotReady as error:
                self.note(error.cause)
                if error.cause.never:
                    raise
            else:
                self.ready = True
                return
            # Short at first, then 1 % of the wait: little delay, and little work.
            pause = min(max(elapsed / 100, self.check.shortest_pause), LONGEST_PAUSE)
            self.stopping.wait(pause)

    def note(self, cause):
        """Keep *cause*, unless the deadline made it: then the one before says more."""
        cut_short = cause.name == "no_answer" and time.monotonic() >= self.deadline
        if cause != self.last_cause and not cut_short:
            self.last_cause = cause
            self.changes.put(self)


def wait_for(checks, timeout, report=None):
    """
    Wait until each of *checks* has succeeded, for at most *timeout* seconds.

    *report* is called with a Watcher and the seconds so far: when its cause changes,
    when it is ready, and about every second. Raise NeverReady as soon as one check
    cannot succeed, TimedOut at the end of the time, and what else a check raises.
    """
    started = time.monotonic()
    deadline = started + max(timeout, SHORTEST_TIMEOUT)
    changes = queue.SimpleQueue()
    waiting = [Watcher(check, deadline, changes) for check in checks]
    for watcher in waiting:
        watcher.start()
    try:
        while waiting:
            watcher = next_change(changes, deadline) or waiting[0]
            seconds = time.monotonic() - started
            if watcher.error:
                raise final(watcher, seconds)
            if report and watcher in waiting:
                report(watcher, seconds)
            waiting = [watcher for watcher in waiting if not watcher.ready]
            if waiting and time.monotonic() >= deadline:
                raise TimedOut(waiting[0], seconds)
    finally:
        for watcher in waiting:
            watcher.stopping.set()


def next_change(changes, deadline):
    """Return the next Watcher that has news, or None after a second without any."""
    seconds = min(1, deadline - time.monotonic())
    try:
        return changes.get(timeout=max(0, seconds))
    except queue.Empty:
        return None


def final(watcher, seconds):
    if isinstance(watcher.error, NotReady):
        return NeverReady(watcher, seconds)
    return watcher.error
