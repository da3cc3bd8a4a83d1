import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from databases import free_port
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import SimpleTestCase

MANAGE = Path(settings.BASE_DIR) / "manage.py"


def start(*args, **environ):
    """Start the command as a user would, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, MANAGE, "wait_for_db", *args],
        env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Forwarder(threading.Thread):
    """Pass what arrives on *port* to the real server."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))

    def run(self):
        database = connections.settings["default"]
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection((database["HOST"], int(database["PORT"] or 5432)))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    def copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class ProcessTests(SimpleTestCase):
    """What a shell sees: stdout, stderr and the exit status."""

    def test_a_database_that_is_up(self):
        stdout, stderr = (process := start()).communicate()
        self.assertEqual((process.returncode, stderr), (0, ""))
        self.assertRegex(
            stdout, r'\A(Waiting .+\n)*Database "\w+" at \S+:\d+ is ready \(\d+\.\d s, attempt \d+\)\.\n\Z'
        )

    def test_a_database_that_is_down(self):
        port = str(free_port())
        process = start("--timeout", "5", DB_HOST="127.0.0.1", DB_PORT=port)
        stdout, stderr = process.communicate()
        self.assertEqual(process.returncode, 124)
        name = rf'Database "\w+" at 127\.0\.0\.1:{port}'
        self.assertRegex(stdout, rf"\A(.+ no answer .+\n)*Waiting for d{name[1:]} \(\d s\): Connection refused\n\Z")
        self.assertRegex(
            stderr,
            rf"\ACommandError: {name} did not get ready: Connection refused "
            r"\(\d\.\d s, attempt \d+\)\.\n.+\n\Z",
        )

    def test_a_database_that_comes_up_late(self):
        port = free_port()
        process = start(DB_HOST="127.0.0.1", DB_PORT=str(port))
        first_line = process.stdout.readline()
        self.assertIn("Connection refused", first_line)
        Forwarder(port).start()
        stdout, stderr = process.communicate()
        self.assertEqual((process.returncode, stderr), (0, ""))
        self.assertRegex(stdout.splitlines()[-1], r"is ready \(.+ s, attempt \d+\)\.\Z")

    def test_a_signal_ends_it_without_a_traceback(self):
        for signalnum, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signalnum):
                process = start(DB_HOST="127.0.0.1", DB_PORT=str(free_port()))
                process.stdout.readline()
                process.send_signal(signalnum)
                _, stderr = process.communicate()
                self.assertEqual((process.returncode, stderr), (code, ""))

    def test_usage(self):
        for args in (["--timeout=-1"], ["--timeout=nan"], ["--database=unknown"]):
            with self.subTest(args), self.assertRaises(CommandError):
                call_command("wait_for_db", *args)
