import shutil
import subprocess

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command


@pytest.fixture
def shop():
    yield settings.BASE_DIR / "shop"
    shutil.rmtree(settings.BASE_DIR / "shop", ignore_errors=True)


def test_it_lands_beside_the_others_and_its_files_pass_the_hooks(shop):
    call_command("startapp", "shop")
    assert 'name = "shop"' in (shop / "apps.py").read_text()
    subprocess.run(["ruff", "check", shop], check=True)
    subprocess.run(["ruff", "format", "--check", shop], check=True)


def test_a_directory_is_obeyed(tmp_path):
    (tmp_path / "here").mkdir()
    call_command("startapp", "shop", str(tmp_path / "here"))
    assert (tmp_path / "here/models.py").exists()


def test_a_name_that_django_refuses_leaves_nothing():
    for name in ["not-a-name", "core"]:
        files = sorted(settings.BASE_DIR.rglob("*.py"))
        with pytest.raises(CommandError):
            call_command("startapp", name)
        assert sorted(settings.BASE_DIR.rglob("*.py")) == files
    assert not (settings.BASE_DIR / "not-a-name").exists()
