"""Accepts connections on PostgreSQL's port, and says nothing."""

import signal
import socket

listener = socket.create_server(("", 5432))
signal.pause()
