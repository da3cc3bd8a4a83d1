"""Listens on a port, until its stdin ends: listen.py ADDRESS PORT."""

import socket
import sys

address, port = sys.argv[1:]
listener = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
print("listening", flush=True)
sys.stdin.read()
