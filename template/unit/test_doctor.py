"""The doctor: it finds nothing where all is well, and each thing that is really broken, with the next step for the place."""

import fcntl
import os
import re
import socket
import sys
import tempfile
from pathlib import Path

import django
import psycopg2
import pytest
from databases import free_port
from projects import Project, execute

SETTINGS = "app/app/settings.py"
DJANGO, PSYCOPG2 = django.get_version(), psycopg2.__version__.split()[0]
WELL = "System check identified no issues (0 silenced).\n"


ROUTER = """
class Router:
    def allow_migrate(self, db, app_label, **hints):
        return db == "default"
"""


@pytest.fixture
def project(project):
    """A set-up project without Docker, of which the requirements name one package."""
    project.environ["DEV_ENVIRONMENT"] = "native"
    project.write("requirements-native.txt", f"psycopg2=={PSYCOPG2}\ndjango=={DJANGO} \\\n    --hash=sha256:0\n")
    project.manage("migrate", "-v0")
    return project


def find(project, *options, **environ):
    """Return the ids and the text of what the doctor finds."""
    process = project.manage("doctor", "--timeout=60", *options, check=False, **environ)
    text = process.stdout + process.stderr
    assert "Traceback" not in text, text
    return re.findall(r"\((doctor\.[EW]\d+)\)", text), text


def add_database(project, name, entry):
    project.edit(SETTINGS, "\n\n# Authentication", f'\nDATABASES["{name}"] = {entry}\n\n\n# Authentication')


def test_nothing_is_found_where_all_is_well(project):
    assert project.manage("doctor", "--timeout=60").stdout == WELL


def test_no_other_command_pays_for_it(project):
    checks = "from django.core.checks.registry import registry; print(sorted(registry.tags_available()))"
    assert "doctor" not in project.manage("shell", "--no-imports", "-c", checks).stdout


@pytest.mark.parametrize(
    ("environ", "found", "text"),
    [
        ({"DB_PORT": "1"}, "doctor.E001", "Connection refused"),
        ({"DB_PASS": "wrong"}, "doctor.E001", "password authentication failed"),
        ({"DB_PORT": "http"}, "doctor.E001", 'invalid integer value "http"'),
        ({"DB_NAME": ""}, "doctor.E001", "Please supply the NAME"),
    ],
)
def test_a_database_that_cannot_be_used(project, environ, found, text):
    ids, shown = find(project, "--timeout=5", **environ)
    assert ids == [found]
    assert text in shown and "./dev up" in shown and "docker" not in shown


def test_an_sqlite_alias_is_only_connected_to(project):
    add_database(project, "legacy", '{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "legacy.sqlite3"}')
    assert find(project) == ([], WELL)
    project.edit(SETTINGS, 'BASE_DIR / "legacy.sqlite3"', '"/no/such/folder/legacy.sqlite3"')
    ids, text = find(project)
    assert ids == ["doctor.E001"] and 'The database "legacy" cannot be used: unable to open' in text


def test_the_other_checks_go_on_after_one_that_fails(project):
    project.edit("app/core/environment_checks.py", "    for folder,", "    raise OSError('no idea')\n    for folder,")
    (project.folder / "requirements-native.txt").write_text("no-such-package==1\n")
    ids, text = find(project)
    assert ids == ["doctor.E014", "doctor.W013"]
    assert "check_workspace failed: OSError: no idea" in text


def test_an_unapplied_migration(project):
    project.manage("migrate", "-v0", "sessions", "zero")
    ids, text = find(project)
    assert ids == ["doctor.W002"]
    assert "unapplied migrations: 1." in text and "HINT: Run: ./dev manage migrate\n" in text


def add_field(project, migration, field):
    project.write(
        f"app/core/migrations/{migration}.py",
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('core', '0001_initial')]\n"
        f"    operations = [migrations.AddField('user', '{field}', models.IntegerField(default=0))]\n",
    )


def test_two_migrations_that_both_come_last(project):
    add_field(project, "0002_stock", "stock")
    project.manage("migrate", "-v0")
    add_field(project, "0002_price", "price")
    ids, text = find(project)
    assert "doctor.E015" in ids
    assert "core: 0002_price, 0002_stock" in text
    assert "Run: ./dev manage makemigrations --merge\n" in text
    assert "Conflicting migrations" in project.manage("migrate", check=False).stderr  # the control


def test_an_applied_migration_of_another_branch(project):
    add_field(project, "0002_stock", "stock")
    project.manage("migrate", "-v0")
    (project.folder / "app/core/migrations/0002_stock.py").unlink()
    ids, text = find(project)
    assert ids == ["doctor.W016"]
    assert "Applied, and in no file: core.0002_stock." in text
    assert "./dev manage migrate core 0001_initial" in text
    add_field(project, "0002_stock", "stock")
    project.manage("migrate", "-v0", "core", "0001_initial")  # what the hint says
    (project.folder / "app/core/migrations/0002_stock.py").unlink()
    assert find(project) == ([], WELL)


def test_migrations_that_depend_on_a_missing_one(project):
    add_field(project, "0002_stock", "stock")
    project.edit("app/core/migrations/0002_stock.py", "0001_initial", "0001_gone")
    ids, text = find(project)
    assert ids == ["doctor.E014"] and "0001_gone" in text


def test_a_replica_in_recovery_is_no_fault(project):
    """Every database is in recovery here, as far as the check can see."""
    query = '"SELECT pg_is_in_recovery()"'
    project.edit("app/core/wait_for_db/checks.py", query, "\"SELECT current_database() = 'replica'\"")
    execute("DROP DATABASE IF EXISTS replica")
    execute("CREATE DATABASE replica")
    add_database(project, "replica", '{**DATABASES["default"], "NAME": "replica", "TEST": {"MIRROR": "default"}}')
    try:
        assert find(project) == ([], WELL)
        project.edit(SETTINGS, ', "TEST": {"MIRROR": "default"}', "")
        assert find(project, "--timeout=5")[0] == ["doctor.E001"]
    finally:
        execute("DROP DATABASE replica")


def test_another_database_has_unapplied_migrations(project):
    """Those that a router keeps out of it are none of them."""
    execute("DROP DATABASE IF EXISTS another")
    execute("CREATE DATABASE another")
    add_database(project, "another", '{**DATABASES["default"], "NAME": "another"}')
    try:
        ids, text = find(project)
        assert ids == ["doctor.W002"]
        assert 'The database "another" has' in text and "HINT: Run: ./dev manage migrate --database=another\n" in text
        project.write("app/app/routers.py", ROUTER)
        project.edit(
            SETTINGS, "\n\n# Authentication", '\nDATABASE_ROUTERS = ["app.routers.Router"]\n\n\n# Authentication'
        )
        assert find(project) == ([], WELL)
    finally:
        execute("DROP DATABASE another WITH (FORCE)")


def test_a_package_of_another_version(project):
    project.write(
        "requirements-native.txt", "django==1.0 \\\n--hash=x\npsycopg2==0.1\ncolorama==0 ; sys_platform == 'win32'\n"
    )
    ids, text = find(project)
    assert ids == ["doctor.W013"]
    assert "as the requirements say: django 1.0, psycopg2 0.1." in text and "HINT: Run: ./dev up\n" in text


def test_a_container_wants_the_packages_of_development_too(project):
    project.write("requirements.txt", f"psycopg2=={PSYCOPG2}\n")
    project.write("requirements-dev.txt", "no-such-package==1\n")
    ids, text = find(project, DEV_ENVIRONMENT="compose", XDG_STATE_HOME="/nowhere")
    assert "doctor.W013" in ids and "say: no-such-package 1." in text
    assert "HINT: Run: docker compose up --build --wait\n" in text and "./dev" not in text


def test_another_interpreter(project):
    project.run("mkdir", "-p", ".venv/bin")
    ids, text = find(project)
    assert ids == ["doctor.W012"]
    assert f"not this environment's {project.folder}/.venv/bin/python." in text
    assert "in a terminal: ./dev manage …" in text


def test_the_commit_hooks(project):
    project.run("git", "init", "--quiet")
    ids, text = find(project)
    assert ids == ["doctor.W007"] and "HINT: Run: ./dev down && ./dev up\n" in text
    project.run("git", "config", "core.hooksPath", ".hooks")
    assert find(project) == ([], WELL)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("place", "hint"), [("native", "To fix it: sudo chown -R 4321"), ("compose", "put APP_UID=0")])
def test_a_file_that_belongs_to_somebody_else(place, hint):
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.run("chown", "-R", "4321", folder)
        project.write("app/core/foreign.py", "")
        script = (
            "from core.environment_checks import check_workspace as check; import os; os.setuid(4321); print(*check())"
        )
        shown = project.run(sys.executable, "-c", script, cwd=f"{folder}/app", DEV_ENVIRONMENT=place).stdout
    assert f"{folder}/app/core/foreign.py belongs to uid 0, and uid 4321, which this runs as" in shown
    assert hint in shown and ("APP_UID" in shown) == (place == "compose")


@pytest.fixture
def lock(project):
    project.write(".dev/server.lock", "{}")
    with (project.folder / ".dev/server.lock").open("a") as lock:
        yield lock


def test_a_server_that_does_not_run(project, lock):
    port = str(free_port())
    ids, text = find(project, APP_PORT=port)
    assert ids == ["doctor.W009"] and "HINT: Run: ./dev down && ./dev up\n" in text
    with socket.create_server(("127.0.0.1", int(port))):
        ids, text = find(project, APP_PORT=port)
    assert ids == ["doctor.W008"] and f"Port {port} is taken by something else" in text


def test_a_server_that_runs(project, lock):
    fcntl.flock(lock, fcntl.LOCK_EX)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert find(project, APP_PORT=str(listener.getsockname()[1])) == ([], WELL)
    port = str(free_port())
    ids, text = find(project, "--timeout=5", APP_PORT=port)
    assert ids == ["doctor.W010"]
    assert f"does not answer on port {port}." in text and "cat .dev/server.log" in text


def test_it_ends_with_an_error_for_errors_only(project):
    assert project.manage("doctor", "--timeout=60", check=False, DB_PASS="wrong").returncode == 1
    project.manage("migrate", "-v0", "sessions", "zero")
    assert project.manage("doctor", "--timeout=60", check=False).returncode == 0
