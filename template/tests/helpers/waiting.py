"""Events instead of pauses. Every limit in seconds is against hanging: a busy machine never reaches it."""

import socket
import time

HANGING = 180


def wait_until(condition, seconds=HANGING):
    """
    Ask until *condition* returns something true, and return that.

    Between two questions there is twice the time that one takes: those of Docker's commands would keep a core busy.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if result := condition():
            return result
        answered = time.monotonic()
        assert answered < deadline, f"not so within {seconds} s: {condition}"
        time.sleep(min(max(0.05, 2 * (answered - asked)), 1))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
