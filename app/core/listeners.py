"""Whether this project's server runs, and whether something listens on a port. Standard library only."""

import fcntl
import socket
import time
from pathlib import Path

from core import places


def server_was_started():
    return (places.state_folder() / "server.lock").exists()


def server_runs():
    """The supervisor holds its lock as long as it lives."""
    return is_held("server.lock")


def is_held(name):
    """Whether a process holds that lock of the state folder."""
    try:
        with (places.state_folder() / name).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def listens(port, seconds=0):
    """Whether some process listens on *port*, or does so within *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        if is_listened_on(port):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)


def is_listened_on(port):
    tables = list(Path("/proc/net").glob("tcp*"))  # a connection could disturb it
    if not tables:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0
    sockets = [line.split() for table in tables for line in table.open()]
    return any(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in sockets)
