"""Two folders of one name, a folder that was moved, a copy: whose data it is, by ./dev, an editor, and Compose alone."""

import json
import os
import secrets
import shutil
import subprocess

import pytest
from helpers.engine import RUN, docker
from helpers.waiting import wait_until

OWN_IDS = {"APP_UID": os.getuid(), "APP_GID": os.getgid()}  # with Compose alone: so that the container may write .env


@pytest.fixture
def pair(make_brief_project):
    """Two clones in folders of one name; the kernel writes a space of a path as \\040, which a digit may follow."""
    name = f"{RUN}-{secrets.token_hex(3)}"
    return [make_brief_project(name=f"{parent} 7{name}/{name}") for parent in ("one", "two")]


def name_of(project):
    return json.loads(project.compose("config", "--format=json", apart=True).stdout)["name"]


def is_theirs(project):
    return project.get("readyz")[0] == 200 and project.psql("select count(*) from theirs") == "1"


@pytest.mark.parametrize("is_up", [True, False], ids=["running", "down"])
def test_dev_gives_each_its_own(pair, is_up):
    first, second = pair
    first.dev("up")
    first.psql("create table theirs as select 1")
    if not is_up:
        first.dev("down")
    second.dev("up")
    assert name_of(second) != name_of(first)
    assert second.psql("select to_regclass('theirs')") == ""
    assert "Deleted" in second.dev("reset", "--yes").stdout
    first.dev("up")
    assert is_theirs(first)


def test_an_editor_gives_each_its_own(make_brief_project, ordinary_uid):
    first, second = (make_brief_project(ordinary_uid, name=f"{parent} e/{RUN}-editor") for parent in ("one", "two"))
    first.open_in_editor()
    first.psql("create table theirs as select 1")
    second.open_in_editor()
    assert name_of(second) != name_of(first)
    assert second.psql("select to_regclass('theirs')") == ""
    assert first.psql("select count(*) from theirs") == "1"


def test_compose_alone_refuses_the_other_folders_data(pair):
    first, second = pair
    first.compose("up", "--wait")
    first.psql("create table theirs as select 1")
    second.write("app/core/migrations/0002_wrong.py", "raise SystemExit('the other folder migrates this database')\n")
    assert second.compose("up", "--wait", check=False).returncode != 0
    log = second.compose("logs", "--no-log-prefix", "app").stdout
    assert f"belongs to the folder {first.folder}" in log and "COMPOSE_PROJECT_NAME=" in log
    assert "belongs to the folder" in second.compose("logs", "db").stdout
    assert not (second.folder / ".env").exists()
    first.compose("up", "--wait")
    assert is_theirs(first)


def test_dev_in_the_refused_folder_finds_another_name(pair):
    first, second = pair
    first.compose("up", "--wait")
    first.psql("create table theirs as select 1")
    second.compose("up", "--wait", check=False)
    assert second.dev("reset", "--yes", check=False).returncode == 0
    second.dev("up")
    first.compose("up", "--wait")
    assert is_theirs(first)


def moved(project):
    project.folder = project.folder.rename(project.folder.with_name(f"{project.folder.name}-moved"))


@pytest.mark.parametrize("is_up", [True, False], ids=["running", "down"])
def test_the_data_follow_a_folder_that_is_moved(make_brief_project, is_up):
    project = make_brief_project()
    project.dev("up")
    project.psql("create table theirs as select 1")
    if not is_up:
        project.dev("down")
    moved(project)
    project.dev("up")
    assert is_theirs(project)
    project.compose("up", "--wait")
    assert is_theirs(project)


def test_compose_alone_names_the_command_that_takes_a_moved_folders_data_over(make_brief_project):
    project = make_brief_project(**OWN_IDS)
    project.compose("up", "--wait")
    project.psql("create table theirs as select 1")
    wait_until(lambda: (project.folder / ".env").exists())
    project.compose("down")
    moved(project)
    assert project.compose("up", "--wait", check=False).returncode != 0
    log = project.compose("logs", "--no-log-prefix", "app").stdout
    assert "docker compose exec db bash /environment/database --take-over && docker compose restart" in log
    project.compose("exec", "-T", "db", "bash", "/environment/database", "--take-over")
    project.compose("restart")
    project.compose("up", "--wait")
    assert is_theirs(project)


def test_the_name_that_is_written_down_changes_no_container(make_brief_project):
    project = make_brief_project(**OWN_IDS)
    project.compose("up", "--wait")
    wait_until(lambda: (project.folder / ".env").exists())
    before = project.containers()
    project.compose("up", "--wait")
    assert project.containers() == before


def copy_of(project, copy):
    """The clone *copy*, replaced by a copy of the folder with all that git ignores."""
    shutil.rmtree(copy.folder)
    subprocess.run(["cp", "-a", str(project.folder), str(copy.folder)], check=True)
    return copy


def test_a_copy_gets_a_database_of_its_own(make_brief_project):
    project = make_brief_project()
    project.dev("up")
    project.psql("create table theirs as select 1")
    copy = copy_of(project, make_brief_project())
    said = copy.dev("up").stderr
    assert f"copy of {project.folder}" in said
    assert copy.psql("select to_regclass('theirs')") == ""
    copy.dev("reset", "--yes")
    assert is_theirs(project)


def test_a_name_that_was_lost_with_env_comes_back(make_brief_project):
    project = make_brief_project()
    name = f"{project.name}-own"
    project.dev("up", COMPOSE_PROJECT_NAME=name)
    docker("exec", f"{name}-db-1", "psql", "-U", "app", "-c", "create table theirs as select 1")
    project.run("git", "clean", "-xfdq")
    project.dev("up")
    assert name_of(project) == name
    assert is_theirs(project)


def test_a_new_clone_in_the_place_of_a_moved_folder_gets_its_own(make_brief_project):
    project = make_brief_project()
    place = project.folder
    project.dev("up")
    project.psql("create table theirs as select 1")
    moved(project)
    newcomer = make_brief_project(name=place.name)
    newcomer.dev("up")
    assert newcomer.psql("select to_regclass('theirs')") == ""
    newcomer.dev("reset", "--yes")
    project.dev("up")
    assert is_theirs(project)


def test_a_copy_without_env_gets_a_database_of_its_own(make_brief_project):
    project = make_brief_project()
    project.dev("up")
    project.psql("create table theirs as select 1")
    project.dev("down")
    copy = copy_of(project, make_brief_project())
    copy.run("git", "clean", "-xfdq")
    copy.dev("up")
    assert copy.psql("select to_regclass('theirs')") == ""
    copy.dev("reset", "--yes")
    project.dev("up")
    assert is_theirs(project)


def test_a_copy_that_an_editor_opens_gets_a_database_of_its_own(make_brief_project, ordinary_uid):
    project = make_brief_project(ordinary_uid)
    project.open_in_editor()
    project.psql("create table theirs as select 1")
    copy = copy_of(project, make_brief_project(ordinary_uid))
    copy.open_in_editor()
    assert copy.psql("select to_regclass('theirs')") == ""
    assert project.psql("select count(*) from theirs") == "1"


def test_an_editor_does_not_open_on_another_folders_project(make_brief_project, ordinary_uid):
    """Before it touches anything; the name in .env is somebody's decision."""
    first, second = make_brief_project(ordinary_uid), make_brief_project(ordinary_uid)
    first.open_in_editor()
    second.write(".env", f"COMPOSE_PROJECT_NAME={name_of(first)}\n")
    before = first.container()["Id"]
    said = second.devcontainer("up", check=False)
    assert said.returncode != 0 and str(first.folder) in said.stdout
    assert first.container()["Id"] == before


def test_reset_leaves_a_volume_alone_that_another_folder_has_made_since(pair):
    first, second = pair
    first.compose("up", "--wait")
    first.dev("up")
    first.dev("reset", "--yes")
    second.compose("up", "--wait")
    second.psql("create table theirs as select 1")
    second.compose("down")
    assert str(second.folder) in first.dev_fails("reset", "--yes")
    second.compose("up", "--wait")
    assert is_theirs(second)


def test_a_name_that_was_given_for_once_is_not_kept(make_brief_project):
    project = make_brief_project(**OWN_IDS)
    project.compose("--project-name", f"{project.name}-scratch", "up", "--wait")
    try:
        assert "COMPOSE_PROJECT_NAME" not in (project.read(".env") if (project.folder / ".env").exists() else "")
        project.compose("--project-name", f"{project.name}-scratch", "down", "--volumes")
        project.compose("up", "--wait")
        wait_until(lambda: (project.folder / ".env").exists())
        assert f"COMPOSE_PROJECT_NAME={project.folder.name}\n" in project.read(".env")
    finally:
        project.compose("--project-name", f"{project.name}-scratch", "down", "--volumes")


def test_who_opened_before_keeps_the_data(make_brief_project):
    """A volume of before, which knows no folder, and no file of ./dev's."""
    project = make_brief_project()
    project.compose("up", "--wait", "db")
    project.psql("create table theirs as select 1")
    project.compose("exec", "-T", "db", "rm", "/var/lib/postgresql/project-folder")
    project.compose("down")
    project.dev("up")
    assert name_of(project) == project.folder.name and is_theirs(project)
