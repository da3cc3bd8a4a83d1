"""Everything is killed at a random moment of the first start: the same command, typed again, ends in the good state."""

import os
import signal
import subprocess
import time

import pytest
from helpers.engine import docker


def killed(project, command, seconds):
    """Type the command, and kill it, all that it started, and the project's containers after so many seconds."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options |= {"cwd": project.folder, "env": project.environment, **project.user, "start_new_session": True}
    process = subprocess.Popen(command, **options)
    time.sleep(seconds)  # what is tried: any moment
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for container in project.containers():
        docker("kill", container, check=False)


@pytest.mark.parametrize("command", [["./dev", "up"], ["docker", "compose", "up", "--wait"]], ids=["dev", "compose"])
def test_a_first_up(make_project, moments, kill_rounds, command):
    project = make_project(APP_UID=os.getuid(), APP_GID=os.getgid())
    for _ in range(kill_rounds):
        killed(project, command, seconds := moments.uniform(0.3, 8))
        project.run(*command)
        assert project.get("readyz") == (200, "ok\n"), seconds
        project.compose("down", "--volumes")


def test_a_first_opening_in_an_editor(make_project, ordinary_uid, moments, kill_rounds):
    project = make_project(ordinary_uid)
    for _ in range(kill_rounds):
        killed(project, ["devcontainer", "up", "--workspace-folder", "."], seconds := moments.uniform(1, 20))
        project.reopen_in_editor()  # the setup may have ended just before the kill
        project.bash("python manage.py migrate --check")
        assert project.get_inside("readyz") == (200, "ok\n"), seconds
        project.compose("down", "--volumes")
