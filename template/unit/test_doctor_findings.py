"""What the doctor finds in a project that grew; its other findings are tested in a dev container."""

import os
from io import StringIO
from unittest import mock

from django.core.checks.registry import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase

from core import environment_checks


class FindingTests(TransactionTestCase):
    databases = ["default"]

    def find(self):
        """The finding of check_databases."""
        return list(environment_checks.check_databases(["default"], timeout=3))

    def test_nothing_is_wrong(self):
        self.assertEqual(self.find(), [])

    def test_a_migration_of_another_branch(self):
        MigrationRecorder(connection).record_applied("core", "0099_of_a_branch")
        self.addCleanup(MigrationRecorder(connection).record_unapplied, "core", "0099_of_a_branch")
        (finding,) = self.find()
        self.assertEqual(finding.id, "doctor.W016")
        self.assertIn("core.0099_of_a_branch", finding.msg)

    def test_a_migration_of_an_app_that_is_gone_is_no_finding(self):
        MigrationRecorder(connection).record_applied("gone", "0001_initial")
        self.addCleanup(MigrationRecorder(connection).record_unapplied, "gone", "0001_initial")
        self.assertEqual(self.find(), [])

    def test_two_last_migrations(self):
        conflict = {"core": {"0002_a", "0002_b"}}
        with mock.patch("django.db.migrations.loader.MigrationLoader.detect_conflicts", return_value=conflict):
            (finding,) = self.find()
        self.assertEqual(finding.id, "doctor.E015")
        self.assertIn("makemigrations --merge", finding.hint)

    def test_a_check_that_fails_is_a_finding_and_the_others_go_on(self):
        before = set(registry.registered_checks)
        self.addCleanup(lambda: registry.registered_checks.intersection_update(before))
        output = StringIO()
        broken = mock.patch(
            "core.environment_checks.check_git", side_effect=RuntimeError("no git today"), __name__="check_git"
        )
        with broken, mock.patch("core.environment_checks.check_packages", return_value=[], __name__="check_packages"):
            with self.assertRaises(SystemCheckError) as raised:
                call_command("doctor", stdout=output, stderr=output)
        self.assertIn("check_git failed: RuntimeError: no git today", str(raised.exception))

    def test_an_unusable_port_is_a_finding(self):
        with (
            mock.patch.dict(connection.settings_dict, PORT="http"),
            mock.patch.dict(environment_checks.connections.settings["default"], PORT="http"),
        ):
            (finding,) = self.find()
        self.assertEqual(finding.id, "doctor.E001")

    def test_advice_fits_the_place(self):
        MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
        self.addCleanup(MigrationRecorder(connection).record_applied, "sessions", "0001_initial")
        for place, command in {"compose": "docker compose exec app python manage.py", "native": "./dev manage"}.items():
            with self.subTest(place), mock.patch.dict(os.environ, DEV_ENVIRONMENT=place):
                self.assertIn(f"Run: {command} migrate", [finding.hint for finding in self.find()])
