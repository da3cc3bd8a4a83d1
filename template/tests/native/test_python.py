"""Which Python `./dev` takes without Docker, on a machine where the first one is too old. uv finds or fetches it."""

import os
import re
import shutil
import subprocess

import pytest
from helpers.python import python_of, version_of

OLD, NEW = ("3.11", "3.10", "3.9"), ("3.14", "3.13", "3.12")
FOUND = {"UV_PYTHON_DOWNLOADS": "never"}  # rather than fetched


@pytest.fixture
def dev(make_project, tmp_path):
    """./dev with that Python, and nothing on PATH or in the home folder but what the test puts there."""
    folder = make_project().folder
    (tmp_path / "bin").mkdir()
    for name in ("sh", "env", "git", "unshare"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))

    def dev(python, *words, **variables):
        environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **kept(), **variables}
        command = [python, folder / "dev", "--native", *words]
        return folder, subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    yield dev
    subprocess.run([folder / "dev", "--native", "down"], check=False, capture_output=True)


def kept():
    """Where packages come from, and their cache."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    return {
        "UV_CACHE_DIR": os.path.expanduser("~/.cache/uv"),
        "PIP_CACHE_DIR": os.path.expanduser("~/.cache/pip"),
        **kept,
    }


def python_of_venv(folder):
    return version_of(folder / ".venv/bin/python")


def test_a_python_that_is_new_enough_is_found_on_path(dev, tmp_path):
    new = python_of(*NEW)
    shim = tmp_path / "bin/python3.14"
    shim.write_text("#!/bin/sh\necho no such version >&2; exit 127\n")  # as pyenv's shims do
    shim.chmod(0o755)
    (tmp_path / "bin/python3").symlink_to(new)
    folder, done = dev(python_of(*OLD), "manage", "check", **FOUND)
    assert done.returncode == 0, done.stderr
    assert python_of_venv(folder) == version_of(new)


def test_a_python_of_pyenv_is_found(dev, tmp_path):
    new = python_of(*NEW)
    for name, target in {"3.9.30": python_of(*OLD), "3.13.2": new}.items():
        (tmp_path / f"versions/{name}/bin").mkdir(parents=True)
        for program in ("python", f"python{version_of(target)}"):
            (tmp_path / f"versions/{name}/bin/{program}").symlink_to(target)
    folder, done = dev(python_of(*OLD), "manage", "check", PYENV_ROOT=str(tmp_path), **FOUND)
    assert done.returncode == 0, done.stderr
    assert python_of_venv(folder) == version_of(new)


def test_an_old_python_alone_is_told_what_to_install(dev):
    """And a download is not possible."""
    _, done = dev(python_of(*OLD), "up", **FOUND, UV_PYTHON_PREFERENCE="only-system")
    assert done.returncode == 1
    assert re.search(r"3\.12", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
