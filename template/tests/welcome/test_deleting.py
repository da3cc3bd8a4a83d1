"""The welcome page is the user's to delete, or to stand before."""

import os
import re

import pytest
from helpers.waiting import wait_until


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project(APP_UID=os.getuid(), APP_GID=os.getgid())
    project.compose("up", "--wait")
    return project


@pytest.fixture(autouse=True)
def as_cloned(project):
    project.restore({})
    wait_until(lambda: project.get("readyz")[0] == 200)


def all_is_well(project):
    wait_until(lambda: project.get("readyz") == (200, "ok\n"))
    for command in [
        "python manage.py check",
        "python manage.py test",
        "pytest -q",
        "environment/setup.py --test-seconds 600",
    ]:
        project.compose("exec", "-T", "app", *command.split())


def test_two_lines_and_the_folder_delete_it(project):
    for path, line in {"app/app/settings.py": r'    "welcome",\n', "app/app/urls.py": r".*welcome\.urls.*\n"}.items():
        text, count = re.subn(line, "", project.read(path))
        assert count == 1
        project.write(path, text)
    project.run("rm", "-r", "app/welcome")
    wait_until(lambda: "The install worked successfully" in project.get()[1])  # Django's own start page
    assert (
        project.run("git", "grep", "-il", "welcome", "--", "app", ".devcontainer", "environment", check=False).stdout
        == ""
    )
    all_is_well(project)


def test_a_page_of_ones_own_at_the_root_takes_its_place_and_all_tests_pass(project):
    urls = project.read("app/app/urls.py")
    own = 'path("", lambda request: HttpResponse("my own")),\n    path("admin/"'
    project.write("app/app/urls.py", "from django.http import HttpResponse\n" + urls.replace('path("admin/"', own, 1))
    wait_until(lambda: project.get() == (200, "my own"))
    all_is_well(project)
