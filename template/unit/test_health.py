import socket
from unittest import mock

from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase, override_settings


class HealthTests(TestCase):
    def test_livez_asks_no_database(self):
        with self.assertNumQueries(0), database_down():
            self.assert_answer("/livez", 200, "ok")

    def test_readyz_is_ok_when_the_database_answers_and_has_every_migration(self):
        self.assert_answer("/readyz", 200, "ok")

    def test_readyz_says_that_a_migration_is_unapplied(self):
        MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
        self.assert_answer("/readyz", 503, "unapplied")

    def test_readyz_says_that_the_database_is_down_and_not_where_it_would_be(self):
        with database_down():
            self.assert_answer("/readyz", 503, "connection_refused")

    def test_readyz_says_that_the_database_went_away_meanwhile(self):
        with connection.execute_wrapper(database_gone):
            self.assert_answer("/readyz", 503, "connection_failure")

    @override_settings(DEBUG=False, ALLOWED_HOSTS=["example.com"], SECURE_SSL_REDIRECT=True)
    def test_a_probe_needs_no_allowed_host_and_no_https(self):
        self.assertEqual(self.client.get("/admin/", headers={"host": "localhost:8000"}).status_code, 400)
        for path in ["/livez", "/readyz"]:
            self.assert_answer(path, 200, "ok")

    def assert_answer(self, path, status, text):
        response = self.client.get(path, headers={"host": "localhost:8000"})
        self.assertEqual((response.status_code, response.text), (status, f"{text}\n"))
        self.assertEqual(response.headers["Cache-Control"], "no-store")


def database_down():
    """Until it ends, the settings name a port where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return mock.patch.dict(connections.settings["default"], HOST="127.0.0.1", PORT=port)


def database_gone(*args):
    raise OperationalError("server closed the connection unexpectedly")
