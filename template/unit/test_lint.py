"""The commit hooks let pass what Django's documentation teaches."""

import subprocess
from pathlib import Path

import pytest
from django.conf import settings

CORPUS = Path(__file__).parent / "documentation_style"
ROOT = settings.BASE_DIR.parent


def ruff(*arguments):
    return subprocess.run(["ruff", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def polls():
    """The code lies where a user has it: some rules depend on the place."""
    file = settings.BASE_DIR / "core/polls.py"
    file.write_text((CORPUS / "polls.py").read_text())
    yield file
    file.unlink()


def test_code_in_the_style_of_the_documentation_passes_untouched(polls):
    checked, formatted = ruff("check", polls), ruff("format", "--check", polls)
    assert (checked.returncode, formatted.returncode) == (0, 0), checked.stdout + formatted.stdout


def test_a_mistake_does_not(polls):
    polls.write_text(f"import os\n{polls.read_text()}")
    assert "F401" in ruff("check", polls).stdout


def test_the_projects_own_apps_sort_below_the_packages(polls):
    polls.write_text("from core.models import User\nfrom django.db import models\n\n_ = (User, models)\n")
    ruff("check", "--select", "I", "--fix", polls)
    assert polls.read_text().startswith("from django.db import models\n\nfrom core.models import User\n")
