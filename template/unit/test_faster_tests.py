"""What environment/faster_tests.py leaves out of a test run changes no result."""

import shutil
import subprocess
import sys
import time

import pytest
from projects import DATABASE, execute, grown_project

RECORDING = """
from pathlib import Path

from django.db import migrations


def run(apps, schema_editor):
    from shop import prices

    with Path("migrated").open("a") as file:
        file.write("x")
    apps.get_model("shop", "Product").objects.create(name=prices.NAME)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(run)]
"""
MODELS = "from django.db import models\n\n\nclass Product(models.Model):\n    name = models.CharField(max_length=20)\n"
APPS = """
from django.apps import AppConfig
from django.db.models.signals import post_migrate


class Config(AppConfig):
    name = "shop"

    def ready(self):
        from shop import groups

        post_migrate.connect(groups.make, sender=self)
"""
TEMPLATE = f"{DATABASE}_tests_template"
COMMENT = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{TEMPLATE}'"
TESTS = """
import pytest
from shop.models import Product


@pytest.mark.django_db
def test_what_a_migration_made():
    assert Product.objects.get().name == "pen"


@pytest.mark.django_db(transaction=True)
def test_that_empties_every_table():
    Product.objects.create(name="ink")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with an app whose second migration imports a module, makes a row, and records that it ran; tested once."""
    with grown_project(tmp_path_factory.mktemp("shop")) as project:
        project.edit("app/app/settings.py", '    "welcome",\n', '    "shop",\n    "welcome",\n')
        for name in ["__init__", "migrations/__init__"]:
            project.write(f"app/shop/{name}.py", "")
        project.write("app/shop/models.py", MODELS)
        project.write("app/shop/prices.py", 'NAME = "pen"\n')
        project.write("app/shop/groups.py", "def make(**options):\n    pass\n")
        project.write("app/shop/apps.py", APPS)
        project.manage("makemigrations", "shop")
        project.write("app/shop/migrations/0002_record.py", RECORDING)
        project.write("app/shop/tests.py", TESTS)
        run(project)
        assert migrations(project) == 1
        yield project


@pytest.fixture
def shop(made, tmp_path):
    """The same for each test, with its template."""
    shutil.copytree(made.folder / "app", tmp_path / "app")
    (made.folder / "migrated").write_text("x")
    fingerprint = execute(COMMENT)
    yield made
    shutil.rmtree(made.folder / "app")
    shutil.copytree(tmp_path / "app", made.folder / "app")
    if execute(COMMENT) != fingerprint:
        run(made)


def run(project, *arguments, passed=2):
    shown = project.pytest("app/shop", *arguments).stdout
    assert f"{passed} passed" in shown, shown


def migrations(project):
    """How often the second migration ran."""
    return len((project.folder / "migrated").read_text())


def test_the_second_run_and_every_worker_copy_the_first_ones_database(shop):
    run(shop)
    run(shop, "-n", "2")
    assert migrations(shop) == 1, "it ran again"


def fingerprint(project):
    command = "import django; django.setup(); from environment.faster_tests import fingerprint; print(fingerprint())"
    path = {"PYTHONPATH": "app", "DJANGO_SETTINGS_MODULE": "app.settings"}
    return project.run(sys.executable, "-c", command, **path).stdout


def test_what_makes_the_database_is_told_from_what_does_not(shop):
    def changes(path):
        before, file = fingerprint(shop), shop.folder / path
        shop.write(path, (file.read_text() if file.exists() else "") + "\n")
        return fingerprint(shop) != before

    assert changes("app/app/settings.py")
    assert changes("app/shop/fixtures/shop.json")
    assert changes("app/shop/groups.py"), "the module of the receiver of post_migrate"
    assert changes("app/shop/migrations/0001_initial.py")
    assert changes("app/shop/migrations/prices.sql")
    assert changes("app/shop/prices.py"), "a function of a migration imports it"
    assert not any(map(changes, ["app/shop/models.py", "app/shop/tests.py", "app/shop/views.py"]))


def test_projects_of_another_shape(shop):
    """Settings in several files, without BASE_DIR; a folder `migrations` that is no package; a file that cannot be read."""
    settings = (shop.folder / "app/app/settings.py").read_text().replace("BASE_DIR", "PROJECT_DIR")
    shop.run("rm", "app/app/settings.py")
    shop.write("app/app/settings/__init__.py", "from .base import *\n")
    shop.write(
        "app/app/settings/base.py", settings.replace("__file__).resolve().parent", "__file__).resolve().parent.parent")
    )
    shop.write("app/app/runner.py", "from django.test.runner import DiscoverRunner as AppTestRunner\n")
    shop.write("app/shop/migrations/_old.py", "print 'of Python 2'\n")
    shop.write("app/welcome/migrations/notes.txt", "none yet\n")
    run(shop)
    before = fingerprint(shop)
    shop.write("app/app/settings/base.py", (shop.folder / "app/app/settings/base.py").read_text() + "\n")
    assert len(before) > 60 and fingerprint(shop) != before


def test_a_migration_is_added_and_taken_back(shop):
    shop.edit("app/shop/models.py", "max_length=20)", "max_length=20)\n    price = models.IntegerField(default=1)")
    shop.manage("makemigrations", "shop")
    shop.write("app/shop/test_price.py", TESTS.replace('.name == "pen"', ".price == 1"))
    run(shop, passed=4)
    (added,) = (shop.folder / "app/shop/migrations").glob("0003*")
    added.unlink()
    (shop.folder / "app/shop/test_price.py").unlink()
    shop.write("app/shop/models.py", MODELS)
    run(shop)
    assert migrations(shop) == 3


def test_a_model_without_a_migration_has_no_table_here_either(shop):
    shop.write("app/shop/models.py", f"{MODELS}\n\nclass Order(models.Model):\n    pass\n")
    shop.write(
        "app/shop/tests.py", TESTS.replace("Product.objects.get()", "Order.objects.get()").replace("Product", "Order")
    )
    shown = shop.pytest("app/shop", check=False).stdout
    assert 'relation "shop_order" does not exist' in shown, shown


def test_an_app_without_migrations(shop):
    """Django makes its tables from its models, whose changes nobody could notice."""
    shop.run("rm", "-r", "app/shop/migrations")
    shop.write("app/shop/tests.py", TESTS.replace('get().name == "pen"', "count() == 0"))
    run(shop)
    shop.edit("app/shop/models.py", "max_length=20)", "max_length=20)\n    price = models.IntegerField(default=1)")
    run(shop)


def test_a_run_that_is_killed(shop):
    shop.write(
        "app/shop/test_slow.py",
        "import time\n\n\ndef test_slow(db):\n    print('here', flush=True)\n    time.sleep(60)\n",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-s", "app/shop/test_slow.py"]
    process = subprocess.Popen(command, cwd=shop.folder, env=shop.environ, stdout=subprocess.PIPE, text=True)
    assert any("here" in line for line in process.stdout)
    process.kill()
    process.communicate()
    (shop.folder / "app/shop/test_slow.py").unlink()
    time.sleep(0.5)  # the server notices
    run(shop)
    assert migrations(shop) == 1


def test_two_ways_to_do_without(shop):
    run(shop, "--create-db")
    assert migrations(shop) == 2
    run(shop, "-p", "no:environment.faster_tests")
    run(shop, "-p", "no:environment.faster_tests")
    assert migrations(shop) == 4
    run(shop)
    assert migrations(shop) == 4


def test_a_project_that_extends_the_set_up_of_the_database(shop):
    shop.write(
        "app/conftest.py",
        """
import pytest


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    from shop.models import Product

    with django_db_blocker.unblock():
        Product.objects.create(name="paper")
""",
    )
    shop.write("app/shop/tests.py", TESTS.replace('get().name == "pen"', "count() == 2"))
    run(shop, "--create-db")
    run(shop)


def test_several_aliases(shop):
    """
    One for the same database, which is not waited for; one whose database no test needs, and whose data is nobody's; and
    one whose server cannot be reached.
    """
    execute("DROP DATABASE IF EXISTS archive WITH (FORCE)")
    execute("CREATE DATABASE archive")
    aliases = 'DATABASES["same"] = {**DATABASES["default"]}\nDATABASES["archive"] = {**DATABASES["default"], "NAME": "archive"}\n'
    aliases += 'DATABASES["away"] = {**DATABASES["default"], "NAME": "away", "HOST": "127.0.0.1", "PORT": "1"}\n'
    shop.write("app/app/settings.py", (shop.folder / "app/app/settings.py").read_text() + aliases)
    shop.write("app/conftest.py", "from environment import faster_tests\n\nfaster_tests.LOCK_SECONDS = 600\n")
    started = time.monotonic()
    run(shop)
    run(shop)
    assert migrations(shop) == 2
    assert time.monotonic() - started < 600
    found = execute("SELECT datname FROM pg_database WHERE datname LIKE '%archive%'")
    execute("DROP DATABASE archive")
    assert found == [("archive",)]


@pytest.mark.parametrize(("options", "commit"), [([], "off"), (["-p", "no:environment.faster_tests"], "on")])
def test_commits(shop, options, commit):
    asked = "    with connection.cursor() as cursor:\n        cursor.execute('SHOW synchronous_commit')\n"
    test = f"from django.db import connection\n\n\ndef test_commit(db):\n{asked}        assert cursor.fetchone() == ('{commit}',)\n"
    shop.write("app/shop/tests.py", test)
    run(shop, *options, passed=1)
    asked = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW synchronous_commit'); print(k.fetchone())"
    assert shop.manage("shell", "--no-imports", "-c", asked).stdout == "('on',)\n"


def test_a_package_without_an_init_file(shop):
    """What is in it cannot be followed, so the tests run as they would without the plugin."""
    shop.write("app/apps/prices.py", "NAME = 1\n")
    shop.write("app/app/settings.py", f"import apps.prices\n{(shop.folder / 'app/app/settings.py').read_text()}")
    run(shop)
    assert fingerprint(shop) == "None\n"


def test_the_environments_own_tests_leave_the_rows_of_a_kept_database(shop):
    for _ in range(2):
        shop.pytest("--reuse-db", "app/core", "app/shop", "-k", "not empties_every")


def test_nobody_connects_to_the_template(shop):
    """One who did would keep every test run from copying it."""
    with pytest.raises(Exception, match="not currently accepting connections"):
        execute("SELECT 1", database=TEMPLATE)


def test_who_waits_long_is_told_of_several_processes(shop):
    shop.write("app/conftest.py", "from environment import faster_tests\n\nfaster_tests.LONG_SECONDS = 0\n")
    shop.write("app/shop/tests.py", "def test():\n    pass\n")
    assert "On all: pytest -n auto" in shop.pytest("app/shop").stdout
    assert "On all" not in shop.pytest("app/shop", "-n", "2").stdout
