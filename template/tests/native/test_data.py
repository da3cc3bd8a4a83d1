"""The data of `./dev` without Docker: kept, refused, carried over, deleted when that is said."""

import pytest
from helpers.machines import FOLDER
from helpers.waiting import wait_until

DIGEST = "cd .dev && find postgres password -type f -exec sha256sum {} + | sort"


def test_down_leaves_no_process_and_the_data(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table kept as select 42 as answer")
    assert machine.processes("postgres") and machine.processes("environment/server.py")
    machine.dev("down")
    assert machine.processes() == {}
    machine.dev("up")
    assert machine.psql("select answer from kept") == "42"


def test_what_needs_no_new_package_installs_none(make_set_up_machine):
    """After a pull, on a train: the server ends, the doctor looks, the data can be deleted."""
    machine = make_set_up_machine()
    machine.dev("up")
    machine.sh("echo '# pulled' >> requirements-native.txt")
    offline = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    said = machine.dev("doctor", check=False, **offline).stderr + machine.dev("down", **offline).stderr
    assert machine.processes() == {} and "packages" not in said
    assert "Deleted the database" in machine.dev("reset", "--yes", **offline).stdout


def test_dev_up_leaves_a_server_alone_that_somebody_started_in_a_terminal(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("manage", "check")
    machine.sh("script --quiet --command './dev manage runserver 8001 --noreload' /dev/null > /dev/null 2>&1 &")
    wait_until(lambda: machine.status(8001) == "200")
    machine.dev("up")
    assert (machine.status(), machine.status(8001)) == ("200", "200")
    machine.kill("runserver")


def test_the_databases_port_stays(make_set_up_machine):
    """Shells and database tools have it."""
    machine = make_set_up_machine()
    port = ". .dev/env && echo $DB_PORT"
    machine.dev("up")
    before = machine.sh(port).stdout
    machine.dev("down")
    machine.dev("up")
    assert machine.sh(port).stdout == before
    machine.kill_everything()
    machine.dev("up")
    assert machine.sh(port).stdout == before


def test_data_of_another_major_version_is_refused_and_left_alone(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("manage", "check")
    machine.dev("down")
    machine.write(".dev/postgres/PG_VERSION", "17\n")
    before = machine.sh(DIGEST).stdout
    for words in (["up"], ["test"], ["doctor"]):
        said = machine.dev_fails(*words)
        assert "is of PostgreSQL 17" in said and "docs/without-docker.md" in said
    assert machine.sh(DIGEST).stdout == before


def test_the_way_to_carry_data_over_keeps_it(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table kept as select 42 as answer")
    machine.sh(". .dev/env && pg_dump > all.sql")
    machine.dev("down")
    machine.sh("mv .dev/postgres .dev/postgres-before")
    machine.dev("manage", "check")
    machine.sh(". .dev/env && psql --set=ON_ERROR_STOP=1 < all.sql")
    machine.dev("up")
    assert machine.psql("select answer from kept") == "42"


def test_reset_asks_says_what_it_deletes_and_deletes_nothing_else(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table doomed as select 1")
    said = machine.dev_fails("reset")
    assert f"This deletes the database in {FOLDER}/.dev/postgres: add --yes to confirm." in said
    assert machine.psql("select count(*) from doomed") == "1"
    assert f"Deleted the database in {FOLDER}/.dev/postgres" in machine.dev("reset", "--yes").stdout
    assert machine.processes() == {}
    machine.dev("up")
    assert machine.psql("select to_regclass('doomed') is null") == "t"


def test_a_data_folder_that_was_copied_with_other_modes_works(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.psql("create table kept as select 1")
    machine.dev("down")
    machine.sh("chmod 755 .dev/postgres")
    machine.dev("up")
    assert machine.psql("select count(*) from kept") == "1"


def test_a_data_folder_that_cannot_be_read_is_not_called_another_version(make_set_up_machine):
    machine = make_set_up_machine()
    machine.add_user("someone", 1500)
    machine.give_to("1500:1500")
    machine.dev("manage", "check")
    machine.dev("down")
    machine.sh("chmod 000 .dev/postgres")
    said = machine.dev_fails("up")
    assert "chmod 700" in said and "version" not in said


@pytest.mark.parametrize("verb", ["down", "up"])
def test_a_folder_that_is_moved_while_it_is_up_is_still_its_own(make_set_up_machine, verb):
    machine = make_set_up_machine()
    # Out of the image's layer, out of which mv would copy and delete.
    machine.run("sh", "-c", f"cp -a '{FOLDER}' '{FOLDER}-new' && rm -r '{FOLDER}' && mv '{FOLDER}-new' '{FOLDER}'")
    machine.dev("up")
    machine.psql("create table kept as select 1")
    machine.run("mv", FOLDER, f"{FOLDER}-moved")
    machine.dev(verb, folder=f"{FOLDER}-moved")
    if verb == "down":
        assert machine.processes() == {}
    machine.dev("up", folder=f"{FOLDER}-moved")
    assert machine.status(path="readyz") == "200"
    assert machine.sh(". .dev/env && psql -Atc 'select count(*) from kept'", folder=f"{FOLDER}-moved").stdout == "1\n"


def test_a_copy_of_the_folder_does_not_work_on_the_originals_data(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.run("cp", "-a", FOLDER, f"{FOLDER}-copy")
    where = "import django.db as d; c = d.connection.cursor(); c.execute('show data_directory'); print(c.fetchone()[0])"
    original = f"{FOLDER}/.dev/postgres\n"
    assert machine.dev("manage", "shell", "--no-imports", "-c", where).stdout == original, "the control"
    manage = [f"{FOLDER}/.venv/bin/python", "manage.py", "shell", "--no-imports", "-c", where]
    asked = machine.run(*manage, folder=f"{FOLDER}-copy", check=False)
    assert asked.stdout != original
