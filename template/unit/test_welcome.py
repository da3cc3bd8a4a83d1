import os
import tempfile
from pathlib import Path
from unittest import mock

from app.tests.test_health import database_down, database_gone
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase, override_settings

RAN = "folder\t0.0\t0\t\ndatabase\t0.5\t0\tOK\n"
PASSED = RAN + "tests\t1.5\t0\t23 passed in 1.21s\nready\t2.0\t0\t\n"
FAILED = RAN + "tests\t1.5\t1\t1 failed, <22> passed in 1.21s\nNOT READY: tests failed\t2.0\t1\t\n"


@override_settings(DEBUG=True)
class WelcomeTests(TestCase):
    def setUp(self):
        state = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.dict(os.environ, XDG_STATE_HOME=state))
        self.record = Path(state, "post-create.tsv")

    def assert_headline(self, headline, changing):
        response = self.client.get("/")
        self.assertContains(response, f"<h1>{headline}.</h1>", html=True)
        self.assertEqual("data-changing" in response.text, changing)
        return response

    def test_a_ready_environment(self):
        self.record.write_text(PASSED)
        response = self.assert_headline("Ready", changing=False)
        for text in ["PostgreSQL", "Django 6", "all applied", "Volume created", "23 passed in 1.21s", 'href="/admin/"']:
            self.assertContains(response, text)

    def test_a_setup_that_never_ran_is_nothing_amiss(self):
        self.assertContains(self.assert_headline("Ready", changing=False), "never ran here")

    def test_a_setup_that_failed(self):
        self.record.write_text(FAILED)
        response = self.assert_headline("The last setup failed", changing=False)
        self.assertContains(response, "failed: 1 failed, &lt;22&gt; passed in 1.21s")

    def test_a_setup_that_runs(self):
        for record in ["", RAN]:
            self.record.write_text(record)
            self.assert_headline("Setup has not ended", changing=True)

    def test_the_steps_follow_each_other_on_the_line_of_time(self):
        self.record.write_text(PASSED)
        response = self.client.get("/")
        self.assertContains(response, '<rect x="24.8%" width="75.2%" height="100%" rx="3"/>', html=True)

    def test_migrations_that_are_not_applied(self):
        MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
        response = self.assert_headline("1 migration is not applied", changing=True)
        self.assertContains(response, "sessions.0001_initial")

    def test_a_database_that_is_down(self):
        self.client.cookies["sessionid"] = "of a former login"
        atomic = mock.patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True)
        with database_down(), atomic, self.assertNumQueries(0):
            address = "{NAME} at 127.0.0.1:{PORT}".format(**connection.settings_dict)
            response = self.assert_headline("The database is not ready", changing=True)
        self.assertContains(response, "Connection refused")
        self.assertContains(response, address)

    @override_settings(WAIT_FOR_DB_HINTS={"connection_refused": "Start it:\n  docker compose start db"})
    def test_a_hint_that_has_a_command(self):
        with database_down():
            response = self.assert_headline("The database is not ready", changing=True)
        self.assertContains(response, "Start it:")
        self.assertContains(response, "<code>docker compose start db</code>", html=True)

    def test_a_database_that_goes_away_meanwhile(self):
        with connection.execute_wrapper(database_gone):
            response = self.assert_headline("The database is not ready", changing=True)
        self.assertContains(response, "Server closed the connection unexpectedly")

    def test_how_to_create_an_admin_is_told_until_there_is_one(self):
        self.assertContains(self.client.get("/"), "create_admin")
        get_user_model().objects.create_superuser("admin")
        self.assertNotContains(self.client.get("/"), "create_admin")

    @override_settings(DEBUG=False)
    def test_with_debug_off_it_is_like_any_page_that_does_not_exist(self):
        response, unknown = self.client.get("/"), self.client.get("/no-such-page")
        self.assertEqual((response.status_code, response.content), (404, unknown.content))
        self.assertEqual(dict(response.headers), dict(unknown.headers))
