"""create_admin with user models of other shapes."""

from io import StringIO
from unittest import mock

from django.contrib.auth.models import AbstractUser
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import TransactionTestCase
from django.test.utils import isolate_apps


class OtherModelTests(TransactionTestCase):
    def with_model(self, model):
        with connection.schema_editor() as editor:
            editor.create_model(model)
        self.addCleanup(self.drop, model)

    def drop(self, model):
        with connection.schema_editor() as editor:
            editor.delete_model(model)

    def test_a_login_by_email(self):
        with isolate_apps("core"):

            class Member(AbstractUser):
                username = None
                email = models.EmailField(unique=True)
                USERNAME_FIELD = "email"
                REQUIRED_FIELDS = []
                groups = user_permissions = None

                class Meta:
                    app_label = "core"

        self.with_model(Member)
        stdout = StringIO()
        with self.user_model(Member):
            call_command("create_admin", stdout=stdout)
        self.assertIn("User:     admin@example.com", stdout.getvalue())
        self.assertTrue(Member._base_manager.get().is_superuser)

    def user_model(self, model):
        return mock.patch("core.management.commands.create_admin.get_user_model", return_value=model)

    def test_a_required_field_is_named(self):
        with isolate_apps("core"):

            class Person(AbstractUser):
                born = models.DateField()
                groups = user_permissions = None

                class Meta:
                    app_label = "core"

        self.with_model(Person)
        with self.user_model(Person), self.assertRaisesRegex(CommandError, "born.*use manage.py createsuperuser"):
            call_command("create_admin", stdout=StringIO())
        self.assertEqual(Person._base_manager.count(), 0)
