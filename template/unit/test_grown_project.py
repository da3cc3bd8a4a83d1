"""The tests that ship in app/ stay green, and the commands work, whatever the user makes of the project."""

import re
import sys

import pytest

EMAIL_USER = """
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    username = None
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
"""
EMAIL_ADMIN = """
from django.contrib import admin

from core.models import User

admin.site.register(User)
"""


def use_email(project):
    project.write("app/core/models.py", EMAIL_USER)
    project.write("app/core/admin.py", EMAIL_ADMIN)


def assert_green(project):
    shown = project.pytest().stdout
    assert re.search(r"\d+ passed", shown) and "skipped" not in shown, shown


def test_a_first_field_on_the_user_with_its_migration(project):
    project.edit("app/core/models.py", "import AbstractUser\n", "import AbstractUser\nfrom django.db import models\n")
    project.edit(
        "app/core/models.py", '"""A user', 'phone = models.CharField(max_length=20, blank=True)\n    """A user'
    )
    project.manage("makemigrations", "core")
    assert_green(project)


def test_users_who_log_in_by_email(project):
    use_email(project)
    project.manage("makemigrations", "core")
    assert_green(project)
    project.manage("migrate", "-v0")
    created = project.manage("create_admin").stdout
    assert re.fullmatch(r"User:     admin@example.com\nPassword: \S+\nThe password is shown this once only.\n", created)
    password = re.search(r"Password: (\S+)", created)[1]
    login = (
        f"from django.contrib.auth import authenticate as a; print(a(email='admin@example.com', password='{password}'))"
    )
    assert project.manage("shell", "--no-imports", "-c", login).stdout == "admin@example.com\n"
    again = project.manage("create_admin", check=False)
    assert 'There is a user "admin@example.com" already.' in again.stderr
    assert "User:     boss@example.com" in project.manage("create_admin", "--username=boss@example.com").stdout


def test_a_manager_of_ones_own_creates_the_admin(project):
    use_email(project)
    manager = "class Manager(BaseUserManager):\n    def create_superuser(self, email, password):\n"
    manager += "        user = self.model(email=email, is_superuser=True, first_name='Own')\n"
    manager += "        user.set_password(password)\n        user.save()\n\n\n"
    project.edit("app/core/models.py", "class User", f"{manager}class User")
    project.edit("app/core/models.py", "import AbstractUser", "import AbstractUser, BaseUserManager")
    project.edit("app/core/models.py", "    username = None\n", "    username = None\n    objects = Manager()\n")
    project.manage("makemigrations", "core")
    project.manage("migrate", "-v0")
    project.manage("create_admin")
    name = "from core.models import User; print(User.objects.get().first_name)"
    assert project.manage("shell", "--no-imports", "-c", name).stdout == "Own\n"


def test_a_user_that_requires_more_is_created_by_djangos_own_command(project):
    use_email(project)
    project.edit(
        "app/core/models.py",
        "REQUIRED_FIELDS = []",
        'birthday = models.DateField()\n    REQUIRED_FIELDS = ["birthday"]',
    )
    project.manage("makemigrations", "core", "--empty")  # the tables do not matter here
    project.run("rm", "-r", "app/core/migrations")
    project.manage("makemigrations", "core")
    project.manage("migrate", "-v0")
    refused = project.manage("create_admin", check=False, DEV_ENVIRONMENT="compose")
    assert refused.returncode == 1
    assert refused.stderr == (
        "CommandError: A core.User needs more than a name and a password: it requires birthday. "
        "Run: docker compose exec app python manage.py createsuperuser\n"
    )


def test_a_page_of_ones_own_and_the_login_required_everywhere_and_no_sessions(project):
    page = 'path("", lambda request: None),\n    path("admin/"'
    project.edit("app/app/urls.py", 'path("admin/"', page)
    login = '    "django.contrib.auth.middleware.LoginRequiredMiddleware",\n    "django.contrib.messages.middleware'
    project.edit("app/app/settings.py", '    "django.contrib.messages.middleware', login)
    project.edit("app/app/settings.py", '    "django.contrib.sessions",\n', "")
    assert_green(project)


def test_the_welcome_page_deleted(project):
    project.edit("app/app/settings.py", '    "welcome",\n', "")
    urls = (project.folder / "app/app/urls.py").read_text()
    project.write("app/app/urls.py", re.sub(r".*welcome\.urls.*\n", "", urls))
    project.run("rm", "-r", "app/welcome")
    assert_green(project)
    project.manage("check")


def test_psycopg_3_beside_psycopg2(project, tmp_path):
    packages = str(tmp_path / "packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, "psycopg[binary]"]
    if project.run(*install, check=False).returncode:
        pytest.skip("pip cannot install psycopg[binary] here")
    used = "from django.db import connection; print(connection.Database.__name__)"
    path = {"PYTHONPATH": packages}
    assert project.manage("shell", "--no-imports", "-c", used, **path).stdout == "psycopg\n"
    shown = project.pytest(**path).stdout
    assert re.search(r"\d+ passed", shown) and "skipped" not in shown, shown
    project.manage("wait_for_db", "--migrate", **path)
    project.manage("wait_for_db", "--until-migrated", **path)
    ready = (
        "from django.test import Client; client = Client(headers={'host': 'localhost'});"
        "print(client.get('/readyz').text, client.get('/').status_code)"
    )
    assert project.manage("shell", "--no-imports", "-c", ready, **path).stdout == "ok\n 200\n"
    wrong = project.manage("wait_for_db", check=False, DB_PASS="wrong", **path)
    assert (wrong.returncode, "SQLSTATE 28P01" in wrong.stderr) == (3, True)
