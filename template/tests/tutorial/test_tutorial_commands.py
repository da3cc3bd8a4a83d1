"""The commands of Django tutorials that use Docker work as they are typed there."""

import os
import shutil

import pytest


@pytest.fixture(scope="module")
def project(make_project):
    return make_project(APP_UID=os.getuid(), APP_GID=os.getgid())


@pytest.fixture(params=["docker compose", "docker-compose"])
def compose(request, project):
    """`docker compose`, and with its dash."""
    if not shutil.which(request.param.split()[0]):
        pytest.skip(f"{request.param} is not installed")
    project.restore({})
    return lambda *arguments, **options: project.run(*request.param.split(), *arguments, **options)


def test_the_tests(compose):
    said = compose("run", "--rm", "app", "sh", "-c", "python manage.py test").stdout
    assert "OK" in said and "Ran 0 tests" not in said


def test_an_app_is_started_where_the_others_are(compose, project):
    compose("run", "--rm", "app", "sh", "-c", "python manage.py startapp shop")
    assert (project.folder / "app/shop/models.py").exists()
    assert not (project.folder / "shop").exists()
    assert "from shop" not in project.read("app/shop/apps.py")
    shutil.rmtree(project.folder / "app/shop")


def test_an_app_is_started_where_one_says_and_by_the_other_path_too(compose, project):
    compose("run", "--rm", "app", "sh", "-c", "python app/manage.py startapp second app/second")
    assert (project.folder / "app/second/models.py").exists()
    shutil.rmtree(project.folder / "app/second")


def test_waiting_migrating_and_flake8s_successor(compose):
    compose("run", "--rm", "app", "sh", "-c", "python manage.py wait_for_db && python manage.py migrate")
    compose("run", "--rm", "app", "sh", "-c", "ruff check")


def test_a_superuser_is_made(compose):
    command = "python manage.py createsuperuser --noinput --username ann --email ann@example.com"
    said = compose(
        "run", "--rm", "-e", "DJANGO_SUPERUSER_PASSWORD=made-up-1", "app", "sh", "-c", f"{command} || true"
    ).stdout
    assert "Superuser created successfully" in said or "already taken" in said


def test_up_build_and_down(compose, project):
    compose("build")
    compose("up", "--detach", "--wait")
    assert project.get()[0] == 200
    compose("down")
