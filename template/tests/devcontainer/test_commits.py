"""Commits, inside and on the host."""

import subprocess

import pytest

IDENTITY = "git config user.name Ann && git config user.email ann@example.com"
DATE_FIELD = "from django.db.models import DateField\n"


@pytest.fixture
def committer(opened):
    opened.bash(IDENTITY)
    yield opened
    opened.bash("git config unset user.name; git config unset user.email", check=False)


def test_a_commit_inside_runs_the_hooks(committer):
    committer.write("app/core/unused.py", "import os\n\n\ndef f( ):\n    return  1\n")
    blocked = committer.terminal("git add app/core/unused.py && git commit -m 'Add'", check=False)
    assert blocked.returncode == 1
    assert "ruff check" in blocked.stdout and "files were modified by this hook" in blocked.stdout
    committer.terminal("git add app/core/unused.py && git commit -m 'Add'")


def test_a_migration_that_is_missing_blocks_a_commit(committer):
    committer.write("app/core/models.py", f"{DATE_FIELD}{committer.read('app/core/models.py')}    born = DateField()\n")
    blocked = committer.terminal("git add app && git commit -m 'Add'", check=False)
    assert blocked.returncode == 1
    assert "no migration is missing" in blocked.stdout and "0002_user_born.py" in blocked.stdout


def test_a_commit_downloads_nothing(committer):
    committer.write("app/core/unused.py", "ONE = 1\n")
    shown = committer.bash("time (git add app/core/unused.py && git commit --quiet -m 'Greet')").stdout
    print(shown)
    assert "no migration is missing" in shown and "Failed" not in shown
    assert "repo" not in committer.bash("ls ~/.cache/pre-commit", check=False).stdout


def commit_on_the_host(project, **variables):
    commit = [
        "git",
        "-c",
        "user.name=Ann",
        "-c",
        "user.email=a@example.com",
        "commit",
        "--allow-empty",
        "--message=Host",
    ]
    return project.run(*commit, **variables).stdout


def test_a_commit_on_the_host_runs_the_hooks_in_the_container(opened):
    opened.write("app/core/unused.py", "x = [1,2]\n")
    opened.run("git", "add", "app/core/unused.py")
    commit = ["git", "-c", "user.name=Ann", "-c", "user.email=a@example.com", "commit", "--message=Host"]
    blocked = opened.run(*commit, check=False)
    assert blocked.returncode == 1 and "ruff format" in blocked.stdout
    assert opened.read("app/core/unused.py") == "x = [1, 2]\n"


def test_a_commit_on_the_host_is_not_held_up_by_tools_that_are_missing(opened):
    opened.compose("stop", "app")
    commit = commit_on_the_host(opened)
    assert [line for line in commit.splitlines() if "skipped" in line] == [commit.splitlines()[0]]


def test_nor_by_a_pre_commit_of_the_hosts_own(opened, tmp_path):
    opened.compose("stop", "app")
    venv = opened.folder.parent / "without-ruff"
    subprocess.run(["python3", "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin/pip", "install", "--quiet", "pre-commit"], check=True, stderr=subprocess.DEVNULL)
    assert (venv / "bin/pre-commit").exists() and not (venv / "bin/ruff").exists()
    assert "skipped" in commit_on_the_host(opened, PATH=f"{venv}/bin:/usr/bin:/bin")
