"""
The dev container, opened with the Dev Container CLI as an ordinary user whose id is not the image's, from a path with a
space. What postCreate did is asserted by what it left: the CLI's exit status does not tell.
"""

import json
import re
import subprocess

import pytest

RECORD = "cat ~/.local/state/post-create.tsv"


def outcome(up):
    return json.loads(up.stdout.strip().splitlines()[-1])["outcome"]


def record(project):
    """The record of the last run of postCreate: the exit status of each step, in order."""
    lines = [line.split("\t") for line in project.inside(RECORD).stdout.splitlines()]
    (summary,) = [summary for name, _, _, summary in lines if name == "tests"]
    assert re.fullmatch(r"(\d+ failed, )?\d+ passed in [\d.]+s", summary)
    return {name: int(status) for name, seconds, status, _ in lines if float(seconds) >= 0}


READY = {"folder": 0, "git": 0, "commit hooks": 0, "database": 0, "tests": 0, "ready": 0}

NOT_READY = {"folder": 0, "git": 0, "commit hooks": 0, "database": 0, "tests": 1, "NOT READY: tests failed": 1}


@pytest.fixture(scope="module")
def opened(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.up = project.devcontainer("up", check=False)
    return project


def test_it_opens(opened):
    assert opened.up.returncode == 0, opened.up.stdout
    assert outcome(opened.up) == "success"
    assert "READY after" in opened.up.stdout


def test_every_step_of_postcreate_ran_and_left_its_record(opened):
    assert record(opened) == READY


def test_the_migrations_are_applied(opened):
    assert opened.psql("select count(*) from django_migrations where app = 'core'") == "1"


def test_the_tests_ran(opened):
    ran = json.loads((opened.folder / ".pytest_cache/v/cache/nodeids").read_text())
    assert any("test_wait_for_db" in test for test in ran)
    assert not (opened.folder / ".pytest_cache/v/cache/lastfailed").exists()


def test_what_it_makes_belongs_to_the_user_of_the_host(opened):
    opened.inside("touch made-inside")
    for made in ("made-inside", ".pytest_cache", ".git/hooks/pre-commit", "app/core/__pycache__"):
        assert (opened.folder / made).stat().st_uid == opened.uid
    (opened.folder / "made-inside").unlink()


def test_it_leaves_the_work_tree_as_it_was(opened):
    assert opened.git_status() == ""


def test_a_second_run_converges(opened):
    again = opened.devcontainer("up")
    assert outcome(again) == "success"
    opened.inside("bash .devcontainer/post-create")
    assert record(opened) == READY
    assert opened.git_status() == ""


def test_an_unfinished_run_is_not_taken_for_a_ready_one(opened):
    opened.inside("sed -i '$d' ~/.local/state/post-create.tsv")
    status = opened.inside("bash .devcontainer/post-create --status", check=False)
    assert status.returncode == 1
    assert "NOT READY: post-create is still running, or was cut off" in status.stdout
    opened.inside("bash .devcontainer/post-create")


def test_a_commit_inside_runs_the_hooks(opened):
    opened.inside("git config user.name Ann && git config user.email ann@example.com && git switch --create hooks")
    opened.write("app/core/unused.py", "import os\n\n\ndef f( ):\n    return  1\n")
    blocked = opened.inside("git add app/core/unused.py && git commit -m 'Add'", check=False)
    assert blocked.returncode == 1
    assert "ruff check" in blocked.stdout and "files were modified by this hook" in blocked.stdout
    opened.inside("git add app/core/unused.py && git commit -m 'Add'")

    opened.write("app/core/models.py", (opened.folder / "app/core/models.py").read_text() + "    born = DateField()\n")
    blocked = opened.inside("sed -i '1i from django.db.models import DateField' app/core/models.py && "
                            "git add app && git commit -m 'Add'", check=False)  # fmt: skip
    assert blocked.returncode == 1
    assert "no migration is missing" in blocked.stdout and "0002_user_born.py" in blocked.stdout
    opened.inside("git reset --hard --quiet")


def commit_on_the_host(project, **variables):
    project.run("git", "commit", "--allow-empty", "--message", "On the host", **variables)
    return project.run("git", "commit", "--allow-empty", "--message", "On the host", **variables).stdout


def test_a_commit_on_the_host_is_not_held_up_by_tools_that_are_missing_there(opened):
    commit = commit_on_the_host(opened)
    assert [line for line in commit.splitlines() if "skipped" in line] == [commit.splitlines()[0]]

    venv = opened.folder.parent / "without-ruff"
    subprocess.run(["python3", "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin/pip", "install", "--quiet", "pre-commit"], check=True, stderr=subprocess.DEVNULL)
    assert (venv / "bin/pre-commit").exists() and not (venv / "bin/ruff").exists()
    assert "skipped" in commit_on_the_host(opened, PATH=f"{venv}/bin:/usr/bin:/bin")


def test_a_hook_of_ones_own_is_left_alone(opened):
    hook = opened.folder / ".git/hooks/pre-commit"
    ours = hook.read_text()
    hook.write_text("#!/bin/sh\n# my own\n")
    assert "is your own" in opened.inside("bash .devcontainer/post-create").stdout
    assert "my own" in hook.read_text()
    hook.write_text(ours)
    opened.inside("git config core.hooksPath .my-hooks && bash .devcontainer/post-create")
    assert not (opened.folder / ".my-hooks").exists()
    opened.inside("git config unset core.hooksPath")


def test_it_outlives_broken_code(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    settings = project.write("app/app/settings.py", "this is no Python\n")
    up = project.devcontainer("up", check=False)
    assert outcome(up) == "error"
    assert "NOT READY: database failed" in up.stdout
    assert project.container()["State"]["Running"]
    project.write("app/app/settings.py", settings)
    assert "READY after" in project.inside("bash .devcontainer/post-create").stdout


def test_a_failing_test_is_not_ready_and_says_so_until_it_passes(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.write("app/core/tests/test_failing.py", "def test_failing():\n    assert 1 == 2\n")
    up = project.devcontainer("up", check=False)
    assert up.returncode != 0 and outcome(up) == "error"
    assert "NOT READY: tests failed. Mend it, then run: bash .devcontainer/post-create" in up.stdout
    assert record(project) == NOT_READY

    project.compose("stop")
    again = project.devcontainer("up", check=False)
    assert again.returncode != 0
    assert "NOT READY: tests failed" in again.stdout
    assert "NOT READY: tests failed" in project.inside("bash -i -c true", check=False).stdout

    (project.folder / "app/core/tests/test_failing.py").unlink()
    assert "READY after" in project.inside("bash .devcontainer/post-create").stdout
    assert "NOT READY" not in project.inside("bash -i -c true").stdout
    assert outcome(project.devcontainer("up")) == "success"


def test_compose_and_the_dev_container_share_data_and_give_way_to_each_other(make_project, ordinary_uid):
    project = make_project(ordinary_uid, APP_UID=str(ordinary_uid), APP_GID=str(ordinary_uid))
    project.devcontainer("up")
    project.psql("create table shared as select 1")
    project.inside("true")
    edited = project.container()["Id"]

    assert project.compose("run", "--rm", "app", "python", "app/manage.py", "migrate", "--check").returncode == 0
    assert project.container()["Id"] == edited  # `run` and `exec` leave the editor's container alone

    up = project.compose("up", "--wait")  # this one replaces it, and says so
    assert f"Container {project.name}-app-1  Recreate" in up.stdout
    assert project.container()["Id"] != edited
    assert project.get()[0] == 200
    assert project.psql("select count(*) from shared") == "1"

    plain = project.container()["Id"]
    assert outcome(project.devcontainer("up")) == "success"  # the editor attaches to the running container as it is
    assert project.container()["Id"] == plain
    assert "ready" in project.compose("exec", "-T", "app", "bash", "-c", RECORD).stdout
    assert project.get()[0] == 200
    assert project.psql("select count(*) from shared") == "1"
