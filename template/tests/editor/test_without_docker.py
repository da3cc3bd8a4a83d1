"""VS Code on a machine without Docker: its interpreter is .venv/bin/python, and nothing of .dev/env is in its shell."""

import json
import re
import subprocess

import pytest
from helpers.debugger import Debugger
from helpers.engine import ROOT
from helpers.files import read_json
from helpers.machines import FOLDER, SUPERVISOR, set_up_machines
from helpers.waiting import HANGING, wait_until

PYTHON = f"{FOLDER}/.venv/bin/python"
TASKS = {task["label"]: task for task in read_json(".vscode/tasks.json")["tasks"]}
PORT = 8765  # .env has it, and no variable of the editor
TESTS = "app/core/tests/test_wait_for_db.py"


@pytest.fixture(scope="module")
def machine(clone, set_up_image):
    with set_up_machines(clone, set_up_image) as make:
        machine = make()
        machine.write(".env", f"APP_PORT={PORT}\n")
        machine.dev("up")
        yield machine


def test_the_test_explorer_finds_the_tests(machine):
    found = machine.run(PYTHON, "-m", "pytest", "--collect-only", "-q", folder=FOLDER).stdout
    assert re.search(r"\d+ tests collected", found) and TESTS in found


def test_a_test_runs(machine):
    assert " passed" in machine.run(PYTHON, "-m", "pytest", "-q", TESTS, folder=FOLDER).stdout


@pytest.mark.parametrize("manage", ["manage.py", "app/manage.py"])
def test_a_management_command_runs(machine, manage):
    machine.run(PYTHON, manage, "migrate", "--check", folder=FOLDER)


def words(label):
    """The command line of a task of the type "process", as the editor with that interpreter starts it."""
    task = TASKS[label]
    assert task["type"] == "process"
    return [task["command"].replace("${command:python.interpreterPath}", PYTHON), *task["args"]]


@pytest.mark.parametrize("label", sorted(set(TASKS) - {"Server log", "Restart server"}))
def test_a_task_does_its_work(machine, label):
    machine.run(*words(label), folder=FOLDER)


def test_the_task_server_log_shows_the_log(machine):
    task = ["docker", "exec", "--workdir", FOLDER, machine.name, "timeout", str(HANGING), *words("Server log")]
    with subprocess.Popen(task, stdout=subprocess.PIPE, text=True) as tail:
        assert any(f"Serving http://localhost:{PORT}" in line for line in tail.stdout)
        tail.terminate()
    machine.kill("tail -n")


def test_the_task_restart_server_serves_on_loopback_alone(machine):
    before = machine.processes(SUPERVISOR)
    machine.run(*words("Restart server"), folder=FOLDER)
    wait_until(lambda: machine.status(PORT, "readyz") == "200")
    assert not set(before) & set(machine.processes(SUPERVISOR))
    assert all(address.startswith("0100007F:") for address in machine.listening())


def test_a_management_command_can_be_debugged(machine):
    """F5 on "Management command", with a breakpoint in the command."""
    source = (ROOT / "app/core/management/commands/create_admin.py").read_text().splitlines()
    number = next(n for n, line in enumerate(source, 1) if "create_superuser(" in line)
    (chosen,) = (
        entry for entry in read_json(".vscode/launch.json")["configurations"] if entry["name"] == "Management command"
    )
    chosen = json.loads(
        json.dumps(chosen).replace("${workspaceFolder}", FOLDER).replace("${command:pickArgs}", "create_admin")
    )
    chosen |= {"console": "integratedTerminal", "cwd": FOLDER, "python": [PYTHON]}
    breakpoints = {f"{FOLDER}/app/core/management/commands/create_admin.py": number}
    with Debugger(exec_argv(machine), chosen, breakpoints) as debugger:
        stop = debugger.wait_for_stop()
        assert (stop.reason, stop.variable("username")) == ("breakpoint", "'admin'")
        stop.resume()


def exec_argv(machine):
    """The command line that runs a command in the machine, with the editor's own interpreter."""

    def argv(program, *arguments):
        program = PYTHON if program == "python" else program
        return ["docker", "exec", "--interactive", "--workdir", FOLDER, machine.name, program, *arguments]

    return argv


def test_the_debuggers_port_is_closed_unless_asked_for(machine):
    machine.dev("up")
    assert len(machine.listening()) == 2, "the page and PostgreSQL"


def test_f5_attaches_to_the_server_on_request(machine):
    (chosen,) = (entry for entry in read_json(".vscode/launch.json")["configurations"] if entry["name"] == "Server")
    try:
        machine.dev("up", "--debug")
        assert all(address.startswith("0100007F:") for address in machine.listening())
        source = (ROOT / "app/welcome/views.py").read_text().splitlines()
        number = next(n for n, line in enumerate(source, 1) if "return HttpResponse(" in line)
        with Debugger(exec_argv(machine), chosen, {f"{FOLDER}/app/welcome/views.py": number}) as debugger:
            debugger.wait_for_process()
            debugger.wait_for_process()
            wait_until(lambda: machine.status(PORT, "livez") == "200")
            asking = ["docker", "exec", machine.name, "python3", "/programs/status.py", f"http://127.0.0.1:{PORT}/"]
            with subprocess.Popen(asking, stdout=subprocess.PIPE, text=True) as request:
                debugger.wait_for_stop().resume()
                assert request.stdout.read().strip() == "200"
    finally:
        machine.dev("up")
