"""
Another project copies two things: the command, and the folder beside management/. All tests here run in such a project
(Dockerfile); this is what copying by hand could still trip over.
"""

import re

from containers import ROOT, docker

CORE = ROOT / "app" / "core"
COPIED = [CORE / "management/commands/wait_for_db.py", *sorted((CORE / "wait_for_db").glob("*.py"))]


def test_what_is_copied_knows_nothing_of_this_project():
    for path in COPIED:
        text = path.read_text()
        assert not re.search(
            r"slipway|compose|docker|(?<!django\.)\bcore\.|DB_(HOST|PORT|NAME|USER|PASS)", text, re.IGNORECASE
        ), path


def test_what_is_copied_needs_django_and_psycopg2_alone(client):
    imports = {
        match[1]
        for path in COPIED
        for match in re.finditer(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
    }
    foreign = "import sys; print(*sorted(set(sys.argv[1:]) - sys.stdlib_module_names))"
    assert docker("exec", client.name, "python", "-c", foreign, *imports).split() == ["django", "psycopg2"]


def test_the_copied_command_explains_its_exit_codes(client, server):
    ended = client.run("--help", HOST=server.name)
    assert ended.code == 0
    for code in ("0 ready", "1 a migration", "2 wrong", "3 never", "124 timed", "130 interrupted", "143 terminated"):
        assert code in " ".join(ended.stdout.split())


def test_it_is_usable_from_python(client, server):
    script = (
        "import os, threading, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'; django.setup()\n"
        "from polls.wait_for_db import LogIn, NeverReady, TimedOut, wait_for\n"
        "from psycopg2.extensions import get_wait_callback\n"
        "wait_for([LogIn('default')], timeout=10)\n"
        "for alias, error in (('wrong', NeverReady), ('down', TimedOut)):\n"
        "    try: wait_for([LogIn(alias)], timeout=0.5)\n"
        "    except error as e: print(alias, e.cause.name)\n"
        "print(get_wait_callback())"
    )
    databases = {
        "default": {"HOST": server.name},
        "wrong": {"HOST": server.name, "PASSWORD": "wrong"},
        "down": {"HOST": server.name, "PORT": 1},
    }
    ended = client.start_python("-c", script, databases=databases).end()
    assert (ended.stdout, ended.stderr) == ("wrong invalid_password\ndown connection_refused\nNone\n", "")
