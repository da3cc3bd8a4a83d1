"""What `./dev` with Docker and without have in common, and how it chooses."""

import json
import re

import pytest
from helpers.engine import PROGRAMS

CHECKS = (PROGRAMS / "database_answers.py").read_text()
# Where the server lies and listens, and what it was compiled with.
DIFFERENT_SETTINGS = {"config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port",
                      "unix_socket_directories", "server_version", "server_version_num", "krb_server_keyfile",
                      "ssl_ciphers", "ssl_groups", "ssl_library"}  # fmt: skip


def answers_of(done):
    found = json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)[1])
    found["settings"] = {name: value for name, value in found["settings"].items() if name not in DIFFERENT_SETTINGS}
    return found


def test_the_database_answers_alike(bare, make_project):
    question = ["manage", "shell", "--no-imports", "-c", CHECKS]
    without = answers_of(bare.dev(*question))
    with_docker = answers_of(make_project().dev("--docker", *question))
    assert without["sort order"] == [["1 B Z _ a b ä é"]]
    assert without["major"] == 18
    settings = without.pop("settings").items() ^ with_docker.pop("settings").items()
    assert settings == set()
    assert without == with_docker


@pytest.fixture
def project(make_project):
    return make_project()


def test_it_goes_on_without_docker_where_the_data_is(project):
    project.dev("up", "--native")
    try:
        again = project.dev("up")
        assert "./dev up without Docker: as before" in again.stderr
        assert project.containers() == []
        project.dev("down")
        assert project.get()[0] is None
    finally:
        project.dev("down", "--native")


def test_it_goes_on_with_docker_where_the_data_is(project):
    project.dev("up")
    said = project.dev_fails("up", DOCKER_HOST="unix:///nowhere")
    assert "This project's data is with Docker" in said and "--native" in said
    assert not (project.folder / ".venv").exists()


def test_a_commit_is_tried_where_the_project_runs(project):
    project.dev("up", "--native")
    project.dev("down", "--native")
    project.run("sh", "-c", "rm -r .venv/lib/python3.*/site-packages/django")  # as if it came with a later change
    project.dev("up", "--docker")
    project.write("app/core/tidy.py", "x = 1\n")
    project.run("git", "add", "app/core/tidy.py")
    said = project.run("git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--message=Tidy").stdout
    assert "no migration is missing" in said, "the hooks ran"


def test_the_page_of_the_other_backend_is_not_called_another_programs(project):
    project.dev("up")
    said = project.dev_fails("up", "--native")
    assert f"Port {project.port} is taken" in said


def test_who_may_not_use_the_engine_is_told_so(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    if "extra_groups" not in project.user:
        pytest.skip("needs root, to be a user without the group")
    project.user["extra_groups"] = []
    said = project.dev_fails("up", "--docker")
    assert "you may not use the Docker engine" in said and "group docker" in said
