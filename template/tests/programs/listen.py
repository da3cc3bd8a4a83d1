"""Listens on a port, until its stdin ends: listen.py ADDRESS PORT."""

import socket
import sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
sys.stdin.read()
