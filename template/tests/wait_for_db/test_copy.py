"""
Another project copies two things: the command, and the folder beside management/. All tests here run in such a project
(Dockerfile); this is what copying by hand could still trip over.
"""

import re

from helpers.engine import ROOT, docker
from helpers.servers import program

CORE = ROOT / "app" / "core"
COPIED = [CORE / "management/commands/wait_for_db.py", *sorted((CORE / "wait_for_db").glob("*.py"))]


def test_what_is_copied_knows_nothing_of_this_project():
    ours = re.compile(
        r"slipway|compose|docker|places|(?<!django\.)\bcore\.|DB_(HOST|PORT|NAME|USER|PASS)", re.IGNORECASE
    )
    for path in COPIED:
        assert not ours.search(path.read_text()), path


def test_what_is_copied_needs_django_and_psycopg2_alone(client):
    imports = {
        match[1]
        for path in COPIED
        for match in re.finditer(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
    }
    foreign = docker("exec", client.name, "python", *program("print_foreign_modules", *imports))
    assert foreign.split() == ["django", "psycopg2"]


def test_the_copied_command_explains_its_exit_codes(client, server):
    ended = client.run("--help", HOST=server.name)
    assert ended.code == 0
    for code in ("0 ready", "1 a migration", "2 wrong", "3 never", "124 timed", "130 interrupted", "143 terminated"):
        assert code in " ".join(ended.stdout.split())


def test_it_is_usable_from_python(client, server):
    databases = {
        "default": {"HOST": server.name},
        "wrong": {"HOST": server.name, "PASSWORD": "wrong"},
        "down": {"HOST": server.name, "PORT": 1},
    }
    ended = client.start_python(*program("wait_from_python"), databases=databases).end()
    assert (ended.stdout, ended.stderr) == ("wrong invalid_password\ndown connection_refused\nNone\n", "")
