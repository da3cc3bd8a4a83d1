"""What is in the production image, and what is not."""

import io
import json
import os
import re
import sys
import tarfile
from pathlib import Path

import pytest
from helpers.engine import ROOT, RUN, docker, run
from helpers.production import VARIABLES, add_views, arguments, build_image

CANARY = "canary-in-a-file"
SECRETS = [".env", ".env.production", "id_rsa", "server.key", "server.pem", "backup.dump", "backup.sql", "db.sqlite3"]
IGNORED = ["__pycache__/x.pyc", ".venv/x", ".dev/x", ".pytest_cache/x", ".ruff_cache/x"]
TESTS = ["tests.py", "tests/test_shop.py", "test_shop.py", "shop_test.py", "conftest.py"]


@pytest.fixture(scope="module")
def image(make_project):
    """Of a project with an app, and with files that nobody wants to deploy, built as root's development would be."""
    project = make_project()
    add_views(project)
    for folder in ("app", "app/core", "app/core/management"):
        for path in [*SECRETS, *IGNORED]:
            project.write(f"{folder}/{path}", CANARY)
    project.write("app/core/kept.py", f"# {CANARY}: the control\n")
    for path in TESTS:
        project.write(f"app/welcome/{path}", CANARY)
    name = f"{RUN}-contents"
    build_image(project, name, "--build-arg=APP_UID=0", "--build-arg=APP_GID=0", "--build-arg=REVISION=abc")
    yield name
    docker("image", "rm", "--force", name, check=False)


def inside(image, command, check=True):
    return docker("run", "--rm", "--network=none", image, "sh", "-c", command, check=check)


def test_no_file_that_is_ignored_secret_or_a_test(image):
    found = inside(image, "grep -rl --include=* canary-in-a-file / --exclude-dir=proc --exclude-dir=sys", check=False)
    assert found == "/workspace/app/core/kept.py"
    files = inside(image, "find /workspace -type f").splitlines()
    assert "/workspace/app/app/settings.py" in files
    assert not [path for path in files if re.search(r"/tests?[/._]|/conftest", path)]


def test_the_documented_build_takes_what_is_committed_alone(make_project, image):
    project = make_project()
    project.write("app/core/not_committed.py", "")
    project.write("app/core/committed.py", "")
    (command,) = re.findall(r"^    (git archive .*)$", project.read("docs/deploy.md"), re.MULTILINE)
    project.run("git", "add", "app/core/committed.py")
    project.run("git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-nm", "x")
    name = f"{RUN}-archive"
    project.run("bash", "-ec", command.replace("shop:1", name))
    found = inside(name, "cd app/core && ls *committed.py")
    docker("image", "rm", "--force", name)
    assert found == "committed.py"


def test_no_layer_has_a_canary(image, tmp_path):
    docker("image", "save", "--output", str(tmp_path / "image.tar"), image)
    with tarfile.open(tmp_path / "image.tar") as saved:
        layers = [saved.extractfile(member).read() for member in saved if member.isfile()]
    found = set()
    for layer in layers:
        try:
            with tarfile.open(fileobj=io.BytesIO(layer)) as files:
                members = [member for member in files if member.isfile()]
                found |= {member.name for member in members if CANARY.encode() in files.extractfile(member).read()}
        except tarfile.TarError:
            assert CANARY.encode() not in layer
    assert found == {"workspace/app/core/kept.py"}


def test_no_compiler_and_no_tool_of_development(image):
    look = "for tool in gunicorn gcc cc git psql pg_config uv pytest ruff curl; do command -v $tool; done"
    assert inside(image, look, check=False) == "/opt/venv/bin/gunicorn"
    assert inside(image, "ls -d /workspace /usr/include/postgresql /usr/include/stdio.h", check=False) == "/workspace"
    installed = inside(image, "ls /opt/venv/lib/python*/site-packages").split()
    assert {"django", "gunicorn", "psycopg2", "whitenoise"} <= set(installed)
    assert not {"pytest", "ruff", "pre_commit", "debugpy", "setuptools", "pip", "uv"} & set(installed)


def test_the_user_is_a_number_whatever_developments_is(image):
    config = json.loads(docker("image", "inspect", image))[0]["Config"]
    assert config["User"] == "1000:1000"
    assert inside(image, "id -u") == "1000"
    assert inside(image, "touch /workspace/x /opt/venv/x app/x; ls /workspace").split() == [
        "app",
        "gunicorn.conf.py",
        "healthcheck.py",
    ]
    assert config["Labels"]["org.opencontainers.image.revision"] == "abc"
    assert config["ExposedPorts"] == {"8000/tcp": {}}


def test_all_is_compiled_already(image):
    without = (
        "cd /opt/venv/lib/python*/site-packages && find . /workspace/app -name '*.py' -not -path '*/conf/*_template/*' | "
        'while read f; do d=${f%/*} b=${f##*/}; ls "$d/__pycache__/${b%.py}".cpython-*.pyc > /dev/null 2>&1 || echo "$f"; done'
    )
    assert inside(image, without) == ""
    assert int(inside(image, "find /opt/venv /workspace -name '*.pyc' | wc -l")) > 500


def test_static_files_are_collected_hashed_and_compressed(image):
    names = inside(image, "ls app/static/admin/css").split()
    assert [name for name in names if re.fullmatch(r"base\.[0-9a-f]{12}\.css\.gz", name)]


def test_the_history_tells_no_secret(image):
    history = docker("history", "--no-trunc", "--format={{.CreatedBy}}", image)
    assert not re.search(r"SECRET_KEY=[A-Za-z0-9_-]{20}", history)
    environment = json.loads(docker("image", "inspect", image))[0]["Config"]["Env"]
    assert not [entry for entry in environment if entry.startswith(("SECRET_KEY", "DB_", "EMAIL"))]


def test_djangos_own_check_finds_nothing(image):
    checked = docker("run", "--rm", "--network=none", *arguments({}), image,
                     "python", "app/manage.py", "check", "--deploy", "--fail-level=WARNING")  # fmt: skip
    assert "no issues" in checked
    assert VARIABLES["SECRET_KEY"] not in checked


def test_the_list_of_what_it_consists_of(image, tmp_path):
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run(ROOT / "deploy/sbom", image, tmp_path / "sbom", env=tools)
    debian, python = (
        {(part["name"].lower(), part["version"]) for part in json.loads(file.read_text())["components"]}
        for file in sorted((tmp_path / "sbom").iterdir())
    )
    installed = inside(image, "dpkg-query -W -f '${Package} ${Version}\n' libpq5 libc6").splitlines()
    assert len(installed) == 2 and {tuple(line.split()) for line in installed} <= debian
    names = "import importlib.metadata as m; print(*(f'{d.name.lower()} {d.version}' for d in m.distributions()), sep='\\n')"
    assert python == {tuple(line.split()) for line in inside(image, f'python -c "{names}"').splitlines()}
