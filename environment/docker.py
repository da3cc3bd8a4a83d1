"""The backend of ./dev that drives Docker Compose. Python 3.9, standard library."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

from environment import identity, steps, upgrades
from environment.steps import ROOT, STATE, Answer, Failure

MINIMUM_COMPOSE = (2, 24)
AGAIN_SECONDS = 20  # for what was healthy a moment ago, and has not answered in time, or for the next health check


def version():
    """The versions of the engine and of Compose; or None, and why Docker cannot be used."""
    if not shutil.which("docker"):
        return None, "there is no docker on PATH"
    engine = Answer("docker", "version", "--format={{.Server.Version}}")
    if engine.status != 0:
        if "permission denied" in engine.stderr.lower():
            return None, "you may not use the Docker engine that runs here (add yourself to the group docker)"
        return None, f"no Docker engine answers: {engine.reason}"
    compose = Answer("docker", "compose", "version", "--short").stdout
    found = re.match(r"v?(\d+)\.(\d+)", compose)
    if not found or (int(found[1]), int(found[2])) < MINIMUM_COMPOSE:
        return (
            None,
            f"Compose {MINIMUM_COMPOSE[0]}.{MINIMUM_COMPOSE[1]} or newer is needed, and there is {compose or 'none'}",
        )
    return f"Docker {engine.stdout}, Compose {compose}", None


class Backend:
    name = "docker"
    log = "docker compose logs app"

    def __init__(self):
        self.env = steps.caller_environment()

    def step(self, title, *arguments, **options):
        try:
            steps.step(title, "docker", "compose", "--progress=plain", *arguments, env=self.env, **options)
        except Failure as failure:
            raise Failure(f"{failure}{self.hint(str(failure))}") from None

    def ask(self, *arguments, **options):
        """The answer of Docker on stdout. What it says on stderr is a warning, unless it fails."""
        answer = Answer("docker", *arguments, cwd=ROOT, env=self.env, **options)
        if answer.status != 0:
            raise Failure(
                f"{answer.stderr}\n`docker {' '.join(arguments[:2])}` failed, see above. What Compose reads: docker-compose.yml "
                f"and docker-compose.override.yml, the file .env, your shell's variables.{self.hint(answer.stderr)}"
            )
        return answer.stdout

    @staticmethod
    def hint(message):
        if "project name must not be empty" in message:
            return (
                f"\nCompose names the project after its folder, and {ROOT.name!r} has no letter of a to z and no digit. "
                "Put a name into the file .env, for example: COMPOSE_PROJECT_NAME=shop"
            )
        if "invalid hostport" in message.lower() or "invalid published port" in message.lower():
            return "\nSet APP_PORT to the number of a port, from 1 to 65535."
        if f"{ROOT}/.env" in message and "is a directory" in message:
            return "\nCompose reads a file of that name: give the folder another name."
        own = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        if f"{own}/" in message and "permission denied" in message:
            return f"\nA docker with sudo leaves that behind. To fix it: sudo chown -R {os.getuid()} '{own}'"
        return ""

    def configuration(self):
        """Compose's own reading of all its files, once the project is known to be this folder's."""
        configuration = self.read_configuration()
        if not identity.is_known(configuration["name"]):
            self.env[identity.VARIABLE] = identity.claim(self, configuration)
            configuration = self.read_configuration()
            self.check_owner(configuration)
            identity.remember(configuration["name"])
        elif owner := identity.owner_of_containers(self, configuration["name"]):
            self.refuse(configuration["name"], owner)
        return configuration

    def check_owner(self, configuration):
        """Compose knows projects by name alone."""
        name, owner = configuration["name"], identity.owner_of(self, configuration)
        if owner and identity.has_moved(name, owner):
            self.ask_volume(configuration, "--take-over")
        elif owner:
            self.refuse(name, owner)

    @staticmethod
    def refuse(name, owner):
        raise Failure(
            f"The Compose project {name!r} belongs to {owner}. Nothing was changed. Give this folder a name of its own "
            f"in the file .env, for example: {identity.VARIABLE}={name}-2 (and another APP_PORT). If it is this folder, "
            "which you have moved, type: docker compose up --detach db; docker compose exec db bash "
            "/environment/database --take-over; docker compose restart"
        )

    def read_configuration(self):
        configuration = json.loads(self.ask("compose", "config", "--format=json"))
        if not {"app", "db"} <= set(configuration["services"]):
            raise Failure("docker-compose.yml needs the services app and db: ./dev starts these.")
        if ":" in str(ROOT):
            raise Failure(f"{ROOT} has a colon, which Docker cannot mount: move the project to another folder.")
        return configuration

    def volume(self, configuration):
        """The name of the database's volume; "" if there is none yet, or no such volume."""
        mounts = configuration["services"]["db"].get("volumes", [])
        names = [mount["source"] for mount in mounts if mount["target"] == "/var/lib/postgresql"]
        own = [configuration["volumes"][name]["name"] for name in names if name in configuration.get("volumes", {})]
        return own[0] if own and own[0] in self.ask("volume", "ls", "--quiet").split() else ""

    def ask_volume(self, configuration, option):
        """What environment/database says of the database's volume, or does to it; "" if there is none."""
        volume, image = self.volume(configuration), configuration["services"]["db"].get("image")
        if not volume or not image:
            return ""
        if not self.ask("image", "ls", "--quiet", image):
            self.step("image of the database", "pull", "db")
        mounts = [f"--volume={volume}:/var/lib/postgresql"]
        mounts.append(f"--volume={ROOT / 'environment/database'}:/environment/database:ro")
        run = ["run", "--rm", "--network=none", *mounts, "--entrypoint=bash", image]
        return self.ask(*run, "/environment/database", option)

    def take_ids(self, configuration):
        """Files made in the container are to belong to the caller, in every later build too: so .env has the ids."""
        build = configuration["services"]["app"].get("build")
        given = (build or {}).get("args") or {}
        owner = ROOT.stat()  # for a ./dev with sudo
        uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (owner.st_uid, owner.st_gid)
        ids = {"APP_UID": str(uid), "APP_GID": str(gid)}
        missing = {name: value for name, value in ids.items() if not given.get(name) and value != "1000"}
        if not build or not missing:
            return
        steps.set_in_dotenv(missing, "So files made in the container are yours.")

    def container(self):
        return self.ask("compose", "ps", "--quiet", "app")

    def check_dev_container(self, configuration):
        project = f"--filter=label={identity.LABEL}={configuration['name']}"
        if self.ask("ps", "--quiet", project, "--filter=label=devcontainer.config_file"):
            raise Failure(
                "A dev container of this project is running, which this would end. Work in its terminal; or close it in "
                "the editor, type `docker compose stop app`, and then this again."
            )

    def address(self, port=8000):
        """Where a port of the running container is published, as HOST:PORT; "" if it is not."""
        answer = Answer("docker", "compose", "port", "app", str(port), cwd=ROOT, env=self.env)
        return answer.stdout if answer.status == 0 else ""

    def check_port(self, configuration):
        texts = []
        for port in configuration["services"]["app"].get("ports", []):
            published = port.get("published", "")
            if published.isdecimal():  # else Compose chooses one, of a range for example
                is_ours = self.address(port["target"]).endswith(f":{published}")
                texts.append(steps.check_port(int(published), is_ours))
        return "; ".join(texts) or "none is published"

    def up(self, debug=False):
        with steps.exclusive_run():
            configuration = self.configuration()
            self.check_dev_container(configuration)
            upgrades.end(configuration)
            self.check_port(configuration)
            self.take_ids(configuration)
            self.step("image", "build")
            before = self.container()
            self.end_refusal(configuration)
            self.step("containers", "up", "--detach")
            container = self.container()
            if container == before:  # it runs on, and since its start a migration may have come
                wait = ["python", "app/manage.py", "wait_for_db", "--migrate"]
                self.step("database migrated", "exec", "--no-TTY", "app", *wait)
            else:
                self.hand_on_identity()
            self.wait(set(configuration["services"]), container)
        return self.check_page()

    def wait(self, services, container):
        """Until every service is healthy, or has done its work. The application's log is the progress."""
        log = STATE / "app.log"
        with steps.writing(log) as output:
            # Not of Compose: a plugin that is at its own start may never hear of a signal.
            follow = ["docker", "logs", "--follow", container.partition("\n")[0]]
            options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            follower = subprocess.Popen(follow, env=self.env, **options) if container else None
            try:
                self.step("database, migrations, page", "up", "--detach", "--wait", progress=log)
            except Failure as failure:
                self.check_services(services, failure)
            finally:
                if follower:
                    follower.kill()
                    follower.wait()

    def check_services(self, services, failure):
        """`up --wait` also fails for a service that ends well, and for one whose last health check is old: ask again."""
        deadline = time.monotonic() + AGAIN_SECONDS
        while failed := sorted(services - self.good_services()):
            if self.has_ended() or time.monotonic() > deadline:
                logs = [self.ask("compose", "logs", "--no-log-prefix", "--tail=30", name) for name in failed]
                raise Failure("\n".join([str(failure), *logs])) from None
            time.sleep(0.5)

    def rows(self):
        return list(map(json.loads, self.ask("compose", "ps", "--all", "--format=json").splitlines()))

    def good_services(self):
        return {row["Service"] for row in self.rows() if is_good(row)}

    def has_ended(self):
        return any(row["State"] == "exited" and not is_good(row) for row in self.rows())

    def check_page(self):
        """The page's address, once it has answered from this project's own container."""
        address = self.address()
        if not address:
            return "no port of the container is published"
        port = address.rpartition(":")[2]
        deadline = time.monotonic() + AGAIN_SECONDS
        while steps.is_no_page((answer := steps.page_answer(port))[0]) and time.monotonic() < deadline:
            time.sleep(0.5)
        status, text = answer
        if steps.is_no_page(status):
            raise Failure(f"The page at port {port} is not ready: {text}. The log: {self.log}")
        return f"http://localhost:{port}"

    def hand_on_identity(self):
        """A commit inside has its author then, as an editor sees to it."""
        values = {name: Answer("git", "config", name, cwd=ROOT).stdout for name in ("user.name", "user.email")}
        if all(values.values()):
            script = 'git config --system user.name "$0"; git config --system user.email "$1"'
            exec_as_root = ["docker", "compose", "exec", "--no-TTY", "--user=0", "app", "sh", "-c", script]
            Answer(*exec_as_root, *values.values(), cwd=ROOT, env=self.env)

    def execute(self, *command):
        with steps.exclusive_run():
            configuration = self.configuration()
            upgrades.end(configuration)
            self.take_ids(configuration)
            self.step("image", "build")
            self.end_refusal(configuration)
            self.start_database()
        terminal = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]
        handed_on = [f"--env={name}" for name in self.env if name.startswith("DJANGO_SUPERUSER_")]
        self.become("run", "--rm", "--no-deps", *terminal, *handed_on, "app", *command)

    def end_refusal(self, configuration):
        """A database that was refused answers with the reason until its container starts anew: the reason may be gone."""
        project = f"--filter=label={identity.LABEL}={configuration['name']}"
        service = "--filter=label=com.docker.compose.service=db"
        for container in self.ask("ps", "--quiet", project, service, "--filter=health=unhealthy").split():
            self.ask("stop", container, timeout=180)

    def start_database(self):
        try:
            self.step("database", "up", "--detach", "--wait", "db")
        except Failure as failure:
            log = self.ask("compose", "logs", "--no-log-prefix", "--tail=5", "db")
            raise Failure(f"{failure}\n{log}") from None

    def become(self, *arguments):
        os.chdir(ROOT)
        os.execvpe("docker", ["docker", "compose", *arguments], self.env)

    def down(self, *options):
        with steps.exclusive_run():
            configuration = self.configuration()
            self.check_dev_container(configuration)
            upgrades.end(configuration)
            self.step("Compose stack ended", "down", *options)

    def upgrade(self, major):
        with steps.exclusive_run():
            configuration = self.configuration()
            self.check_dev_container(configuration)
            upgrades.upgrade(self, configuration, major)
        return self.up()

    def data(self):
        volumes = (self.configuration().get("volumes") or {}).values()
        own = {volume["name"] for volume in volumes if not volume.get("external")}
        names = sorted(own.intersection(self.ask("volume", "ls", "--quiet").split()))
        what = "the database in the Docker volume" if len(names) == 1 else "all data in the Docker volumes"
        return f"{what} {', '.join(names)}" if names else None

    def delete_data(self):
        self.check_owner(self.configuration())
        self.down("--volumes")

    def checks(self):
        yield "port", lambda: self.check_port(self.configuration())

    def doctor(self):
        """The project's own doctor, where the project runs."""
        if self.container():
            self.become("exec", "--no-TTY", "app", "python", "app/manage.py", "doctor")
        print("note   project: it does not run. ./dev up starts it.")


def is_good(row):
    """Whether a container runs, and is not unhealthy, or has done its work."""
    if row["State"] == "running":
        return row["Health"] in ("", "healthy")
    return row["State"] == "exited" and row["ExitCode"] == 0 and row["Service"] not in ("app", "db")
