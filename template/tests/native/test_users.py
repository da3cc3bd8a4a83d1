"""Whoever runs `./dev` without Docker: root, an ordinary user, a uid without a name."""

from helpers.machines import FOLDER, HOME, NAMESPACES


def works(machine, **variables):
    machine.dev("up", **variables)
    assert machine.status() == "200"
    assert " passed" in machine.dev("test", "-q", **variables).stdout
    machine.dev("down", **variables)
    assert machine.processes() == {}


def test_an_ordinary_user(make_set_up_machine):
    machine = make_set_up_machine()
    machine.add_user("someone", 1500)
    machine.give_to("1500:1500")
    machine.run("chmod", "700", HOME)
    works(machine)
    assert machine.run("find", HOME, "!", "-user", "1500").stdout == ""


def test_an_ordinary_user_does_not_touch_anothers_data(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    machine.dev("down")
    machine.add_user("someone", 1500)
    machine.give_to("1500:1500")
    machine.run("chown", "-R", "0", f"{FOLDER}/.dev/postgres", user="0")
    assert "belongs to uid 0, and you are uid 1500" in machine.dev_fails("up")


def test_who_comes_after_a_sudo_is_told_the_cure(make_set_up_machine):
    machine = make_set_up_machine()
    machine.add_user("someone", 1500)
    machine.give_to("1500:1500")
    machine.run("chown", "-R", "0", f"{FOLDER}/.dev", user="0")
    for mode in ("755", "700"):
        machine.run("chmod", mode, f"{FOLDER}/.dev", user="0")
        for words in (["up"], ["test"], ["manage", "check"], ["down"], ["doctor"]):
            said = machine.dev_fails(*words)
            assert f"sudo chown -R 1500 '{FOLDER}/.dev'" in said and "belongs to uid 0, and you are uid 1500" in said


def test_root_without_user_namespaces_runs_postgresql_as_nobody(make_set_up_machine):
    machine = make_set_up_machine()
    works(machine)
    assert machine.run("stat", "-c", "%U", f"{FOLDER}/.dev/postgres").stdout == "nobody\n"


def test_root_without_user_namespaces_is_told_when_nobody_can_get_in(make_set_up_machine):
    machine = make_set_up_machine()
    machine.run("chmod", "700", HOME)
    said = machine.dev_fails("up")
    assert "PostgreSQL does not run as root" in said
    assert "move the project to a folder that everybody can enter, or run ./dev as an ordinary user" in said
    assert machine.run("stat", "-c", "%a", HOME).stdout == "700\n"
    assert machine.processes() == {}


def test_root_with_user_namespaces_below_a_folder_of_its_own(make_set_up_machine):
    machine = make_set_up_machine(NAMESPACES)
    machine.run("chmod", "700", HOME)
    works(machine)
    assert machine.run("find", HOME, "!", "-user", "0").stdout == ""
    assert machine.run("stat", "-c", "%a", HOME).stdout == "700\n"


def test_a_uid_without_a_name(make_set_up_machine):
    machine = make_set_up_machine(NAMESPACES)
    machine.give_to("4321:4321")
    works(machine)
    assert machine.run("find", HOME, "!", "-user", "4321").stdout == ""


def test_a_uid_without_a_name_and_without_a_home(make_set_up_machine):
    machine = make_set_up_machine(NAMESPACES)
    machine.give_to("4321:4321")
    machine.sh("env -u HOME ./dev up")
    assert machine.status() == "200"


def test_a_uid_without_a_name_is_told_where_user_namespaces_are_forbidden(make_set_up_machine):
    machine = make_set_up_machine()
    machine.give_to("4321:4321")
    said = machine.dev_fails("up")
    assert "Uid 4321 has none, and this machine does not allow user namespaces" in said
    assert machine.processes() == {}
