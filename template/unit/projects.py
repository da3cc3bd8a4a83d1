"""A copy of the project that a test may change, with a database of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[2]
DATABASE = f"grown{os.environ.get('PYTEST_XDIST_WORKER', '')}"
COPIED = [
    "app",
    "environment",
    "manage.py",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-native.txt",
]


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.environ = {**os.environ, "DB_NAME": DATABASE, "DEV_ENVIRONMENT": "native"}
        for name in [name for name in self.environ if name.startswith("PYTEST_")]:
            del self.environ[name]  # settings.py takes PYTEST_VERSION for a test run
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "dev").touch()  # its presence tells a checkout from a production image

    def edit(self, path, old, new):
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.folder / path).write_text(text.replace(old, new))

    def write(self, path, text):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def run(self, *command, check=True, cwd=None, **environ):
        process = subprocess.run(
            command,
            check=False,
            cwd=cwd or self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert not check or process.returncode == 0, process.stdout + process.stderr
        return process

    def manage(self, *args, **options):
        return self.run(sys.executable, "manage.py", *args, **options)

    def pytest(self, *args, **options):
        return self.run(sys.executable, "-m", "pytest", "-q", *args, **options)


@contextlib.contextmanager
def grown_project(folder):
    """A copy of the project with an empty database."""
    execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    execute(f"CREATE DATABASE {DATABASE}")
    yield Project(folder)
    for name in [DATABASE, f"test_{DATABASE}", f"{DATABASE}_tests_template"]:
        execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def execute(sql, database=None):
    """Run *sql* outside of any transaction, in the development database or another one; return its rows."""
    names = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS", "dbname": "DB_NAME"}
    parameters = {name: os.environ[variable] for name, variable in names.items()}
    connection = psycopg2.connect(**parameters | ({"dbname": database} if database else {}))
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
