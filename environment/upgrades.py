"""Takes all data along to a newer PostgreSQL, with Compose. Python 3.9, standard library."""

import os
import re

from environment import steps
from environment.steps import ROOT, STATE, Answer, Failure


def upgrade(backend, configuration, major):
    """Copy all data to PostgreSQL *major*, in the same volume, and let .env lead there. The old data stays."""
    if "POSTGRES_MAJOR" in os.environ:
        raise Failure("POSTGRES_MAJOR is set in your shell, and comes before .env: type `unset POSTGRES_MAJOR` first.")
    present = present_major(configuration)
    if int(major) <= present:
        raise Failure(
            f"The project has PostgreSQL {present}. {major} is no newer one, and an older one cannot read its data. "
            "Data that an upgrade has left in the volume is still there: POSTGRES_MAJOR in .env leads back to it."
        )
    backend.step("stack stopped", "stop")
    copy_to(major, backend, configuration)
    steps.set_in_dotenv({"POSTGRES_MAJOR": major}, f"The data of {present} stays in the volume.")


def copy_to(major, backend, configuration):
    """With the old server in a container that nobody else knows, so that nobody writes meanwhile."""
    old, new = containers(configuration)
    end(configuration)
    program, port = "/environment/upgrade", configuration["services"]["app"]["environment"]["DB_PORT"]
    run = ["run", "--no-deps", "--rm"]
    mount = f"--volume={ROOT}{program}:{program}:ro"
    env = backend.env
    try:
        backend.step("old server", *run, "--detach", f"--name={old}", "db")
        backend.env = {**env, "POSTGRES_MAJOR": major}
        command = ["--no-TTY", f"--name={new}", mount, "--entrypoint=bash", "db", program, old, port, major]
        backend.step(f"data copied to PostgreSQL {major} and compared", *run, *command)
        _, start, report = (STATE / "setup.log").read_text(errors="replace").rpartition("Equal: ")
        steps.note(f"{start}{report.strip()}")
    except Failure as failure:
        raise Failure(f"{failure}\nThe data is as it was. To start it again: ./dev up") from None
    finally:
        backend.env = env
        end(configuration)


def end(configuration):
    """End an upgrade, also one that a killed ./dev has left at work. The next start of the database tidies up after it."""
    old, new = containers(configuration)
    Answer("docker", "rm", "--force", "--volumes", new)
    Answer("docker", "stop", "--time=120", old, timeout=180)
    Answer("docker", "rm", "--force", "--volumes", old)


def containers(configuration):
    """The names of the old server's and the new one's, while an upgrade is at work."""
    return [f"{configuration['name']}-upgrade-{which}" for which in ("from", "to")]


def present_major(configuration):
    """Of PGDATA in docker-compose.yml: /var/lib/postgresql/MAJOR/docker."""
    folder = configuration["services"]["db"].get("environment", {}).get("PGDATA", "")
    if not re.fullmatch(r"/var/lib/postgresql/\d+/docker", folder):
        raise Failure(
            f"docker-compose.yml needs PGDATA: /var/lib/postgresql/${{POSTGRES_MAJOR}}/docker, and has {folder!r}."
        )
    return int(folder.split("/")[-2])
