"""Wait for checks, within a deadline, and within reach of signals."""

import queue
import threading
import time

from .causes import Cause
from .session import NotReady

# Seconds that an unanswered attempt may take: as long as the wait so far, at least this.
ATTEMPT_SECONDS = 5.0
LONGEST_PAUSE = 0.2
# What even a timeout of 0 gives the first attempt.
SHORTEST_TIMEOUT = 0.2
SUCCEEDED = object()


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

    def __init__(self, check, deadline, results):
        super().__init__(daemon=True)
        self.check = check
        self.deadline = deadline
        self.results = results
        self.stopping = threading.Event()
        self.attempts = 0
        # What wait_for() has taken from the results.
        self.last_cause = None
        self.ready = False

    @property
    def cause(self):
        """The last informative Cause; before there is one, what the check is at."""
        return self.last_cause or Cause("no_answer", f"no answer while {self.check.doing}")

    def run(self):
        try:
            self.results.put((self, self.watch()))
        except Exception as error:  # noqa: BLE001 wait_for() raises it
            self.results.put((self, error))

    def watch(self):
        started = time.monotonic()
        last_reported = None
        while not self.stopping.is_set():
            elapsed = time.monotonic() - started
            self.attempts += 1
            try:
                self.check(min(max(elapsed, ATTEMPT_SECONDS), self.deadline - time.monotonic()))
            except NotReady as error:
                if error.cause.permanent:
                    raise
                if error.cause != last_reported and not self.is_cut_short(error.cause):
                    last_reported = error.cause
                    self.results.put((self, last_reported))
            else:
                return SUCCEEDED
            # Short at first, then 1.5 % of the wait: little delay, and little work.
            pause = min(max(elapsed / 70, self.check.shortest_pause), LONGEST_PAUSE)
            self.stopping.wait(pause)

    def is_cut_short(self, cause):
        """Tell whether the deadline made *cause*: the one before says more."""
        return cause.name == "no_answer" and time.monotonic() >= self.deadline


def wait_for(checks, timeout, report=None):
    """
    Wait until each of *checks* has succeeded, for at most *timeout* seconds.

    *report* is called with a Watcher and the seconds so far: when its cause changes,
    when it is ready, and about every second. Raise NeverReady as soon as one check
    cannot succeed, TimedOut at the end of the time, and what else a check raises.
    """
    started = time.monotonic()
    deadline = started + max(timeout, SHORTEST_TIMEOUT)
    results = queue.SimpleQueue()
    waiting = [Watcher(check, deadline, results) for check in checks]
    for watcher in waiting:
        watcher.start()
    try:
        while waiting:
            watcher, result = next_result(results, deadline) or (waiting[0], None)
            seconds = time.monotonic() - started
            apply(watcher, result, seconds)
            if report:
                report(watcher, seconds)
            if watcher.ready:
                waiting.remove(watcher)
            elif time.monotonic() >= deadline:
                raise TimedOut(waiting[0], seconds)
    finally:
        for watcher in waiting:
            watcher.stopping.set()


def next_result(results, deadline):
    """Return the next (watcher, result), or None after a second without any."""
    try:
        return results.get(timeout=max(0, min(1, deadline - time.monotonic())))
    except queue.Empty:
        return None


def apply(watcher, result, seconds):
    """Take *result* over into *watcher*, or raise it. Here alone, so that a report sees one state."""
    if result is SUCCEEDED:
        watcher.ready = True
    elif isinstance(result, Cause):
        watcher.last_cause = result
    elif isinstance(result, NotReady):
        watcher.last_cause = result.cause
        raise NeverReady(watcher, seconds)
    elif isinstance(result, Exception):
        raise result
