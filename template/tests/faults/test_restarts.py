"""The database is killed, stopped, or loses a process: it comes back where it ran, with all that was acknowledged."""

import random
import subprocess
import time

import pytest
from helpers.engine import docker, kill_outside
from helpers.waiting import wait_until

EDIT = """
from django.http import HttpResponse

urlpatterns += [path("edited", lambda request: HttpResponse("edited"))]
"""


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.compose("up", "--wait")
    project.psql("create table acknowledged (n int)")
    return project


def kill_database(project):
    """Kill it while the application runs, and wait until it is back."""
    pid = project.container("db")["State"]["Pid"]
    kill_outside(pid)
    wait_until(lambda: project.container("db")["State"]["Pid"] not in (0, pid))
    wait_until(lambda: project.get("readyz")[0] == 200)


def test_a_database_that_was_killed_comes_back_and_one_that_was_stopped_does_not(project):
    kill_database(project)
    policy = "{{.HostConfig.RestartPolicy.Name}}"
    # What the engine does when it starts anew itself, which cannot be tried on the machine of other tests.
    assert docker("inspect", "--format", policy, project.container("db")["Id"]) == "unless-stopped"
    project.compose("stop", "db")
    assert project.container("db")["State"]["Status"] == "exited"
    project.compose("up", "--wait")


def missing_after_a_kill(project, seconds, options=""):
    """How many rows were acknowledged to four writers and are gone after the database was killed."""
    command = project.exec_argv("env", f"PGOPTIONS={options}", "python", "template/tests/programs/insert.py")
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    starts = [str(random.randrange(10**9)) for _ in range(4)]
    writers = [subprocess.Popen([*command, start], **streams) for start in starts]
    said = [writer.stdout.readline() for writer in writers]
    time.sleep(seconds)  # what is tried: any moment
    kill_database(project)
    said += [writer.communicate()[0] for writer in writers]
    acknowledged = set("".join(said).split())
    print(len(acknowledged))
    assert len(acknowledged) > 4
    return len(acknowledged - set(project.psql("select n from acknowledged").split()))


@pytest.mark.rounds(2)
def test_what_was_acknowledged_outlives_a_kill(project, moments, kill_rounds):
    for _ in range(kill_rounds):
        assert missing_after_a_kill(project, moments.uniform(0.1, 1.5)) == 0


def test_the_control_loses_rows(project):
    """A server that acknowledges too early."""
    wait_until(lambda: missing_after_a_kill(project, 0.5, "-c synchronous_commit=off"))


CLIENTS = [
    "select 1",
    "begin; select 1",
    "select pg_sleep(600)",
    "create table big as select generate_series(1, 1000000000)",
]


def test_a_stop_with_busy_clients_is_a_clean_one(project):
    sessions = []
    for statement in CLIENTS:
        psql = subprocess.Popen(project.exec_argv("psql", "-q"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        psql.stdin.write(f"{statement};\n".encode())
        psql.stdin.flush()
        sessions.append(psql)
    busy = "select count(*) from pg_stat_activity where application_name = 'psql' and pid <> pg_backend_pid()"
    wait_until(lambda: project.psql(busy) == str(len(CLIENTS)))
    project.compose("stop", "db")
    for psql in sessions:
        psql.communicate()
    assert project.container("db")["State"]["ExitCode"] == 0
    assert "database system is shut down" in project.compose("logs", "--tail=5", "db").stdout
    project.compose("up", "--wait")
    since = project.compose("logs", "db").stdout.rpartition("database system is shut down")[2]
    assert "database system was shut down" in since and "automatic recovery" not in since


def test_one_of_the_databases_processes_is_killed(project):
    """The kernel does so when memory is short. The server begins anew by itself."""
    command = project.exec_argv("psql", "-c", "select pg_sleep(600)")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
        find = "select pid from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
        pid = wait_until(lambda: project.psql(find))
        before = project.container("db")["State"]["Pid"]
        project.compose("exec", "-T", "db", "kill", "-9", pid)
        assert session.wait() != 0
    wait_until(lambda: project.get("readyz")[0] == 200)
    assert project.container("db")["State"]["Pid"] == before


def test_no_connection_is_left(project):
    command = project.exec_argv("python", "template/tests/programs/hold_connections.py")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert int(holder.stdout.readline()) > 90
        wait_until(lambda: project.get("readyz") == (503, "too_many_connections\n"))
        assert "SQLSTATE 53300" in project.get()[1]
        holder.communicate()
    wait_until(lambda: project.get("readyz")[0] == 200)


def test_a_volume_of_another_owner_heals(project):
    project.psql("create table of_before as select 1")
    project.compose("stop", "db")
    volume = f"--volume={project.name}_db:/v"
    docker("run", "--rm", volume, "postgres:18-trixie", "chown", "-R", "1234:1234", "/v")
    project.compose("up", "--wait")
    assert project.psql("select count(*) from of_before") == "1"


def test_a_clock_that_was_set_back(project):
    """All that was written lies in the future then."""
    tomorrow = "-exec touch --no-dereference --date=tomorrow {} +"
    project.as_root(f"find /workspace /home/app /dev/shm -xdev {tomorrow}")
    project.compose("exec", "-T", "db", "sh", "-c", f"find /var/lib/postgresql /dev/shm {tomorrow}")
    project.compose("restart")
    project.compose("up", "--wait")
    project.write("app/app/urls.py", project.read("app/app/urls.py") + EDIT)
    wait_until(lambda: project.get("edited") == (200, "edited"))
