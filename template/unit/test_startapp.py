"""startapp as tutorials type it."""

import sys

import pytest


def assert_started(project):
    app = project.folder / "app/shop"
    assert 'name = "shop"' in (app / "apps.py").read_text()
    assert {"models.py", "views.py", "tests.py", "admin.py", "migrations"} <= {path.name for path in app.iterdir()}
    for check in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *check, "--no-cache", "app/shop")
    project.edit("app/app/settings.py", '    "welcome",\n', '    "welcome",\n    "shop",\n')
    project.manage("check")


@pytest.mark.parametrize("folder", [".", "app", "/"])
def test_an_app_is_made_where_it_can_be_imported_from(project, folder):
    project.run(sys.executable, project.folder / "manage.py", "startapp", "shop", cwd=project.folder / folder)
    assert_started(project)


def test_a_given_directory_is_obeyed(project):
    (project.folder / "elsewhere").mkdir()
    project.manage("startapp", "shop", "elsewhere")
    assert (project.folder / "elsewhere/apps.py").exists()
    assert not (project.folder / "app/shop").exists()


def test_a_folder_beside_app_does_not_take_the_name(project):
    (project.folder / "docs").mkdir()
    project.manage("startapp", "docs")
    assert (project.folder / "app/docs/apps.py").exists()


def test_nothing_is_replaced(project):
    project.write("app/shop/notes.txt", "mine")
    refused = project.manage("startapp", "shop", check=False)
    assert (refused.returncode, "shop' conflicts" in refused.stderr) == (1, True)
    assert [path.name for path in (project.folder / "app/shop").iterdir()] == ["notes.txt"]


def test_a_name_that_is_no_name(project):
    refused = project.manage("startapp", "my-shop", check=False)
    assert "'my-shop' is not a valid app name" in refused.stderr
