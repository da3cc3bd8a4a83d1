"""`./dev --native` on the machine that runs the tests: it has git, and an engine that is left alone."""

import pytest

COMMIT = ["git", "-c", "user.name=Someone", "-c", "user.email=someone@example.com", "commit", "--message=A commit"]


@pytest.fixture(scope="module")
def shared(make_project):
    project = make_project()
    project.dev("up", "--native")
    return project


@pytest.fixture
def project(shared):
    shared.restore({})
    yield shared
    shared.restore({})


def commit(project, **variables):
    project.run("git", "add", "--all")
    return project.run(*COMMIT, check=False, **variables)


def test_it_serves_beside_an_engine_and_leaves_the_repository_clean(project):
    project.dev("up", "--native")
    assert project.get()[0] == 200
    assert project.containers() == []
    assert project.git_status() == ""


def test_git_clean_does_not_delete_the_data(project):
    project.run("git", "clean", "-xfd", "--exclude=.venv")
    assert (project.folder / ".dev/postgres/PG_VERSION").exists()


def test_the_commit_hook_is_there(project):
    assert "environment/commit-hook" in project.read(".git/hooks/pre-commit")


def test_a_hook_of_ones_own_that_calls_the_projects_stays(project):
    hook, ours = project.folder / ".git/hooks/pre-commit", project.read(".git/hooks/pre-commit")
    own = "#!/bin/sh\nmake check || exit 1\nexec environment/commit-hook\n"
    hook.write_text(own)
    project.dev("down", "--native")
    project.dev("up", "--native")
    assert hook.read_text() == own
    hook.write_text(ours)


def test_commit_hooks_tidy_without_a_database(project):
    project.dev("down", "--native")
    project.write("app/core/untidy.py", "x = [1,2]\n")
    untidy = commit(project)
    assert untidy.returncode != 0 and "ruff format" in untidy.stdout
    assert project.read("app/core/untidy.py") == "x = [1, 2]\n"
    assert commit(project).returncode == 0


def test_commit_hooks_miss_no_migration(project):
    models = project.read("app/core/models.py")
    project.write("app/core/models.py", f"from django.db.models import DateField\n{models}    born = DateField()\n")
    unmigrated = commit(project)
    assert unmigrated.returncode != 0 and "0002_user_born.py" in unmigrated.stdout


def test_a_settings_module_of_another_project_does_not_refuse_a_commit(project):
    project.write("app/core/tidy.py", "x = 1\n")
    assert commit(project, DJANGO_SETTINGS_MODULE="other.settings").returncode == 0


def test_a_commit_is_not_held_up_by_a_venv_that_does_not_run(project):
    python = project.folder / ".venv/bin/python"
    python.rename(python.with_name("python-before"))
    try:
        project.write("app/core/untidy.py", "x = [1,2]\n")
        done = commit(project)
    finally:
        python.with_name("python-before").rename(python)
    assert done.returncode == 0
    assert "skipped" in done.stdout.splitlines()[0]


def test_down_ends_what_up_began(project):
    project.dev("up", "--native")
    project.dev("down")
    assert project.get()[0] is None
