"""A variable or a setting that is wrong: what is known at once is told at once, and the log ends in the reason."""

import time

import pytest

KNOWN_AT_ONCE = 60  # seconds; the first version was silent for more than 120


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.compose("up", "--wait")
    project.psql("create table kept as select 1")
    return project


@pytest.fixture(autouse=True)
def nothing_is_lost(project):
    yield
    project.restore({})
    project.compose("up", "--wait", "--force-recreate")
    assert project.psql("select count(*) from kept") == "1"


def up_fails(project, **variables):
    """Bring the stack up anew, which fails; return the end of the application's log."""
    started = time.monotonic()
    assert project.compose("up", "--wait", "--force-recreate", check=False, **variables).returncode != 0
    print(f"told after {time.monotonic() - started:.1f} s")
    assert time.monotonic() - started < KNOWN_AT_ONCE
    return project.compose("logs", "--no-log-prefix", "--tail=30", "app", **variables).stdout


@pytest.mark.parametrize(
    "variables, cause",
    [
        ({"DEBUG": "maybe"}, "DEBUG is 'maybe': set it to true or false"),
        ({"DEBUG": "app:*"}, "DEBUG is 'app:*': set it to true or false"),
        ({"DEBUG": "false"}, "The environment variable SECRET_KEY is not set"),
        ({"DB_PASS": "another-Pa55"}, "password authentication failed"),
        ({"DB_NAME": "another"}, 'database "another" does not exist'),
        ({"DB_USER": "Shop-User"}, "Shop-User"),
    ],
)
def test_a_wrong_variable_is_named(project, variables, cause):
    log = up_fails(project, **variables)
    assert cause in log
    assert "another-Pa55" not in log


def test_a_typo_in_the_settings_is_named(project):
    settings = project.read("app/app/settings.py")
    project.write("app/app/settings.py", settings.replace("MIDDLEWARE = [", "MIDDLEWARE = (", 1))
    assert "SyntaxError" in up_fails(project)


@pytest.mark.parametrize(
    "variables, cause", [({"DB_HOST": "nowhere.invalid"}, "nowhere.invalid"), ({"DB_HOST": "localhost"}, "refused")]
)
def test_a_wrong_address_stands_in_the_last_lines_of_the_log(project, variables, cause):
    assert project.compose("up", "--wait", "--force-recreate", check=False, **variables).returncode != 0
    log = project.compose("logs", "--no-log-prefix", "--tail=30", "app", **variables).stdout
    assert cause in log and "HOST" in log
    assert "readyz" not in log, "a probe's line"


def test_the_cure_of_a_role_with_capitals_can_be_typed(project):
    """A wrong password of such a role: the statement that the hint names quotes it."""
    project.compose(
        "exec",
        "-T",
        "db",
        "psql",
        "--username=app",
        "--dbname=app",
        "-c",
        "create role \"Shop-User\" login password 'x'",
    )
    assert 'ALTER ROLE "Shop-User" PASSWORD' in up_fails(project, DB_USER="Shop-User").replace('\\"', '"')


def test_right_after_the_hinted_cure_it_comes_up(project):
    assert "createdb" in up_fails(project, DB_NAME="another")
    project.compose("exec", "-T", "db", "createdb", "-U", "app", "another")
    project.compose("up", "--wait", DB_NAME="another")
    assert project.get("readyz")[0] == 200


def test_a_long_migration_is_no_failure(project):
    slow = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = []\n"
    slow += "    operations = [migrations.RunSQL('select pg_sleep(30)', 'select 1')]\n"
    project.write("app/slow/__init__.py", "")
    project.write("app/slow/migrations/__init__.py", "")
    project.write("app/slow/migrations/0001_initial.py", slow)
    settings = project.read("app/app/settings.py")
    project.write("app/app/settings.py", settings.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "slow",', 1))
    project.compose("up", "--wait", "--force-recreate")
    assert project.get("readyz")[0] == 200
