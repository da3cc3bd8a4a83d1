"""How `./dev` is called. Nothing is set up for these."""

import os
import subprocess
import sys

import pytest
from helpers.python import python_of


@pytest.fixture(scope="module")
def folder(make_project):
    return make_project().folder


def dev(folder, *arguments, **options):
    return subprocess.run([folder / "dev", *arguments], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(folder, arguments):
    done = dev(folder, *arguments)
    assert done.returncode == 0 and done.stderr == ""
    for verb in (
        "up",
        "test",
        "manage",
        "down",
        "reset",
        "doctor",
        "--native",
        "--docker",
        "--yes",
        "--debug",
        "APP_PORT",
    ):
        assert verb in done.stdout


@pytest.mark.parametrize("verb", ["up", "down", "reset", "doctor"])
def test_a_verb_has_help_too(folder, verb):
    done = dev(folder, verb, "--help")
    assert done.returncode == 0 and verb in done.stdout


@pytest.mark.parametrize(
    "arguments, cause",
    [
        (["sail"], "Unknown command: sail"),
        (["up", "--fast"], "./dev up: unknown argument: --fast"),
        (["reset", "yes"], "./dev reset: unknown argument: yes"),
        (["up", "--native", "--docker"], "./dev up"),
    ],
)
def test_wrong_usage_is_named_and_has_its_own_exit_status(folder, arguments, cause):
    done = dev(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(cause) and done.stderr.endswith("See ./dev --help\n")


@pytest.mark.parametrize("arguments", [["--docker", "up"], ["up", "--docker"]])
@pytest.mark.parametrize(
    "variables, cause",
    [
        ({"PATH": "/nowhere"}, "--docker: there is no docker on PATH"),
        ({"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere"}, "--docker: no Docker engine answers: "),
    ],
)
def test_docker_where_there_is_no_engine_is_refused(folder, arguments, variables, cause):
    done = subprocess.run(
        [sys.executable, folder / "dev", *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(cause)


def test_an_older_python_than_the_script_can_use_is_told_so(folder):
    done = subprocess.run(
        [python_of("3.8", "3.7", "3.6"), folder / "dev", "up"], capture_output=True, text=True, check=False
    )
    said = "./dev needs Python 3.9 or newer: run it with another one, as in `python3.13 dev up`.\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_it_works_from_any_folder(folder, tmp_path):
    assert "doctor" in dev(folder, "--help", cwd=tmp_path).stdout
