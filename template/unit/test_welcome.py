import fcntl
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from databases import database_down, database_gone
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase, override_settings

from core import places

DATABASE = {"name": "database", "seconds": 0.5, "status": 0, "summary": "OK"}
SERVER = {"name": "server", "seconds": 0.5, "status": 0, "summary": "The page answers"}
PASSING = {"name": "tests", "seconds": 1.5, "status": 0, "summary": "23 passed in 1.21s"}
FAILING = {"name": "tests", "seconds": 1.5, "status": 1, "summary": "1 failed, <22> passed in 1.21s"}


def record(status, *steps):
    return json.dumps({"status": status, "started": "2026-11-25T12:00:00+00:00", "seconds": 2.0, "steps": steps})


@override_settings(DEBUG=True)
class WelcomeTests(TestCase):
    def setUp(self):
        state = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.dict(os.environ, XDG_STATE_HOME=state, DEV_ENVIRONMENT="devcontainer"))
        self.enterContext(mock.patch("welcome.environment.DATABASE_TIMEOUT", 60))
        self.record = Path(state, "setup.json")

    def assert_headline(self, headline, may_pass):
        response = self.client.get("/")
        self.assertContains(response, f"<h1>{headline}.</h1>", html=True)
        self.assertEqual("data-may-pass" in response.text, may_pass)
        return response

    def test_a_ready_environment(self):
        self.record.write_text(record("ready", DATABASE, PASSING))
        response = self.assert_headline("Ready", may_pass=False)
        for text in ["PostgreSQL", "Django 6", "all applied", "Volume created", "23 passed in 1.21s", 'href="/admin/"']:
            self.assertContains(response, text)

    def test_a_setup_that_never_ran_is_no_problem(self):
        self.assertContains(self.assert_headline("Ready", may_pass=False), "never ran here")

    def test_a_setup_that_failed(self):
        self.record.write_text(record("failed", DATABASE, FAILING))
        response = self.assert_headline("The last setup failed", may_pass=False)
        self.assertContains(response, "failed: 1 failed, &lt;22&gt; passed in 1.21s")

    def test_a_setup_whose_tests_run(self):
        self.record.write_text(record("running", DATABASE, SERVER))
        with self.record.with_name("setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertContains(self.assert_headline("Open", may_pass=True), "Tests running.")
            for text, shown in [("412, 5000", "412 of 5,000"), ("1412, 0", "1,412 so far")]:
                done, total = text.split(", ")
                self.record.with_name("tests.json").write_text(f'{{"done": {done}, "total": {total}}}')
                self.assertContains(self.assert_headline("Open", may_pass=True), f"Tests running, {shown}.")
            self.record.write_text(record("running", DATABASE))
            self.assert_headline("Setup is running", may_pass=True)
            self.record.write_text(record("running", DATABASE, SERVER | {"status": 1}))
            self.assert_headline("The last setup failed", may_pass=True)

    def test_a_setup_that_was_cut_off(self):
        for text in [record("running"), record("running", DATABASE)]:
            self.record.write_text(text)
            self.assert_headline("The setup was cut off", may_pass=True)

    def test_a_record_that_cannot_be_read_is_that_of_a_setup_that_was_cut_off(self):
        for text in [
            b"",
            b"\0\377x\n",
            b'{"status": "ready"',
            b"[]",
            b'{"steps": [{"name": 1}]}',
            b"[" * 100_000,
            b"null",
        ]:
            with self.subTest(text):
                self.record.write_bytes(text)
                self.assert_headline("The setup was cut off", may_pass=True)

    def test_every_command_fits_the_place(self):
        for place in places.COMMANDS:
            with self.subTest(place), mock.patch.dict(os.environ, DEV_ENVIRONMENT=place):
                text = self.client.get("/").text
                self.assertIn(places.COMMANDS[place]["test"], text)
                others = {"compose": ["./dev"], "devcontainer": ["./dev", "docker"], "native": ["docker", "serve.py"]}
                self.assertEqual([word for word in others[place] if word in text], [])

    def test_the_steps_follow_each_other_on_the_line_of_time(self):
        self.record.write_text(record("ready", DATABASE, PASSING))
        response = self.client.get("/")
        self.assertContains(response, '<rect x="25%" width="74%" height="100%" rx="3"/>', html=True)

    def test_migrations_that_are_not_applied(self):
        MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
        response = self.assert_headline("1 migration is not applied", may_pass=True)
        self.assertContains(response, "sessions.0001_initial")

    def test_a_database_that_is_down(self):
        self.client.cookies["sessionid"] = "of a former login"
        atomic = mock.patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True)
        with database_down(), atomic, self.assertNumQueries(0):
            address = "{NAME} at 127.0.0.1:{PORT}".format(**connection.settings_dict)
            response = self.assert_headline("The database is not ready", may_pass=True)
        self.assertContains(response, "Connection refused")
        self.assertContains(response, address)

    @override_settings(WAIT_FOR_DB_HINTS={"connection_refused": "Start it:\n  docker compose start db"})
    def test_a_hint_that_has_a_command(self):
        with database_down():
            response = self.assert_headline("The database is not ready", may_pass=True)
        self.assertContains(response, "Start it:")
        self.assertContains(response, "<code>docker compose start db</code>", html=True)

    def test_a_database_that_goes_away_meanwhile(self):
        with connection.execute_wrapper(database_gone):
            response = self.assert_headline("The database is not ready", may_pass=True)
        self.assertContains(response, "Server closed the connection unexpectedly")

    def test_how_to_create_an_admin_is_told_until_there_is_one(self):
        self.assertContains(self.client.get("/"), "create_admin")
        get_user_model().objects.create_superuser("admin")
        self.assertNotContains(self.client.get("/"), "create_admin")

    def test_a_table_lock_does_not_hold_the_page_up(self):
        self.addCleanup((other := connection.copy()).close)
        with other.cursor() as cursor, mock.patch("welcome.environment.DATABASE_TIMEOUT", 3):
            cursor.execute("BEGIN; LOCK TABLE django_migrations")
            response = self.assert_headline("The database is not ready", may_pass=True)
        self.assertContains(response, "Canceling statement due to statement timeout")

    def test_a_user_model_without_superusers_needs_no_admin(self):
        with override_settings(AUTH_USER_MODEL="auth.Group"):
            self.assertNotContains(self.assert_headline("Ready", may_pass=False), "create_admin")

    @override_settings(DEBUG=False)
    def test_with_debug_off_it_is_like_any_page_that_does_not_exist(self):
        response, unknown = self.client.get("/"), self.client.get("/no-such-page")
        self.assertEqual((response.status_code, response.content), (404, unknown.content))
        self.assertEqual(dict(response.headers), dict(unknown.headers))
