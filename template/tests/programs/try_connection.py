"""Connects to PostgreSQL's port of a host: try_connection.py HOST."""

import socket
import sys

socket.create_connection((sys.argv[1], 5432), 5)
print("connected")
