"""
The environment's own tests: they run on the host, against a real Docker engine, each in a clean clone of what is
committed, and remove what they made.
"""

import os
import pwd
import random
import secrets
import shutil
import subprocess

import pytest

pytest.register_assert_rewrite("helpers")

from helpers import faults  # noqa: E402 their asserts are rewritten first
from helpers.engine import RUN  # noqa: E402
from helpers.good_state import restore_dev_container, restore_stack  # noqa: E402
from helpers.projects import clean_clones  # noqa: E402
from helpers.python import COPY  # noqa: E402

pytest_plugins = ["helpers.machines"]

OUTCOMES = ("passed", "failed", "error", "skipped")
ORDINARY_UID = 1500  # from here on: an id that the image does not have, and so must take over


def pytest_addoption(parser):
    parser.addoption("--kill-rounds", type=int, default=1, help="how often tests that kill do so, at random moments")
    parser.addoption("--faults", action="store_true", help="run the tests of the table of faults, and print it")
    parser.addoption("--seed", type=int, help="of the random moments; a run prints its own")


def pytest_configure(config):
    if config.option.seed is None:  # of the controller; xdist hands it on to its workers
        config.option.seed = secrets.randbelow(10**6)


def pytest_collection_modifyitems(config, items):
    if config.option.faults:
        others = [item for item in items if not faults.is_listed(item.nodeid)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def pytest_terminal_summary(terminalreporter, config):
    if config.option.faults:
        terminalreporter.section("faults")
        for line in faults.table({name: terminalreporter.stats.get(name, []) for name in OUTCOMES}):
            terminalreporter.write_line(line)


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(COPY, ignore_errors=True)


def pytest_report_header(config):
    return f"random moments: --seed {config.option.seed}"


@pytest.fixture
def moments(request):
    """Random numbers, the same for the same test and --seed."""
    print(f"--seed {request.config.option.seed}")
    return random.Random(f"{request.config.option.seed} {request.node.name}")


@pytest.fixture
def kill_rounds(request, record_property):
    """The rounds for a test that kills; a test whose rounds are short has no fewer than its mark `rounds(NUMBER)` says."""
    mark = request.node.get_closest_marker("rounds")
    rounds = max(request.config.option.kill_rounds, mark.args[0] if mark else 1)
    record_property("rounds", rounds)
    return rounds


@pytest.fixture(scope="module")
def make_project():
    with clean_clones() as make:
        yield make


@pytest.fixture
def make_brief_project():
    """For one test; twenty stacks side by side would make each other slow."""
    with clean_clones() as make:
        yield make


@pytest.fixture(scope="session")
def make_shared_project():
    with clean_clones() as make:
        yield make


@pytest.fixture(scope="session")
def ordinary_uid():
    """An ordinary user whose id is neither 0 nor the image's own: the one who runs the tests, or one made by root."""
    if os.getuid() == 1000:
        pytest.skip("needs root, or a user whose id is not the image's 1000")
    if os.getuid() != 0:
        yield os.getuid()
        return
    name = f"{RUN}-{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--create-home", "--key", f"UID_MIN={ORDINARY_UID}", name], check=True)
    yield pwd.getpwnam(name).pw_uid
    subprocess.run(["userdel", "--remove", name], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def dev_container(make_shared_project, ordinary_uid):
    """One dev container for all the tests of a worker: `opened` has it in a good state."""
    project = make_shared_project(ordinary_uid)
    project.up = project.devcontainer("up", check=False)
    assert project.container(), project.up.stdout
    project.setup_status()  # its tests may go on after the opening
    return project


@pytest.fixture
def opened(request, dev_container):
    """The dev container, opened and in a good state; the module's FILES are written into it."""
    restore_dev_container(dev_container, getattr(request.module, "FILES", {}))
    return dev_container


@pytest.fixture(scope="session")
def shared_stack(make_shared_project):
    """One Compose stack for all the tests of a worker: `stack` has it in a good state."""
    project = make_shared_project(APP_UID=os.getuid(), APP_GID=os.getgid())
    project.up = project.compose("up", "--wait")
    return project


@pytest.fixture
def stack(request, shared_stack):
    """The Compose stack, up and in a good state; the module's FILES are written into it."""
    restore_stack(shared_stack, getattr(request.module, "FILES", {}))
    return shared_stack


@pytest.fixture(scope="session")
def launch_browser():
    """Start Chromium, Debian's or the one that CHROMIUM names, with more arguments; it meets no host but this one."""
    from playwright.sync_api import sync_playwright  # only those who ask for a browser need it

    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=[*arguments, *more], timeout=180_000
        )
