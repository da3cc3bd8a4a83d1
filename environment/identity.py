"""
Which Compose project, and so whose containers and data, belong to this folder. Python 3.9, standard library.

Compose names a project after its folder, without the path: two folders of one name would share their data, and a folder that
is renamed would lose sight of it. So a name is chosen once and written to .env, which moves with the folder, and which
`docker compose` and editors read too. The volume knows its folder as well: environment/database.
"""

import contextlib
import json
import os
import re
import secrets
import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parent.parent)]

from environment import steps  # noqa: E402 the path comes first
from environment.steps import ROOT, STATE, Failure  # noqa: E402

VARIABLE = "COMPOSE_PROJECT_NAME"
RECORD = STATE / "project.json"  # the name, and the folder that has it
LABEL = "com.docker.compose.project"
KEPT = "So the data stay this folder's, whatever its name."


def claim(backend, configuration):
    """Return the name of this folder's project; Compose may have read another one. Raise Failure if it is another folder's."""
    name, record = configuration["name"], read_record(ROOT)
    former = Path(record.get("folder", ROOT))
    is_copy = former != ROOT and read_record(former).get("name") == record["name"]
    if is_in_shell_or_dotenv(backend):
        if not (is_copy and name == record["name"]):
            return name
    elif record and not is_copy:
        return add(record["name"], "It was missing there.")
    if is_copy:
        return add(unique(name), f"This folder is a copy of {former}, which keeps its project and its data.")
    if not is_there(backend, configuration):
        return add(unique(name), KEPT)
    owner = owner_of(backend, configuration)
    if owner:
        return add(unique(name), f"The project {name} and its data belong to {owner}.")
    return add(name, KEPT)  # of Compose alone, or of before


def is_there(backend, configuration):
    """Whether the project has containers or a volume."""
    project = f"--filter=label={LABEL}={configuration['name']}"
    return bool(backend.ask("ps", "--all", "--quiet", project) or backend.volume(configuration))


def owner_of(backend, configuration):
    """The other folder that the project's containers or its data belong to; "" if there is none."""
    return owner_of_containers(backend, configuration["name"]) or backend.ask_volume(configuration, "--owner")


def owner_of_containers(backend, name):
    template = f'{{{{.Label "{LABEL}.working_dir"}}}}'
    folders = set(backend.ask("ps", "--all", f"--filter=label={LABEL}={name}", f"--format={template}").splitlines())
    others = [folder for folder in folders if has(folder, name) and not os.path.samefile(folder, ROOT)]
    return next(iter(others), "")


def has(folder, name):
    """
    Whether a project is in that folder which has the Compose project *name*, as far as one can tell: the folder may be
    a new one in the place of one that was moved. The engine makes a folder that is gone again, if a container mounts it.
    """
    files = [os.path.join(folder, file) for file in ("docker-compose.yml", "compose.yaml")]
    return any(map(os.path.isfile, files)) and read_record(Path(folder)).get("name", name) == name


def is_known(name):
    """Whether this folder has had that project before, under its present path."""
    return read_record(ROOT) == {"folder": str(ROOT), "name": name}


def has_moved(name, owner):
    """Whether this folder had that project under another path, which the volume still knows."""
    record = read_record(ROOT)
    folder = record.get("folder", "")
    # The volume's path is that of a file system, which may be mounted anywhere, or of a part of one: /@home/me/shop.
    ends = (owner, f"/{owner.partition('/@')[2].partition('/')[2]}")
    return record.get("name") == name and folder != str(ROOT) and folder.endswith(ends) and not has(folder, name)


def remember(name):
    steps.state_folder()
    RECORD.write_text(json.dumps({"folder": str(ROOT), "name": name}))


def read_record(folder):
    """{} if there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((folder / RECORD.relative_to(ROOT)).read_text())
        if isinstance(record, dict) and all(isinstance(record.get(key), str) for key in ("folder", "name")):
            return record
    return {}


def is_in_shell_or_dotenv(backend):
    """Compose's own reading, in a folder whose name nobody else has."""
    folder = f"unnamed-{secrets.token_hex(8)}"
    files = [f"--env-file={ROOT / '.env'}"] if (ROOT / ".env").is_file() else []
    probe = ["--project-directory", STATE / folder, *files, "--file=-", "config", "--format=json"]
    return json.loads(backend.ask("compose", *probe, text="services: {none: {image: none}}"))["name"] != folder


def unique(name):
    return f"{re.sub('-[0-9a-f]{6}$', '', name)}-{secrets.token_hex(3)}"


def keep(name):
    """
    Let this folder keep the project that it has, under whatever name it gets, where only Compose has been used.

    Return whether .env was changed. A name that was given for once, with `docker compose --project-name`, is not kept.
    """
    dotenv = ROOT / ".env"
    try:
        lines = dotenv.read_text(errors="replace").splitlines() if dotenv.exists() else []
        if not name or name != name_of_folder() or any(line.startswith(f"{VARIABLE}=") for line in lines):
            return False
        add(name, KEPT)
    except (OSError, Failure):  # this user may not write there
        steps.note(f"Before you rename this folder, put {VARIABLE}={name} into .env. {KEPT}")
        return False
    return True


def name_of_folder():
    """What Compose makes of the name that the folder has on the engine's machine."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        _, _, _, source, target, *_ = line.split(" ")
        if target == str(ROOT):
            return re.sub(r"[^a-z0-9_-]", "", source.rpartition("/")[2].replace("\\040", " ").lower()).lstrip("_-")
    return None


def add(name, reason):
    steps.set_in_dotenv({VARIABLE: name}, reason)
    return name


def main():
    """For an editor, before it opens the dev container."""
    from environment import docker

    if docker.version()[0]:
        try:
            docker.Backend().configuration()
        except (Failure, OSError) as failure:
            sys.exit(str(failure))


if __name__ == "__main__":
    main()
