"""
Compose's answers are read as what they are: stderr is no answer, a failure is none either, and READY means that what
was asked for is there. Each case was found by someone, or stands in a public report.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile

import pytest
from helpers.engine import RUN, docker, run
from helpers.production import arguments, build_image
from helpers.projects import get
from helpers.waiting import HANGING, free_port

STDERR_NOISE = {
    "a dollar sign in .env": {".env": "SECRET_KEY=django-insecure-x$9kq#vh$abc\n"},
    "an obsolete version line": {"docker-compose.override.yml": 'version: "3.8"\nservices: {}\n'},
}


@pytest.fixture(scope="module")
def shared(make_project):
    project = make_project()
    project.dev("up")
    return project


@pytest.fixture
def project(shared):
    """Its work tree is clean before and after each test; the test begins with its stack up."""
    clean(shared)
    if shared.get("readyz")[0] != 200:
        shared.dev("up")
    yield shared
    clean(shared)


def clean(project):
    project.restore({})
    (project.folder / ".env").unlink(missing_ok=True)


def works(project, **options):
    """Every verb does its work, and none speaks of a dev container, which there is not."""
    for words in (["up"], ["manage", "check"], ["doctor"], ["down"], ["up"]):
        done = project.dev(*words, **options)
        assert "dev container" not in done.stdout + done.stderr
    assert project.get()[0] == 200


@pytest.mark.parametrize("name", STDERR_NOISE)
def test_a_warning_of_compose_is_not_an_answer(project, name):
    for path, text in STDERR_NOISE[name].items():
        project.write(path, text)
    assert project.compose("config", apart=True).stderr, "the control: it warns"
    works(project)


def path_with_docker(folder, script):
    """A PATH on which docker runs that script first."""
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\n{script}\nexec {docker_program()} "$@"\n')
    docker.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_docker_that_talks_is_not_an_answer(project, tmp_path):
    works(project, PATH=path_with_docker(tmp_path, 'echo "Emulate Docker CLI using podman." >&2'))


def test_a_log_that_hears_no_signal_does_not_hold_up(project, tmp_path):
    """So does Compose where the signal comes at its own start: 22 times of 60 on a busy machine."""
    deaf = 'case "$*" in *logs*--follow*) trap "" TERM; while :; do sleep 1; done ;; esac'
    project.dev("up", timeout=HANGING, PATH=path_with_docker(tmp_path, deaf))
    assert project.get()[0] == 200


def docker_program():
    return subprocess.check_output(["sh", "-c", "command -v docker"], text=True).strip()


def test_a_docker_configuration_of_a_former_sudo_is_not_an_answer(make_project, ordinary_uid):
    if ordinary_uid == os.getuid():
        pytest.skip("needs root, to make a file of root's")
    project = make_project(ordinary_uid)
    config = project.folder.parent / f"{project.name}-config"
    config.mkdir()
    (config / "config.json").write_text("{}")
    (config / "config.json").chmod(0o600)
    assert "config.json" in project.compose("ls", apart=True, DOCKER_CONFIG=config).stderr, "the control: it warns"
    said = project.dev_fails("up", DOCKER_CONFIG=config)  # buildx has to write there
    assert f"sudo chown -R {ordinary_uid} '{config}'" in said
    os.chown(config, ordinary_uid, ordinary_uid)
    works(project, DOCKER_CONFIG=config)


@pytest.mark.parametrize(
    "files, variables, reason",
    [
        ({}, {"APP_PORT": "99999"}, "99999"),
        ({}, {"APP_PORT": "http"}, "http"),
        ({".env": "DB_PASS='never closed\n"}, {}, ".env"),
        ({"docker-compose.override.yml": "services: [\n"}, {}, "docker-compose.override.yml"),
        ({"docker-compose.override.yml": "services: {app: {environment: {X: '${UNSET:?set it}'}}}\n"}, {}, "set it"),
        ({}, {"COMPOSE_PROJECT_NAME": "Not A Name"}, "Not A Name"),
    ],
)
@pytest.mark.parametrize("words", [["up"], ["down"], ["reset", "--yes"]])
def test_an_error_of_compose_is_passed_on_and_nothing_happens(project, words, files, variables, reason):
    for path, text in files.items():
        project.write(path, text)
    before = project.run("docker", "ps", "--quiet", "--filter", f"name={project.name}").stdout
    said = project.dev_fails(*words, **variables)
    assert reason in said
    assert "dev container" not in said
    assert project.run("docker", "ps", "--quiet", "--filter", f"name={project.name}").stdout == before


def test_a_folder_whose_name_has_no_letter_that_compose_knows_is_told_the_cure(make_project):
    project = make_project(name="商店")
    for words in (["up"], ["down"], ["reset", "--yes"], ["doctor"]):
        said = project.dev_fails(*words)
        assert "COMPOSE_PROJECT_NAME" in said and "商店" in said
        assert "dev container" not in said


def test_such_a_folder_works_with_a_name(make_project):
    project = make_project(name="проект", COMPOSE_PROJECT_NAME=f"{RUN}-named")
    try:
        project.dev("up")
        assert project.get()[0] == 200
    finally:
        project.dev("reset", "--yes")


def test_a_folder_with_a_colon_is_told_so_before_anything_is_built(make_project):
    said = make_project(name="rp: colon").dev_fails("up", "--docker")
    assert "colon" in said and "move" in said.lower()
    assert "image" not in said


@pytest.fixture(scope="module")
def neighbour(make_project):
    """Another project, with services of the same names, and data."""
    project = make_project()
    project.dev("up")
    project.psql("create table theirs as select 1")
    return project


def is_untouched(neighbour):
    return neighbour.get()[0] == 200 and neighbour.psql("select count(*) from theirs") == "1"


def test_compose_file_of_another_project_does_not_lead_there(project, neighbour):
    for words in (["up"], ["down"], ["up"], ["reset", "--yes"]):
        project.dev(*words, COMPOSE_FILE=neighbour.folder / "docker-compose.yml")
        assert is_untouched(neighbour)
        assert (project.get()[0] == 200) == (words == ["up"])


@pytest.mark.parametrize("words", [["up"], ["down"], ["reset", "--yes"]])
def test_the_project_name_of_another_folder_is_refused(project, neighbour, words):
    said = project.dev_fails(*words, COMPOSE_PROJECT_NAME=neighbour.name)
    assert str(neighbour.folder) in said
    assert is_untouched(neighbour)


def test_a_second_folder_that_names_the_first_ones_project_is_refused(make_project):
    first = make_project(name=f"one/{RUN}-shop")
    second = make_project(name=f"two/{RUN}-shop")
    first.dev("up")
    first.psql("create table theirs as select 1")
    second.write(".env", f"COMPOSE_PROJECT_NAME={first.name}\n")
    for words in (["up"], ["down"], ["reset", "--yes"]):
        said = second.dev_fails(*words)
        assert str(first.folder) in said and "COMPOSE_PROJECT_NAME" in said
    assert "ruff check" in first.run("environment/commit-hook").stdout, "the control"
    assert "were skipped" in second.run("environment/commit-hook").stdout
    second.run("rm", ".pre-commit-config.yaml")
    assert second.run("environment/commit-hook").stdout == ""
    assert is_untouched(first)


def test_a_folder_that_was_renamed_keeps_its_stack_or_says_so(make_project):
    project = make_project()
    project.dev("up")
    project.psql("create table kept as select 1")
    former = project.name
    project.folder = project.folder.rename(project.folder.with_name(f"{former}-renamed"))
    try:
        assert project.dev("up", COMPOSE_PROJECT_NAME=former).stdout.startswith("READY")
        assert docker("exec", f"{former}-db-1", "psql", "-U", "app", "-Atc", "select count(*) from kept") == "1"
    finally:
        project.dev("reset", "--yes", COMPOSE_PROJECT_NAME=former, check=False)


SERVICES = {
    "an image that is not there": "services: {worker: {image: 'nosuch.invalid/worker:1'}}\n",
    "a service that fails": "services: {worker: {image: 'postgres:18-trixie', entrypoint: [sh, -c, 'echo why; exit 1']}}\n",
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_second_service_that_fails_is_not_ready(project, name):
    project.write("docker-compose.override.yml", SERVICES[name])
    said = project.dev_fails("up")
    assert "READY" not in said
    assert "worker" in said


def test_a_second_service_that_ends_well_is_ready(project):
    project.write(
        "docker-compose.override.yml", "services: {once: {image: 'postgres:18-trixie', entrypoint: ['true']}}\n"
    )
    assert "READY" in project.dev("up").stdout


@pytest.mark.parametrize(
    "variables, cause", [({"DEBUG": "maybe"}, "DEBUG is 'maybe'"), ({"DEBUG": "false"}, "SECRET_KEY")]
)
def test_a_variable_that_is_refused_is_told(project, variables, cause):
    assert cause in project.dev_fails("up", **variables)


def test_a_wrong_database_host_is_told_in_the_last_lines(project):
    said = project.dev_fails("up", DB_HOST="localhost")
    assert "refused" in "\n".join(said.splitlines()[-30:])
    assert "readyz" not in said


def test_a_new_package_works_while_the_stack_runs(project):
    """The first version migrated in the container of the old image, which does not have the package."""
    pyproject = project.read("pyproject.toml")
    project.write(
        "pyproject.toml", pyproject.replace('    "psycopg2",', '    "psycopg2",\n    "django-extensions",', 1)
    )
    project.run("docker", "compose", "exec", "-T", "app", "environment/update-requirements")
    assert "django-extensions==" in project.read("requirements.txt")
    settings = project.read("app/app/settings.py")
    project.write(
        "app/app/settings.py", settings.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "django_extensions",', 1)
    )
    assert "READY" in project.dev("up").stdout
    assert project.get()[0] == 200
    project.dev("manage", "show_urls")


@contextlib.contextmanager
def one_run_at_a_time():
    """For what the machine has once. The lock is on a folder that everybody has, so no file of a run is left there."""
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def test_a_port_that_an_ordinary_user_may_not_bind_is_not_called_taken(make_project, ordinary_uid):
    with one_run_at_a_time():
        if get("127.0.0.1", 80, "")[0] is not None:
            pytest.skip("needs port 80 to be free")
        project = make_project(ordinary_uid, APP_PORT=80)
        assert "http://localhost:80 " in project.dev("up").stdout
        assert get("127.0.0.1", 80, "")[0] == 200
        project.dev("down")


def test_a_byte_order_mark_in_env_does_not_hide_the_first_variable(project):
    (project.folder / ".env").write_bytes(b"\xef\xbb\xbf" + f"APP_PORT={project.port}\n".encode())
    done = project.dev("up", APP_PORT=None)
    assert f"http://localhost:{project.port}" in done.stdout


def test_a_variable_in_a_variable_is_expanded_as_compose_does_it(project):
    project.write(".env", f"BASE={str(project.port)[:2]}\nAPP_PORT=${{BASE}}{str(project.port)[2:]}\n")
    assert f"http://localhost:{project.port}" in project.dev("up", APP_PORT=None).stdout


def test_a_second_port_is_not_taken_by_another_program_when_it_is_up(project):
    port = free_port()
    project.write("docker-compose.override.yml", f'services: {{app: {{ports: ["127.0.0.1:{port}:5678"]}}}}\n')
    for _ in range(2):
        project.dev("up")
    assert f"{port} of 127.0.0.1, served by this project" in project.dev("doctor").stdout


def test_a_reset_names_every_volume_that_it_deletes_and_leaves_external_ones(make_project):
    project = make_project()
    external = f"{project.name}-external"
    docker("volume", "create", external)
    files = 'services: {app: {volumes: ["media:/media", "theirs:/theirs"]}}\n'
    project.write(
        "docker-compose.override.yml",
        f"{files}volumes: {{media: {{}}, theirs: {{external: true, name: {external}}}}}\n",
    )
    try:
        project.dev("manage", "check")
        said = project.dev_fails("reset")
        assert f"This deletes all data in the Docker volumes {project.name}_db, {project.name}_media: add" in said
        project.dev("reset", "--yes")
        left = docker("volume", "ls", "--quiet", f"--filter=name={project.folder.name}").split()
        assert left == [external]
        assert project.dev("reset", "--yes").stdout == "There is no data to delete.\n"
    finally:
        project.dev("down")
        docker("volume", "rm", external)


def test_a_port_that_is_written_into_the_compose_file_is_taken(project):
    compose = project.read("docker-compose.yml")
    project.write("docker-compose.yml", compose.replace("${APP_PORT:-8000}", str(project.port)))
    assert f"http://localhost:{project.port}" in project.dev("up", APP_PORT="8000").stdout
    assert project.get()[0] == 200


def test_the_compose_file_may_have_its_other_name(project):
    (project.folder / "docker-compose.yml").rename(project.folder / "compose.yaml")
    try:
        works(project)
        assert "up" in project.dev("--help").stdout
    finally:
        (project.folder / "compose.yaml").rename(project.folder / "docker-compose.yml")


def test_a_clone_under_a_strict_umask_is_built_and_runs(make_project, ordinary_uid):
    project = make_project(ordinary_uid)
    project.run("chmod", "-R", "go-rwx", ".")
    assert project.folder.stat().st_mode & 0o077 == 0, "the control"
    project.dev("up")
    assert project.get()[0] == 200
    image = f"{project.name}-production"
    build_image(project, image)
    try:
        options = ["--rm", "--network=none", *arguments({})]
        project.run("docker", "run", *options, image, "python", "app/manage.py", "check")
    finally:
        project.run("docker", "image", "rm", image)


def test_dev_after_one_with_sudo_names_owner_and_cure(make_project, ordinary_uid):
    if ordinary_uid == os.getuid():
        pytest.skip("needs root, to make a folder of root's")
    project = make_project(ordinary_uid)
    (project.folder / ".dev").mkdir()
    for words in (["up"], ["test"], ["manage", "check"], ["down"]):
        said = project.dev_fails(*words)
        assert "belongs to uid 0" in said and f"sudo chown -R {ordinary_uid} '{project.folder}/.dev'" in said, said


def test_dev_with_sudo_builds_for_whom_the_folder_belongs_to(make_project, ordinary_uid):
    if ordinary_uid == os.getuid():
        pytest.skip("needs root")
    project = make_project(ordinary_uid)
    env = {**project.environment, "HOME": os.environ["HOME"]}  # in the user's own, Docker would leave files of root's
    run(project.folder / "dev", "manage", "check", cwd=project.folder, env=env)
    assert f"APP_UID={ordinary_uid}\n" in project.read(".env")
