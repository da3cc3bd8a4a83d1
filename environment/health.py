"""
Whether the server is ready, for Compose's healthcheck.

A probe waits for news instead of asking every few seconds: the process costs nothing while nothing changes, a long
migration is no failure, and what is known at once is told at once.
"""

import contextlib
import socket
import threading
import time

from core import places
from environment.steps import is_error, is_no_page, page_answer

SOCKET = places.state_folder() / "server.sock"
START_SECONDS = 60  # until the supervisor listens; Docker sends the first probe a second after the container's start
HOLD_SECONDS = 86_400  # below the healthcheck's timeout
READY_POLL_SECONDS, POLL_SECONDS = 10, 0.2


class Health:
    """The state is "starting", "ready" or "failed". A database that went away leaves it: that is the database's health."""

    def __init__(self, port):
        self.port = port
        self.state, self.told = "starting", None
        self.changed = threading.Condition()
        self.is_serving, self.news = threading.Event(), threading.Event()

    def start(self):
        SOCKET.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        with contextlib.chdir(SOCKET.parent):  # the path of a socket has 107 bytes at most
            listener.bind(SOCKET.name)
        listener.listen()
        threading.Thread(target=self.answer_probes, args=[listener], daemon=True).start()
        threading.Thread(target=self.poll, daemon=True).start()

    def report(self, state):
        with self.changed:
            if state == "failed":
                self.is_serving.clear()
            self.state = state
            self.changed.notify_all()

    def watch(self):
        """From now on there is a server to ask."""
        self.is_serving.set()
        self.news.set()

    def poll(self):
        while self.is_serving.wait():
            self.news.clear()
            status, answer = page_answer(self.port)
            self.hear(status, answer)
            # What is ready, or has an error, which fills the log, changes with an edit.
            waits_for_edit = self.state == "ready" or is_error(status)
            self.news.wait(READY_POLL_SECONDS if waits_for_edit else POLL_SECONDS)

    def hear(self, status, answer):
        """What /readyz answered, unless the server has ended meanwhile."""
        with self.changed:
            if not self.is_serving.is_set():
                return
            if not is_no_page(status):
                self.state = "ready"  # whatever it answers: a project may have done without /readyz
            elif is_error(status) or (answer == "unapplied" and self.state == "ready"):
                self.state = "failed"
            self.changed.notify_all()

    def answer_probes(self, listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.answer_probe, args=[connection], daemon=True).start()

    def answer_probe(self, connection):
        """Answer as soon as there is another answer than the last one."""
        with connection, self.changed, contextlib.suppress(OSError):
            self.changed.wait_for(lambda: self.state not in {"starting", self.told}, HOLD_SECONDS)
            self.told = self.state
            connection.sendall(self.state.encode())


def probe():
    """Return the exit status of a probe: 0 for "ready"."""
    deadline = time.monotonic() + START_SECONDS
    while not (state := ask()) and time.monotonic() < deadline:
        time.sleep(0.1)
    print(state or f"no supervisor answered within {START_SECONDS} s")
    return 0 if state == "ready" else 1


def ask():
    """The supervisor's answer; "" if it has not begun to listen, or has ended meanwhile."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection, contextlib.chdir(SOCKET.parent):
        connection.connect(SOCKET.name)
        return connection.recv(64).decode()
    return ""
