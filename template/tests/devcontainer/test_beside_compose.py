"""Compose and the dev container share the data, and give way to each other."""

import json

import pytest


@pytest.fixture(scope="module")
def project(make_project, ordinary_uid):
    project = make_project(ordinary_uid, APP_UID=ordinary_uid, APP_GID=ordinary_uid)
    project.devcontainer("up")
    project.psql("create table shared as select 1")
    return project


def shares_the_data(project):
    return project.psql("select count(*) from shared") == "1"


def test_run_and_exec_leave_the_editors_container_alone(project):
    edited = project.container()["Id"]
    project.compose("run", "--rm", "app", "python", "manage.py", "migrate", "--check")
    project.compose("exec", "-T", "app", "python", "manage.py", "check")
    assert project.container()["Id"] == edited


def test_up_replaces_it_and_says_so(project):
    edited = project.container()["Id"]
    up = project.compose("up", "--wait")
    assert f"Container {project.name}-app-1  Recreate" in up.stdout
    assert project.container()["Id"] != edited
    assert project.get()[0] == 200
    assert shares_the_data(project)


def test_the_editor_attaches_to_the_running_container_as_it_is(project):
    project.compose("up", "--wait")
    plain = project.container()["Id"]
    up = project.devcontainer("up")
    assert json.loads(up.stdout.strip().splitlines()[-1])["outcome"] == "success"
    assert project.container()["Id"] == plain
    assert project.setup_status() == "ready"
    assert project.get()[0] == 200
    assert shares_the_data(project)


def test_dev_leaves_an_open_one_alone_and_takes_a_stopped_one(project):
    project.compose("down")
    project.devcontainer("up")
    for words in (["up"], ["down"], ["reset", "--yes"]):
        assert "type `docker compose stop app`" in project.dev_fails(*words)
    assert project.get_inside("livez")[0] == 200 and shares_the_data(project)
    project.compose("stop", "app")
    project.dev("up")
    assert project.get()[0] == 200 and shares_the_data(project)
    project.dev("down")
    assert project.containers() == []
