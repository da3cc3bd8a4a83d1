"""Events instead of pauses. Every limit in seconds is against hanging: a busy machine never reaches it."""

import socket
import time

HANGING = 180


def wait_until(condition, seconds=HANGING):
    """Ask until *condition* returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not so within {seconds} s: {condition}"
        time.sleep(0.05)
    return result


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
