"""
Lets a debugger attach to the server at any time, at no cost before.

debugpy slows each start of the server, so it is loaded when a client connects. The client's bytes are passed on to
debugpy, which then follows every server that the supervisor starts.
"""

import contextlib
import os
import select
import socket
import sys
import threading

from core import places

INHERITED = "DEBUG_LISTENER"  # the number of a listening socket


class Listener:
    def __init__(self, events):
        self.events = events
        self.clients = 0
        self.endpoint = self.listener = None
        self.has_ended = False  # the last client has left
        self.lock = threading.Lock()

    @property
    def is_attached(self):
        return self.endpoint is not None

    def start(self):
        port = places.debug_port()
        try:
            inherited = os.environ.pop(INHERITED, None)
            self.listener = (
                socket.socket(fileno=int(inherited)) if inherited else socket.create_server(("127.0.0.1", port))
            )
        except OSError as error:
            print(f"Port {port} is taken ({error.strerror}): no debugger can attach.", file=sys.stderr, flush=True)
            return
        self.listener.set_inheritable(False)
        threading.Thread(target=self.accept, daemon=True).start()

    def hand_on(self):
        """Leave the socket to the program that takes this one's place: who connects meanwhile is served by that."""
        self.listener.set_inheritable(True)
        os.environ[INHERITED] = str(self.listener.fileno())

    def accept(self):
        while True:
            select.select([self.listener], [], [])
            with self.lock:
                if self.has_ended:
                    return
                client, _ = self.listener.accept()
                if not self.endpoint:
                    self.endpoint = load_debugger()
                    self.events.put(("debug", True))
                self.clients += 1
            threading.Thread(target=self.relay, args=[client], daemon=True).start()

    def relay(self, client):
        with client, socket.create_connection(self.endpoint) as debugger:
            back = threading.Thread(target=copy, args=[debugger, client], daemon=True)
            back.start()
            copy(client, debugger)
            back.join()
        with self.lock:
            self.clients -= 1
            if not self.clients:
                self.has_ended = True
                self.events.put(("debug", False))


def load_debugger():
    """Return the (host, port) that debugpy listens on. It also follows what this process starts from now on."""
    import debugpy

    return debugpy.listen(("127.0.0.1", 0))


def copy(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
