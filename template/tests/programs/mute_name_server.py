"""A name server that answers no question."""

import signal
import socket

server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("", 53))
signal.pause()
