"""Projects that are not like the template's own: what the environment's code must not presume."""

import re

import pytest
from helpers.waiting import wait_until

USER = """\
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class EmailManager(UserManager):
    def create_superuser(self, email, password=None, **fields):
        user = self.model(email=email, is_staff=True, is_superuser=True, **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractUser):
    username = None
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = EmailManager()
"""
SQLITE = """
DATABASES["legacy"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/legacy.sqlite3"}
"""


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.dev("up")
    return project


@pytest.fixture(autouse=True)
def as_cloned(project):
    yield
    project.dev("reset", "--yes")
    project.restore({})
    project.dev("up")


def manage(project, *words, **options):
    return project.compose("exec", "-T", "app", "python", "manage.py", *words, **options).stdout


def is_well(project):
    wait_until(lambda: project.get("readyz") == (200, "ok\n"))
    wait_until(lambda: project.get()[0] == 200)
    manage(project, "wait_for_db")
    assert "doctor.E" not in manage(project, "doctor", "--timeout", "60")


def test_users_log_in_by_email(project):
    project.dev("reset", "--yes")
    project.write("app/core/models.py", USER)
    project.write("app/core/admin.py", "")
    project.dev("manage", "makemigrations", "core")
    project.dev("up")
    said = manage(project, "create_admin", "--username", "boss@example.com")
    password = re.search(r"Password: (\S+)", said)[1]
    check = f"from django.contrib.auth import authenticate; print(authenticate(email='boss@example.com', password={password!r}))"
    assert "boss@example.com" in manage(project, "shell", "--no-imports", "-c", check)
    is_well(project)


def test_there_is_an_sqlite_database_too(project):
    settings = project.read("app/app/settings.py")
    project.write("app/app/settings.py", settings + SQLITE)
    wait_until(lambda: "settings.py changed: restarting" in project.compose("logs", "app").stdout)
    is_well(project)


def test_a_variable_of_the_projects_own(project):
    """One line in .env, as without Docker."""
    project.dev("down")
    settings = project.read("app/app/settings.py")
    project.write("app/app/settings.py", f'{settings}\nSTRIPE_KEY = env("STRIPE_KEY")\n')
    with (project.folder / ".env").open("a") as file:
        file.write("STRIPE_KEY='sk$1'\n")
    project.dev("up")
    assert (
        manage(project, "shell", "--no-imports", "-c", "from django.conf import settings as s; print(s.STRIPE_KEY)")
        == "sk$1\n"
    )
    is_well(project)


def without_probes(project):
    project.dev("down")  # a server that was ready stays so
    settings = project.read("app/app/settings.py")
    assert settings.count('    "app.health.probes",\n') == 1
    project.write("app/app/settings.py", settings.replace('    "app.health.probes",\n', ""))


def test_there_is_no_readyz(project):
    without_probes(project)
    (project.folder / "app/app/health.py").unlink()
    project.dev("up")
    assert project.get("readyz")[0] == 404 and project.get()[0] == 200
    project.compose("up", "--wait")


def test_every_page_fails(project):
    without_probes(project)
    project.write("app/app/broken.py", "def broken(get_response):\n    return lambda request: 1 / 0\n")
    settings = project.read("app/app/settings.py")
    project.write(
        "app/app/settings.py", settings.replace("MIDDLEWARE = [\n", 'MIDDLEWARE = [\n    "app.broken.broken",\n')
    )
    failed = project.dev("up", check=False)
    assert failed.returncode == 1 and "ZeroDivisionError" in failed.stderr


@pytest.mark.parametrize("name", ["DB_USER", "DB_NAME"])
def test_role_and_database_have_capitals(make_project, name):
    project = make_project(**{name: "My-Shop"})
    project.dev("up")
    assert project.get("readyz") == (200, "ok\n")
