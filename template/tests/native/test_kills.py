"""`./dev` without Docker loses nothing and leaves nothing, whatever is killed and whenever."""

import random
import time

import pytest
from conftest import wait_until
from machines import FOLDER


def converges(machine):
    """After whatever was killed: ./dev up serves, once, from a sound cluster, and ./dev down ends it all."""
    machine.dev("up")
    assert machine.status() == "200"
    assert len(machine.processes("-c import subprocess as s")) == 1
    assert len(machine.processes("/postgres -D")) == 1
    machine.dev("manage", "migrate", "--check")


def kill_first_start(machine, victim, seconds):
    """Type ./dev up and kill it, or all that runs, at a random moment before so many seconds are over."""
    machine.exec("./dev", "up", detach=True)
    time.sleep(random.uniform(0.1, seconds))
    machine.kill_everything() if victim == "everything" else machine.kill(victim)


def test_a_first_start_that_is_killed_while_packages_come(make_machine):
    machine = make_machine()
    kill_first_start(machine, "./dev up", 10)
    kill_first_start(machine, "everything", 10)
    converges(machine)


def test_what_a_killed_first_start_has_left_at_work_is_ended(make_machine):
    machine = make_machine()
    machine.exec("./dev", "up", detach=True)
    wait_until(lambda: machine.processes("-m venv"))
    machine.kill("./dev up")
    assert machine.processes("-m venv")
    machine.dev("down")
    assert machine.processes() == {}


@pytest.mark.parametrize("victim", ["./dev up", "everything"])
def test_a_first_start_that_is_killed_while_the_database_is_made(make_set_up_machine, kill_rounds, victim):
    machine = make_set_up_machine()
    for _ in range(kill_rounds):
        kill_first_start(machine, victim, 3)
        converges(machine)
        machine.dev("reset", "--yes")
        assert machine.processes() == {}


@pytest.mark.parametrize("victim", ["/postgres -D", "postgres", "runserver", "everything"])
def test_what_was_acknowledged_outlives_a_kill(make_set_up_machine, kill_rounds, victim):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table acknowledged (n int)")
    machine.exec("sh", "-c", f"cat > /insert.py <<'E'\n{INSERT}\nE")
    for n in range(kill_rounds):
        machine.exec(
            "sh", "-c", f"cd '{FOLDER}' && . .dev/env && exec python /insert.py {n} > /acknowledged.{n}", detach=True
        )
        time.sleep(random.uniform(0.5, 1.5))
        machine.kill_everything() if victim == "everything" else machine.kill(victim)
        machine.kill("insert.py")
        converges(machine)
        told = set(machine.exec("cat", f"/acknowledged.{n}").stdout.split())
        found = set(machine.psql("select n from acknowledged").split())
        assert told and told <= found


INSERT = """
import os, sys, itertools, psycopg2
db = psycopg2.connect(host=os.environ["DB_HOST"], port=os.environ["DB_PORT"], dbname=os.environ["DB_NAME"],
                      user=os.environ["DB_USER"], password=os.environ["DB_PASS"])
db.autocommit = True
cursor = db.cursor()
for n in itertools.count(int(sys.argv[1]) * 1000000):
    cursor.execute("insert into acknowledged values (%s)", [n])
    print(n, flush=True)
"""


def test_a_process_id_that_another_program_has_by_now_is_not_taken_for_the_server(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.kill_everything()
    machine.exec("sleep", "600", detach=True, user="nobody")  # whom PostgreSQL runs as, or it could not see the process
    wait_until(lambda: machine.processes("sleep 600"))
    (pid,) = machine.processes("sleep 600")
    machine.exec("sed", "-i", f"1s/.*/{pid}/", f"{FOLDER}/.dev/postgres/postmaster.pid")
    converges(machine)


def test_two_at_once_end_with_one_server(make_set_up_machine):
    machine = make_set_up_machine()
    for _ in range(2):
        machine.exec("sh", "-c", f"cd '{FOLDER}' && ./dev up > /up.$$ 2>&1; echo $? >> /ended", detach=True)
    wait_until(lambda: machine.exec("cat", "/ended", check=False).stdout.split() == ["0", "0"])
    assert "Another ./dev is at work" in machine.exec("sh", "-c", "cat /up.*").stdout
    converges(machine)
