from io import StringIO

from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command
from django.test import TestCase


class CreateAdminTests(TestCase):
    def create_admin(self, **options):
        stdout = StringIO()
        call_command("create_admin", stdout=stdout, **options)
        user, password, once = stdout.getvalue().splitlines()
        self.assertEqual(once, "The password is shown this once only.")
        return user.removeprefix("User:     "), password.removeprefix("Password: ")

    def test_the_printed_user_and_password_log_in_to_the_admin(self):
        username, password = self.create_admin()
        self.assertEqual(username, "admin")
        self.assertTrue(authenticate(username=username, password=password).is_superuser)
        self.client.login(username=username, password=password)
        self.assertContains(self.client.get("/admin/"), "Site administration")

    def test_no_two_passwords_are_the_same_and_none_can_be_guessed(self):
        (_, first), (_, second) = self.create_admin(), self.create_admin(username="second")
        self.assertNotEqual(first, second)
        self.assertGreaterEqual(len(first), 16)

    def test_a_user_who_is_there_keeps_the_password(self):
        username, password = self.create_admin()
        with self.assertRaisesMessage(CommandError, "changepassword admin"):
            self.create_admin()
        self.assertTrue(authenticate(username=username, password=password))
        self.assertEqual(get_user_model().objects.count(), 1)
