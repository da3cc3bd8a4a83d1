"""AGENTS.md: each command of its ```sh blocks works as it stands there, in a fresh clone, one after the other."""

import pytest
from helpers.files import shell_blocks

COMMANDS = shell_blocks("AGENTS.md")


@pytest.fixture(scope="module")
def project(make_project):
    """A clean clone, in which the commands before have been typed."""
    return make_project()


def test_there_are_commands():
    assert any("./dev up" in command for command in COMMANDS)
    assert any("./dev test" in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_works(project, command):
    print(project.run("bash", "-ec", command).stdout)
