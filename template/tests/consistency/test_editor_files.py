"""What .vscode/ and devcontainer.json tell an editor."""

import re

import pytest
from helpers.engine import ROOT
from helpers.files import read_json

EDITOR = read_json(".devcontainer/devcontainer.json")["customizations"]["vscode"]
TASKS = {task["label"]: task for task in read_json(".vscode/tasks.json")["tasks"]}
CONFIGURATIONS = {entry["name"]: entry for entry in read_json(".vscode/launch.json")["configurations"]}


def test_the_recommended_extensions_are_those_that_the_dev_container_installs():
    recommended = set(read_json(".vscode/extensions.json")["recommendations"])
    assert recommended - {"ms-vscode-remote.remote-containers"} == set(EDITOR["extensions"])


@pytest.mark.parametrize("path", sorted(path.name for path in (ROOT / ".vscode").glob("*.json")))
def test_the_editors_files_name_paths_that_exist(path):
    for match in re.findall(r"\$\{workspaceFolder\}/([\w./-]+)", (ROOT / ".vscode" / path).read_text()):
        assert (ROOT / match).exists() or match.startswith((".dev/", ".venv/")), match


@pytest.mark.parametrize("label", TASKS)
def test_a_tasks_program_exists(label):
    program = TASKS[label]["args"][0]
    assert (ROOT / program).is_file() or program == "-m", program


def test_the_test_explorer_can_add_its_own_program():
    (entry,) = [entry for entry in CONFIGURATIONS.values() if "purpose" in entry]
    assert not {"module", "program", "code"} & set(entry)
