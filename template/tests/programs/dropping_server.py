"""Lets nobody in: with its backlog full, the kernel drops what else comes, as a packet filter's DROP does."""

import signal
import socket

listener = socket.create_server(("", 5432), backlog=0)
peers = [socket.socket() for _ in range(3)]
for peer in peers:
    peer.setblocking(False)
    peer.connect_ex(("127.0.0.1", 5432))
signal.pause()
