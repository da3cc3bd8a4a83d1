from django.contrib.auth import get_user_model
from django.test import TestCase


class UserTests(TestCase):
    def test_the_user_model_is_our_own(self):
        self.assertEqual(get_user_model()._meta.label, "core.User")

    def test_a_superuser_manages_users_in_the_admin(self):
        self.client.force_login(get_user_model().objects.create_superuser("admin"))
        self.assertContains(self.client.get("/admin/core/user/"), "Select user to change")
