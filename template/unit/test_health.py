from types import SimpleNamespace

from databases import database_down, database_gone
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection
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

    def test_a_table_lock_does_not_hold_a_probe_up(self):
        self.addCleanup((other := connection.copy()).close)
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE django_migrations")
            self.assert_answer("/readyz", 503, "connection_failure")

    def test_the_log_shows_no_probe_and_every_other_request(self):
        with self.assertLogs("django.request") as log, database_down():
            self.client.get("/readyz")
            self.client.get("/readyz-not")
        self.assertEqual(log.output, ["WARNING:django.request:Not Found: /readyz-not"])
        with self.assertLogs("django.server") as log:
            for path in ["/livez", "/readyz", "/", "/shop/readyz"]:
                self.log_as_runserver(path)
        self.assertEqual([line.split()[1] for line in log.output], ["/", "/shop/readyz"])

    def log_as_runserver(self, path):
        handler = SimpleNamespace(request=None, log_date_time_string=lambda: "")
        WSGIRequestHandler.log_message(handler, '"%s" %s %s', f"GET {path} HTTP/1.1", "200", "3")

    def assert_answer(self, path, status, text):
        response = self.client.get(path, headers={"host": "localhost:8000"})
        self.assertEqual((response.status_code, response.text), (status, f"{text}\n"))
        self.assertEqual(response.headers["Cache-Control"], "no-store")
