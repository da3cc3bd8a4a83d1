"""The Pythons of the machine that runs the tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def python_of(*versions):
    """One of these versions on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in versions:
        for path in [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]:
            if path and version_of(path) == version:
                return Path(path)
    pytest.skip(f"needs a Python of {' or '.join(versions)}")


def version_of(path):
    """Asked without a PATH, with which a shim does not run."""
    ask = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(ask, stdout=-1, stderr=-1, text=True, check=False, env={"PATH": "/nowhere"}).stdout.strip()
