"""
Locks that tell what lives. A process, or the child that inherited its lock, holds it until its end, however that comes,
and its number stands in the file. Python 3.9, standard library.
"""

import contextlib
import fcntl
import os
import signal
import time


def acquire(file, seconds=0.0):
    """Whether the lock on *file* is ours now, or becomes so within *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def is_held(path):
    if not path.exists():
        return False
    with path.open("a+") as file:
        return not acquire(file)


def write_pid(file, pid=None):
    file.truncate(0)
    file.write(str(pid or os.getpid()))
    file.flush()


def read_pid(file):
    file.seek(0)
    return int(file.read() or 0)


def take_over(file):
    """Acquire the lock on *file*. First end the process group that a killed owner left, and that still holds it."""
    if acquire(file):
        return
    pid = read_pid(file)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    if not acquire(file, seconds=30):
        raise TimeoutError(f"{file.name} is held by process {pid}, which does not end.")
