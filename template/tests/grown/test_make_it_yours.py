"""
The first weeks of somebody's own project: what proves the template is deleted, two apps and a field of the user model
come, in the style of Django's documentation, README.md is their own, the folder has another name. All is still green.
"""

import shutil
from pathlib import Path

import pytest
from helpers.waiting import wait_until

FILES = Path(__file__).parent / "project"
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ann"), ("EMAIL", "a@example.com"))
}
APPS = '\n    "shop",\n    "blog",'
PHONE = "\n    phone = models.CharField(max_length=30, blank=True)\n"
NAME = "slipway"  # the template's


def files_that_name_the_template(project):
    return project.run("git", "grep", "-il", NAME, check=False).stdout.split()


@pytest.fixture(scope="module")
def cloned(make_project, ordinary_uid):
    """A clean clone whose folder has got a name of its own."""
    project = make_project(ordinary_uid, **IDENTITY)
    project.folder = project.folder.rename(project.folder.with_name(f"harbour {project.name}"))
    return project


@pytest.fixture(scope="module")
def grown(cloned):
    """Each step as its user does it; what is committed passes the hooks."""
    cloned.named_before = files_that_name_the_template(cloned)
    delete_what_proves_the_template(cloned)
    cloned.dev("up")
    for app in ("shop", "blog"):
        cloned.dev("manage", "startapp", app)
    write_files(cloned)
    edit(cloned, "app/app/settings.py", "INSTALLED_APPS = [", f"INSTALLED_APPS = [{APPS}")
    edit(cloned, "app/app/urls.py", "urlpatterns = [", 'urlpatterns = [\n    path("", include("shop.urls")),')
    edit(cloned, "app/core/models.py", "class User(AbstractUser):\n", f"class User(AbstractUser):{PHONE}")
    cloned.dev("manage", "makemigrations", "core", "shop", "blog")
    cloned.committed = commit(cloned)
    return cloned


def delete_what_proves_the_template(project):
    """With the command of README.md."""
    (command,) = (line for line in project.read("README.md").splitlines() if line.startswith("    git rm"))
    project.run("bash", "-ec", command)
    assert not (project.folder / "template").exists()
    assert not list(project.folder.glob(".github/workflows/template-*"))


def write_files(project):
    for file in FILES.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            project.write(str(file.relative_to(FILES)), file.read_text())


def edit(project, path, old, new):
    text = project.read(path)
    assert text.count(old) == 1, f"{path} has no {old!r}"
    models = "from django.db import models\n" if path.endswith("models.py") and "import models" not in text else ""
    project.write(path, models + text.replace(old, new))


def commit(project):
    """A first commit may be refused by hooks that have tidied; the next one passes."""
    for _ in range(2):
        project.run("git", "add", "--all")
        done = project.run("git", "commit", "--message=Start the shop", check=False)
        if done.returncode == 0:
            return done
    pytest.fail(done.stdout, pytrace=False)


def test_the_commit_passed_the_hooks(grown):
    assert "ruff check" in grown.committed.stdout and "no migration is missing" in grown.committed.stdout
    assert grown.git_status() == ""


def test_the_templates_name_is_left_in_the_licence_and_the_record_of_its_version(grown):
    assert len(grown.named_before) > 1, "the control"
    assert set(files_that_name_the_template(grown)) == {"LICENSE", "environment/VERSION"}


def test_nothing_that_is_left_names_what_was_deleted(grown):
    naming = grown.run("git", "grep", "-l", "template/", check=False).stdout.split()
    assert naming == [".ci/run"]


def test_the_apps_lie_where_the_others_lie(grown):
    assert (grown.folder / "app/shop/migrations/0001_initial.py").exists()
    assert (grown.folder / "app/core/migrations").is_dir()
    assert len(list((grown.folder / "app/core/migrations").glob("0002_*.py"))) == 1


def test_their_own_ci_is_green(grown):
    grown.run(".ci/run", CI="true")


def test_their_own_ci_sees_a_failing_test(grown):
    grown.write("app/shop/test_failing.py", "def test_failing():\n    assert 1 == 2\n")
    try:
        done = grown.run(".ci/run", check=False, CI="true")
    finally:
        (grown.folder / "app/shop/test_failing.py").unlink()
    assert done.returncode and "test_failing" in done.stdout


def test_their_own_ci_sees_a_missing_migration(grown):
    models = grown.read("app/blog/models.py")
    grown.write("app/blog/models.py", models.replace("max_length=200", "max_length=201"))
    try:
        done = grown.run(".ci/run", check=False, CI="true")
    finally:
        grown.write("app/blog/models.py", models)
    assert done.returncode and "0002_alter_post_title" in done.stdout


def test_up_serves_their_page(grown):
    assert "READY" in grown.dev("up").stdout
    assert grown.get() == (200, grown.get()[1]) and "The shop" in grown.get()[1]
    assert grown.get("readyz") == (200, "ok\n")


@pytest.mark.parametrize("backend", ["--docker", "--native"])
def test_the_tests_pass_with_either_backend(grown, backend):
    tests = grown.dev("test", backend, "-q").stdout
    assert " passed" in tests and " failed" not in tests


def test_native_serves_it_too(grown):
    grown.dev("down", "--docker")
    try:
        grown.dev("up", "--native")
        assert "The shop" in grown.get()[1]
    finally:
        grown.dev("down", "--native")


def test_the_dev_container_opens_ready(grown):
    grown.dev("down", "--docker")
    grown.open_in_editor()
    grown.compose("down")


def test_the_doctor_finds_nothing(grown):
    grown.dev("up", "--docker")
    assert "System check identified no issues" in grown.dev("manage", "--docker", "doctor").stdout


def test_a_second_look_at_the_hooks_changes_nothing(grown):
    grown.dev("up", "--docker")
    grown.compose("exec", "-T", "app", "pre-commit", "run", "--all-files", "--show-diff-on-failure")
    assert grown.git_status() == ""


def test_the_welcome_page_can_go_too(grown):
    edit(grown, "app/app/settings.py", '    "welcome",\n', "")
    lines = grown.read("app/app/urls.py").splitlines(keepends=True)
    grown.write("app/app/urls.py", "".join(line for line in lines if "welcome.urls" not in line))
    shutil.rmtree(grown.folder / "app/welcome")
    grown.dev("up", "--docker")
    wait_until(lambda: grown.get("readyz") == (200, "ok\n"))
    assert " passed" in grown.dev("test", "--docker", "-q").stdout


def test_the_native_way_can_go_too(grown):
    shutil.rmtree(grown.folder / "environment/native")
    (grown.folder / "requirements-native.txt").unlink()
    grown.dev("down", "--docker")
    assert "READY" in grown.dev("up", "--docker").stdout
    assert " passed" in grown.dev("test", "--docker", "-q").stdout
