"""The Pythons of the machine that runs the tests."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from helpers.engine import RUN

COPY = Path(tempfile.gettempdir(), f"{RUN}-python")


def python_for_everyone():
    """
    The folder of a Python that is new enough for ./dev without Docker; of a copy where root's lies in a home folder, as
    pyenv's do, that no one else may enter.
    """
    python = find_python("3.14", "3.13", "3.12")
    if not python:
        return Path("/usr/bin")
    here = Path(subprocess.check_output([python, "-c", "import sys; print(sys.base_prefix)"], text=True).strip())
    if os.getuid() or all(folder.stat().st_mode & 0o001 for folder in [here, *here.parents]):
        return here / "bin"
    if not COPY.exists():
        new = Path(tempfile.mkdtemp(prefix=f"{COPY.name}-"))
        shutil.copytree(here, new, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("test", "tests"))
        new.chmod(0o755)
        try:
            new.rename(COPY)
        except OSError:  # another worker was sooner
            shutil.rmtree(new)
    return COPY / "bin"


def python_of(*versions):
    """One of these versions on this machine."""
    return find_python(*versions) or pytest.skip(f"needs a Python of {' or '.join(versions)}")


def find_python(*versions):
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in versions:
        for path in [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]:
            if path and version_of(path) == version:
                return Path(path)
    return None


def version_of(path):
    """Asked without a PATH, with which a shim does not run."""
    ask = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(ask, stdout=-1, stderr=-1, text=True, check=False, env={"PATH": "/nowhere"}).stdout.strip()
