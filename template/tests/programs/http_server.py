"""Answers on PostgreSQL's port as a web server does."""

import socket

listener = socket.create_server(("", 5432))
while True:
    peer, _ = listener.accept()
    peer.recv(99)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.close()
