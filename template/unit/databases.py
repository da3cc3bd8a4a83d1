"""Databases that are not as they should be."""

import socket
from unittest import mock

from django.db import OperationalError, connections


def free_port():
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def database_down():
    """Until it ends, the settings name a port on which nothing listens."""
    return mock.patch.dict(connections.settings["default"], HOST="127.0.0.1", PORT=free_port())


def database_gone(*args):
    """Fail as a query does after the server went away; for execute_wrapper()."""
    raise OperationalError("server closed the connection unexpectedly")
