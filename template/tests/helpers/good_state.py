"""What the tests of one worker share, and how it gets into a good state before each of them."""

from helpers.engine import docker
from helpers.projects import supervisor_is_watching
from helpers.waiting import wait_until


def restore_dev_container(project, files):
    """The dev container open, its work tree clean but for *files*, its server at work and noticing edits."""
    project.restore(files)
    if not are_running(project):
        project.devcontainer("up")
    project.bash("environment/serve.py --detach")
    wait_until(lambda: project.get_inside("readyz") == (200, "ok\n"))
    wait_until(lambda: supervisor_is_watching(project))


def restore_stack(project, files):
    """The Compose stack healthy, its work tree clean but for *files*."""
    project.restore(files)
    if not are_running(project) or project.get("readyz") != (200, "ok\n"):
        wait_until(lambda: not is_running_and_unhealthy(project.container("db")))
        project.compose("up", "--wait")
    wait_until(lambda: project.get("readyz") == (200, "ok\n"))


def is_running_and_unhealthy(container):
    """Docker calls what was paused unhealthy until the next probe, and `up --wait` fails at once then."""
    state = container["State"] if container else {"Running": False}
    return state["Running"] and state["Health"]["Status"] == "unhealthy"


def are_running(project):
    containers = [project.container(service) for service in ("db", "app")]
    for container in filter(None, containers):
        if container["State"]["Paused"]:
            docker("unpause", container["Id"])
    return all(container and container["State"]["Running"] for container in containers)
