"""What the backends of ./dev share: errors, steps with their progress, the lock. Python 3.9, standard library."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from environment import locks

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".dev"
SERVER_ENDED, WITHOUT_DATABASE = "The server ended", "Serving without the database"  # in the supervisor's log
# What the caller's shell may hold for other projects. It would lead this project's programs elsewhere.
FOREIGN = ("PG", "DJANGO_SETTINGS_MODULE", "DJANGO_CONFIGURATION")
FOREIGN += ("PYTHONBREAKPOINT", "PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP")
FOREIGN += ("VIRTUAL_ENV", "DEV_ENVIRONMENT", "COMPOSE_ENV_FILES", "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR")


class Failure(Exception):
    """An expected error. Its message is all that the user sees: what went wrong, why, and what to do."""


def print_progress(start, title, end=""):
    """A line without *end* is progress: terminals only show it, and the next one takes its place."""
    line = f"{time.monotonic() - start:6.1f} s  {title}"
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        width = shutil.get_terminal_size().columns - 1
        print("\r\033[K" + (line if end else line[:width]), end=end, file=sys.stderr, flush=True)
    elif end:
        print(line, end=end, file=sys.stderr, flush=True)


def step(title, *command, env=None, text="", progress=None, **options):
    """Run a command of a ./dev verb. Its last line is the progress; if it fails, its last lines are the error."""
    start, log = time.monotonic(), state_folder() / "setup.log"
    with writing(log) as output, writing(STATE / "step.lock", "a+") as lock:
        locks.take_over(lock)
        options = {"stdin": subprocess.PIPE, "stdout": output, "stderr": output, "pass_fds": [lock.fileno()], **options}
        process = subprocess.Popen(
            command, cwd=ROOT, env=env or caller_environment(), start_new_session=True, **options
        )
        locks.write_pid(lock, process.pid)
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(text.encode())
        while process.poll() is None:
            print_progress(start, f"{title}: {tail(progress or log, 1)}")
            time.sleep(0.05)
    except BaseException:  # Ctrl-C reaches ./dev alone
        process.terminate()
        raise
    print_progress(start, title + (": FAILED" if process.returncode else ""), end="\n")
    if process.returncode:
        raise Failure(f"{tail(log, 40)}\n{title} failed (exit status {process.returncode}), see above.")


def tail(file, count):
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


class Answer:
    """The answer of a short program: its status (None if it did not run), stdout and stderr."""

    def __init__(self, *command, env=None, text="", timeout=60, **options):
        options = {
            "timeout": timeout,
            "input": text.encode(),
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        try:
            done = subprocess.run(command, check=False, env=env or caller_environment(), **options)
        except (OSError, subprocess.SubprocessError) as error:
            self.status, self.stdout, self.stderr = None, "", str(error)
            return
        self.status = done.returncode
        self.stdout, self.stderr = (stream.decode(errors="replace").strip() for stream in (done.stdout, done.stderr))

    @property
    def reason(self):
        """The last line of what it said about its failure."""
        return ((self.stderr or self.stdout).splitlines() or ["no reason given"])[-1]


def caller_environment():
    """The caller's variables, without those that would lead the project's programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def state_folder():
    """Make .dev if it is not there. As a repository of its own it survives `git clean -xfd`."""
    try:
        (STATE / ".git").mkdir(parents=True, exist_ok=True)
        (STATE / ".git/HEAD").write_text("ref: refs/heads/none\n")
        for name in ("objects", "refs"):
            (STATE / ".git" / name).mkdir(exist_ok=True)
    except OSError as error:
        raise Failure(f"{error}\n{not_writable(STATE if STATE.exists() else ROOT)}") from None
    return STATE


def writing(file, mode="w"):
    try:
        return open(file, mode)
    except OSError as error:
        raise Failure(f"{error}\n{not_writable(file)}") from None


def not_writable(path):
    """Why *path* cannot be written, and what to do about it."""
    while path != path.parent and not os.access(path.parent, os.X_OK):
        path = path.parent  # what is in it cannot be seen
    with contextlib.suppress(OSError):
        owner = path.lstat().st_uid
        if owner != os.getuid():
            whole = STATE if STATE in path.parents else path
            return (
                f"{path} belongs to uid {owner}, and you are uid {os.getuid()}; a git or ./dev with sudo leaves that behind. "
                f"To fix it: sudo chown -R {os.getuid()} '{whole}'"
            )
        if shutil.disk_usage(path).free < 2**20:
            return f"The disk that holds {path} is full: make room there."
    return f"Check the rights of {path}."


@contextlib.contextmanager
def exclusive_run():
    """One ./dev at a time in this folder, and none beside what a killed one left at work."""
    with writing(state_folder() / "lock", "a+") as lock:
        if not locks.acquire(lock):
            print("Another ./dev is at work in this folder: waiting for its end.", file=sys.stderr, flush=True)
            while not locks.acquire(lock, seconds=60):
                pass
        with writing(STATE / "step.lock", "a+") as left:
            locks.take_over(left)
        yield


def check_port(port, is_ours):
    """Return a text for the doctor. Raise Failure if another program listens on the port of this machine."""
    if is_ours:
        return f"{port} of 127.0.0.1, served by this project"
    if port_is_taken(port):
        raise Failure(
            f"Port {port} is taken by another program: end that, or set APP_PORT to another port in .env. If this project "
            "itself was started the other way, with Docker or without, ./dev down ends it."
        )
    return f"{port} of 127.0.0.1, free"


def port_is_taken(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as client:
            client.settimeout(2)
            client.connect((address, port))
            return client.getsockname() != client.getpeername()  # a connection to itself: no one listens
    return False


def page_answer(port):
    """The status that /readyz answers with and its text; (None, reason) if nothing answers."""
    import http.client  # slow to load, and every new terminal loads this module

    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace").strip()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, str(error)


def is_no_page(status):
    """Nothing answers, the database or a migration is not there, or /readyz itself fails."""
    return status is None or status >= 500


def is_error(status):
    """One of the project's own, with its traceback in the log: /readyz itself says 503 at most."""
    return is_no_page(status) and status not in (None, 503)


def set_in_dotenv(values, reason):
    """Set variables in .env, which stays its owner's, also after a ./dev with sudo; what is there is never cut off."""
    file, new = ROOT / ".env", ROOT / ".env.new"
    before = file.read_bytes() if file.exists() else b""
    lines = [line for line in before.splitlines() if line.partition(b"=")[0].decode(errors="replace") not in values]
    lines += [f"{name}={value}".encode() for name, value in values.items()]
    with writing(new, "wb") as stream:
        owner = file.stat() if before else ROOT.stat()
        if os.getuid() == 0:
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
        if before:
            os.fchmod(stream.fileno(), owner.st_mode & 0o777)
        stream.write(b"".join(line + b"\n" for line in lines))
    new.replace(file.resolve())
    note(f"Added to .env: {' '.join(f'{name}={value}' for name, value in values.items())}. {reason}")


def note(text):
    print(text, file=sys.stderr, flush=True)
