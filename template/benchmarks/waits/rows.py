"""What is measured: the contestants, and a function for each row of the table."""

import datetime
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.append(str(ROOT / "template/tests"))

from helpers.debugger import Debugger  # noqa: E402 the path comes first
from server import VIEW  # noqa: E402

FIRST_VERSION = "7dbdac4"
RUN = f"waits-{secrets.token_hex(3)}"
OURS, TUTORIAL, BEFORE, DJANGO = "ours", "tutorial's stack", "first version", "Django's runserver"
SHOP, DEFAULTS = "ours, with 240 tests", "defaults of Django and pytest-django"
GROWN = ("1,000 tests", "5,000 tests", "10 migrations", "100 migrations", "500 migrations")
NAMES = (OURS, TUTORIAL, BEFORE, DJANGO, SHOP, DEFAULTS, *GROWN)
# How a project is grown, where the number says how far.
MANY_TESTS = """
import pytest


@pytest.mark.parametrize("number", range({count}))
def test(number, django_user_model, db):
    assert django_user_model.objects.count() == 0
"""
MODEL = "from django.db import models\n\n\nclass Grown(models.Model):\n    pass\n"
FIELD = "    field_{} = models.IntegerField(default=0)\n"
FIRST_MIGRATION = """
from django.db import migrations, models

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    operations = [migrations.CreateModel("Grown", [("id", KEY)])]
"""
NEXT_MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "m{before:04}")]
    operations = [migrations.AddField("Grown", "field_{number}", models.IntegerField(default=0))]
"""
ROWS = {}  # by name


class Row:
    """A line of the table for each figure. *measure* takes a contestant, and returns its figures and its parts."""

    def __init__(self, title, other, measure, aims, ours=OURS):
        self.title, self.contestants, self.measure = title, (ours, other), measure
        self.aims = {figure.replace("_", " "): aim for figure, aim in aims.items()}  # for each figure's ratio


def row(title, other, ours=OURS, **aims):
    def register(function):
        ROWS[function.__name__.replace("_", "-")] = Row(title, other, function, aims, ours)
        return function

    return register


class Contestant:
    """A folder with a Compose project of its own."""

    def __init__(self, name, parent):
        self.name = name
        self.folder = parent / f"{RUN}-{NAMES.index(name)}"
        if name == TUTORIAL:
            shutil.copytree(HERE / "tutorial", self.folder)
        else:
            call("git", "clone", "--quiet", str(ROOT), str(self.folder))
            if name == BEFORE:
                call("git", "checkout", "--quiet", FIRST_VERSION, cwd=self.folder)
            if name in (SHOP, DEFAULTS):
                self.add_shop()
            if name in GROWN:
                self.grow(int(name.split()[0].replace(",", "")), name.split()[1])
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        foreign = ("APP_", "COMPOSE_", "DB_", "DJANGO_", "PG", "VIRTUAL_ENV", "PYTHON")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env |= {"APP_PORT": str(self.port)}
        if name != TUTORIAL and os.getuid() != 1000:
            self.env |= {"APP_UID": str(os.getuid()), "APP_GID": str(os.getgid())}

    def edit(self, path, *replacements):
        text = (self.folder / path).read_text()
        for old, new in replacements:
            if old not in text:
                sys.exit(f"{path} has no {old!r}")
            text = text.replace(old, new, 1)
        (self.folder / path).write_text(text)

    def add_shop(self):
        shutil.copytree(HERE / "shop", self.folder / "app/shop")
        self.edit("app/app/settings.py", ('    "welcome",', '    "shop",\n    "welcome",'))
        self.edit("app/app/urls.py", ("urlpatterns = [", 'urlpatterns = [\n    path("shop/", include("shop.urls")),'))
        if self.name == DEFAULTS:
            self.edit("app/app/settings.py", ("if TESTING:", "if False:"))  # the hasher of passwords
            self.edit("pyproject.toml", ('"-p", "environment.faster_tests",', '"-p", "no:environment.faster_tests",'))

    def grow(self, count, what):
        if what == "tests":
            (self.folder / "app/core/tests/test_many.py").write_text(MANY_TESTS.format(count=count))
            return
        app = self.folder / "app/shop"
        (app / "migrations").mkdir(parents=True)
        for package in (app, app / "migrations"):
            (package / "__init__.py").touch()
        self.edit("app/app/settings.py", ('    "welcome",', '    "shop",\n    "welcome",'))
        (app / "models.py").write_text(MODEL + "".join(map(FIELD.format, range(2, count + 1))))
        (app / "migrations/m0001.py").write_text(FIRST_MIGRATION)
        for number in range(2, count + 1):
            text = NEXT_MIGRATION.format(number=number, before=number - 1)
            (app / f"migrations/m{number:04}.py").write_text(text)

    def call(self, *command, **options):
        return call(*command, cwd=self.folder, env=self.env, **options)

    def compose(self, *arguments):
        return self.call("docker", "compose", "--progress=quiet", *arguments)

    def begin(self, *command):
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def answer(self, path):
        """(status, text), or (None, "")."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return None, ""
        finally:
            connection.close()

    def get(self):
        return self.answer("/")[0]

    def image(self):
        return f"{json.loads(self.compose('config', '--format=json'))['name']}-app"

    def log_moment(self, service, text):
        """Seconds since the epoch of the first line of a service's log with that text; None without one."""
        for line in self.compose("logs", "--timestamps", "--no-log-prefix", service).splitlines():
            stamp, _, said = line.partition(" ")
            if text in said:
                return datetime.datetime.fromisoformat(f"{stamp[:26]}+00:00").timestamp()
        return None

    def remove(self):
        self.compose("down", "--volumes", "--rmi=local", "--timeout=1")
        for image in call("docker", "image", "ls", "--quiet", f"--filter=reference=vsc-{self.folder.name}-*").split():
            call("docker", "image", "rm", "--force", image)
        if (self.folder / ".dev").exists():
            subprocess.run([self.folder / "dev", "down"], check=False, env=self.env, capture_output=True)


def call(*command, **options):
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        sys.exit(
            f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout.strip()


def timed(function, *arguments):
    started = time.monotonic()
    result = function(*arguments)
    return time.monotonic() - started, result


def build(contestant):
    contestant.compose("build", "app")


@row("image built, nothing cached", TUTORIAL, seconds=0.7)
def image(contestant):
    call("docker", "builder", "prune", "--all", "--force")
    subprocess.run(["docker", "image", "rm", "--force", contestant.image()], check=False, capture_output=True)
    return {"seconds": timed(build, contestant)[0]}, {}


@row("size of the development image, MB", TUTORIAL, MB=0.6)
def size(contestant):
    build(contestant)
    return {"MB": int(call("docker", "image", "inspect", "--format={{.Size}}", contestant.image())) / 1e6}, {}


def up(contestant):
    started, began = time.time(), time.monotonic()
    process = contestant.begin("docker", "compose", "up", "--detach")
    page = ready = None
    while ready is None:
        status, now = contestant.get(), time.monotonic() - began
        page = page or (now if status else None)
        ready = now if status == 200 else None
        if now > 300:
            sys.exit(f"{contestant.name}: no page within 300 s")
        time.sleep(0.005)
    process.wait()
    state = json.loads(call("docker", "inspect", contestant.compose("ps", "--all", "--quiet", "app")))[0]["State"]
    container = datetime.datetime.fromisoformat(f"{state['StartedAt'][:26]}+00:00").timestamp()
    parts = {"container started": container - started}
    for part, service, text in [
        ("PostgreSQL ready", "db", "listening on IPv4"),
        ("migrated", "app", "Running migrations"),
    ]:
        if moment := contestant.log_moment(service, text):
            parts[part] = moment - started
    return {"page": page, "ready": ready}, parts


@row("first `up`, empty volume", TUTORIAL, page=0.6, ready=0.85)
def first_up(contestant):
    build(contestant)
    contestant.compose("down", "--volumes", "--timeout=1")
    return up(contestant)


@row("second `up`", TUTORIAL, ready=0.7)
def second_up(contestant):
    build(contestant)
    contestant.compose("up", "--detach")
    while contestant.get() != 200:
        time.sleep(0.05)
    contestant.compose("down", "--timeout=5")
    return up(contestant)


class Engine(http.client.HTTPConnection):
    """The engine's API, for what no command tells."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(call("docker", "context", "inspect", "--format={{.Endpoints.docker.Host}}")[len("unix://") :])


def cpu_seconds(container):
    """What the engine has accounted for the container, whose kernel has control groups of either version."""
    engine = Engine("localhost")
    engine.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
    used = json.load(engine.getresponse())["cpu_stats"]["cpu_usage"]["total_usage"]  # nanoseconds
    engine.close()
    return used / 1e9


def process_seconds(names):
    """Of the processes of these names and of their children that have ended: a probe is started by one of them."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            command, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        if command.partition("(")[2] in names:
            ticks += sum(map(int, rest.split()[11:15]))  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK")


@row("idle, percent of a core over a minute (aim: 1 with the engine)", TUTORIAL, stack=None, stack_and_engine=None)
def idle(contestant):
    """The other contestant is down meanwhile."""
    build(contestant)
    contestant.compose("up", "--detach")
    while contestant.get() != 200:
        time.sleep(0.05)
    time.sleep(20)
    containers = contestant.compose("ps", "--quiet").split()
    engine = {"dockerd", "containerd", "containerd-shim", "docker-proxy", "runc"}
    before = sum(map(cpu_seconds, containers)), process_seconds(engine)
    time.sleep(60)
    after = sum(map(cpu_seconds, containers)), process_seconds(engine)
    contestant.compose("down", "--volumes", "--timeout=1")
    stack, both = (after[0] - before[0]) / 0.6, (sum(after) - sum(before)) / 0.6
    return {"stack": stack, "stack and engine": both}, {"engine": both - stack}


def open_in_editor(contestant):
    seconds, _ = timed(contestant.call, "devcontainer", "up", "--workspace-folder", str(contestant.folder))
    inside = ["devcontainer", "exec", "--workspace-folder", str(contestant.folder)]
    record = contestant.call(*inside, "sh", "-c", "cat ~/.local/state/setup.json || echo '{\"steps\": []}'")
    parts = {step["name"]: step["seconds"] for step in json.loads(record)["steps"] if step["seconds"] >= 0.1}
    parts["CLI, containers and post-start"] = seconds - sum(parts.values())
    contestant.compose(
        "-f", "docker-compose.yml", "-f", ".devcontainer/docker-compose.yml", "down", "--volumes", "--timeout=1"
    )
    return {"seconds": seconds}, parts


@row("`devcontainer up`, image built", BEFORE, seconds=0.55)
def devcontainer(contestant):
    build(contestant)
    return open_in_editor(contestant)


@row("`devcontainer up`, no layers, package caches kept", BEFORE, seconds=0.6)
def devcontainer_cold(contestant):
    images = call("docker", "image", "ls", "--quiet", f"--filter=reference=*{contestant.folder.name}*").split()
    subprocess.run(["docker", "image", "rm", "--force", *images], check=False, capture_output=True)
    call("docker", "builder", "prune", "--all", "--force", "--filter=type=regular")
    return open_in_editor(contestant)


def server_row(contestant, ours):
    build(contestant)
    (contestant.folder / "server.py").write_bytes((HERE / "server.py").read_bytes())
    contestant.compose("up", "--detach", "--wait", "db")
    contestant.compose("run", "--rm", "app", "python", "app/manage.py", "migrate")
    command = ours if contestant.name != DJANGO else ["python", "app/manage.py", "runserver", "0.0.0.0:8000"]
    answer = contestant.compose("run", "--rm", "app", "python", "server.py", "8000", *command)
    return json.loads(answer.splitlines()[-1]), {}


@row("the server, beside the first version's", BEFORE, server_start=0.5, save_to_page=0.5)
def server(contestant):
    command = ["python", "environment/serve.py"] if contestant.name == OURS else ["bash", ".devcontainer/serve"]
    return server_row(contestant, command)


@row("the server, beside Django's own", DJANGO, server_start=1, save_to_page=1)
def server_django(contestant):
    return server_row(contestant, ["python", "environment/serve.py"])


@row("the server with a debugger attached", BEFORE, save_to_page=0.85)
def debugged(contestant):
    """From a save to the page that shows it, after F5."""
    build(contestant)
    contestant.compose("up", "--detach", "--wait")
    urls = contestant.folder / "app/app/urls.py"
    text = urls.read_text()
    attach = {"request": "attach", "connect": {"port": 5678}, "subProcess": True, "django": True}
    container = ["docker", "exec", "--interactive", contestant.compose("ps", "--quiet", "app")]
    with Debugger(lambda *command: [*container, *command], attach, {}) as debugger:
        for _ in ("the supervisor or the reloader", "the server"):
            debugger.wait_for_process()
        for marker in ("first", "second"):
            time.sleep(1.5)  # a watcher may begin after the server
            started = time.monotonic()
            urls.write_text(text + VIEW.format(marker))
            while contestant.answer("/marker/")[1] != marker:
                if time.monotonic() > started + 120:
                    sys.exit(f"{contestant.name}: no answer within 120 s")
                time.sleep(0.005)
            seconds = time.monotonic() - started
    urls.write_text(text)
    contestant.compose("down", "--volumes", "--timeout=1")
    return {"save to page": seconds}, {}


@row("`./dev test` without Docker, first of all", BEFORE, seconds=0.45)
def native_test(contestant):
    subprocess.run([contestant.folder / "dev", "down"], check=False, env=contestant.env, capture_output=True)
    for name in (".dev", ".venv"):
        shutil.rmtree(contestant.folder / name, ignore_errors=True)
    way = ["--native"]
    return {"seconds": timed(contestant.call, "./dev", *way, "test")[0]}, {}


@row("`./dev up` without Docker, again", BEFORE, seconds=1)
def native_up_again(contestant):
    contestant.call("./dev", "--native", "up")
    return {"seconds": timed(contestant.call, "./dev", "--native", "up")[0]}, {}


@row("a dependency added, image built again", BEFORE, seconds=None)
def dependency(contestant):
    """`inflection` is small, pure Python, and needed by nothing here; its hash is taken from the index."""
    contestant.call("git", "checkout", "--quiet", "--", "requirements.txt", "requirements-dev.txt")
    build(contestant)
    lock = "docker compose run --rm --no-deps -T app sh -c".split()
    compile_it = "echo inflection==0.5.1 | uv pip compile --quiet --no-header --generate-hashes -"
    locked = contestant.call(*lock, compile_it)
    with (contestant.folder / "requirements.txt").open("a") as file:
        file.write(f"{locked}\n# {secrets.token_hex(4)}\n")
    seconds, _ = timed(build, contestant)
    contestant.call("git", "checkout", "--quiet", "--", "requirements.txt")
    return {"seconds": seconds}, {}


@row("240 tests; one more, by name", DEFAULTS, ours=SHOP, all=0.5, by_name=0.5)
def tests(contestant):
    """The database's server is up; the durations are those of the terminal's commands."""
    contestant.compose("up", "--detach", "--wait", "--build")
    if not list((contestant.folder / "app/shop/migrations").glob("0001*")):
        contestant.compose("exec", "--no-TTY", "app", "python", "manage.py", "makemigrations", "shop")
        contestant.compose("exec", "--no-TTY", "app", "python", "manage.py", "migrate")
        time.sleep(3)  # `up --wait` fails until a probe has seen that
    pytest = ["exec", "--no-TTY", "app", "pytest", "-q"]
    contestant.compose(*pytest, "app/shop/tests.py::test_models[0]")
    everything, _ = timed(contestant.compose, *pytest, "app/shop")
    parallel, _ = timed(contestant.compose, *pytest, "-n", "auto", "app/shop")
    added = contestant.folder / "app/shop/test_added.py"
    added.write_text(f"def test_added(db):\n    assert {secrets.randbits(32)}\n")
    one, _ = timed(contestant.compose, *pytest, "app/shop/test_added.py::test_added")
    added.unlink()
    return {"all": everything, "all, -n auto": parallel, "by name": one}, {}


for name in GROWN:
    ROWS[name.replace(",", "").replace(" ", "-")] = Row(
        f"`devcontainer up`, fresh and with {name}", name, devcontainer, {"seconds": None}
    )
