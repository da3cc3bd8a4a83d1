"""What `./dev` with Docker and without have in common: the database's answers, and how it is called."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

# What a project can tell its database by.
CHECKS = """
import json
from django.db import connection
cursor = connection.cursor()
def ask(sql):
    cursor.execute(sql)
    return cursor.fetchall()
for name in ["citext", "hstore", "pg_trgm", "unaccent", "btree_gist"]:
    cursor.execute(f"create extension if not exists {name}")
print("RESULT", json.dumps({
    "major": connection.pg_version // 10000,
    "sort order": ask("select string_agg(c, ' ' order by c) from unnest(array['b', 'a', 'B', 'ä', 'Z', '_', '1', 'é']) c"),
    "case": ask("select upper('straße äé'), lower('ÄÉ'), 'Ä' ilike 'ä', initcap('élan vital')"),
    "collation": ask("select datlocprovider, datlocale, datcollate, datctype, pg_encoding_to_char(encoding) from pg_database"
                     " where datname = current_database()"),
    "extensions": ask("select 'A'::citext = 'a', ('a=>1'::hstore)->'a', similarity('word', 'words'), unaccent('Hôtel')"),
    "ranges": ask("create temporary table r (room int, during tsrange, exclude using gist (room with =, during with &&));"
                  "select count(*) from r"),
    "text search": ask("select to_tsvector('The quick foxes'), current_setting('default_text_search_config')"),
    "time": ask("select current_setting('TimeZone'), '2026-07-01 12:00'::timestamptz::text"),
    "rights": ask("select rolsuper, rolcreatedb from pg_roles where rolname = current_user"),
    "settings": dict(ask("select name, setting from pg_settings")),
}, default=str))
"""
# Where the server lies and listens, and what it was compiled with.
OF_THE_PLACE = {"config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port",
                "unix_socket_directories", "server_version", "server_version_num", "krb_server_keyfile", "ssl_ciphers",
                "ssl_groups", "ssl_library"}  # fmt: skip


def result(output):
    found = json.loads(re.search(r"^RESULT (.*)$", output, re.MULTILINE)[1])
    found["settings"] = {name: value for name, value in found["settings"].items() if name not in OF_THE_PLACE}
    return found


def test_the_database_answers_alike(bare, make_project):
    project = make_project()
    without = result(bare.dev("manage", "shell", "--no-imports", "-c", CHECKS).stdout)
    with_docker = result(project.run("./dev", "--docker", "manage", "shell", "--no-imports", "-c", CHECKS).stdout)
    assert without["sort order"] == [["1 B Z _ a b ä é"]]
    assert without["major"] == 18
    settings = without.pop("settings").items() ^ with_docker.pop("settings").items()
    assert settings == set()
    assert without == with_docker


# How it is called: nothing is set up for these, since the port is taken.


@pytest.fixture(scope="module")
def folder(make_project):
    return make_project().folder


@pytest.fixture
def doctor(folder, tmp_path):
    """What ./dev doctor finds with nothing on PATH and in the home folder but what the test puts there."""
    (tmp_path / "bin").mkdir()

    def doctor(python, **variables):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = subprocess.run(
                [python, folder / "dev", "doctor", "--native"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False, env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "APP_PORT": str(taken.getsockname()[1]), **variables},
            )  # fmt: skip
        assert done.returncode == 1
        assert not (folder / ".venv").exists()
        return done.stdout

    return doctor


def python_of(*versions):
    """One of these versions on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in versions:
        for path in [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]:
            ask = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            # Without a PATH, with which a shim does not run.
            if (
                path
                and subprocess.run(ask, stdout=-1, stderr=-1, text=True, check=False, env={"PATH": "/nowhere"}).stdout
                == f"{version}\n"
            ):
                return Path(path)
    pytest.skip(f"needs a Python of {' or '.join(versions)}")


OLD, NEW = ("3.11", "3.10", "3.9"), ("3.14", "3.13", "3.12")


def test_an_old_python_alone_is_told_what_to_install(doctor):
    old = python_of(*OLD)
    said = doctor(old)
    assert "FAULT  Python: Without Docker this needs Python 3.12 or newer, and none was found:" in said
    assert re.search(rf"^  {old}: Python 3\.\d+$", said, re.MULTILINE)
    assert "Install uv, which can download one, or Python with its venv module" in said


def test_a_python_on_path_that_does_not_run_is_passed_over(doctor, tmp_path):
    shim, new = tmp_path / "bin/python3.14", tmp_path / "bin/python3"
    shim.write_text("#!/bin/sh\necho no such version >&2; exit 127\n")
    shim.chmod(0o755)
    new.symlink_to(python_of(*NEW))
    assert f"ok     Python: {new}\n" in doctor(python_of(*OLD))


def test_a_python_of_pyenv_is_found(doctor, tmp_path):
    new = python_of(*NEW)
    for name, target in {"3.9.30": python_of(*OLD), "3.13.2": new, "3.12.10": new}.items():
        (tmp_path / f"versions/{name}/bin").mkdir(parents=True)
        (tmp_path / f"versions/{name}/bin/python").symlink_to(target)
    assert f"ok     Python: {tmp_path}/versions/3.13.2/bin/python\n" in doctor(
        python_of(*OLD), PYENV_ROOT=str(tmp_path)
    )


def test_a_python_of_uv_is_found(doctor, tmp_path):
    uv = shutil.which("uv")
    if not uv or subprocess.run([uv, "--version"], check=False).returncode:
        pytest.skip("needs uv")
    (tmp_path / "bin/uv").write_text(f'#!/bin/sh\nPATH="$PATH:{os.environ["PATH"]}" exec {uv} "$@"\n')
    (tmp_path / "bin/uv").chmod(0o755)
    new = python_of(*NEW).resolve()
    found = subprocess.run(
        [new, "-c", "import platform as p; print(p.python_version(), p.machine())"], stdout=-1, text=True, check=True
    )
    version, machine = found.stdout.split()
    managed = tmp_path / f"managed/cpython-{version}-linux-{machine}-gnu/bin/python{'.'.join(version.split('.')[:2])}"
    managed.parent.mkdir(parents=True)
    managed.symlink_to(new)
    said = doctor(python_of(*OLD), UV_PYTHON_INSTALL_DIR=str(tmp_path / "managed"))
    assert f"ok     Python: {managed}\n" in said


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_verb(folder, arguments):
    said = subprocess.run([folder / "dev", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout
    for verb in ("up", "test", "manage", "down", "reset", "doctor", "--native", "--docker", "--yes", "APP_PORT"):
        assert verb in said


@pytest.mark.parametrize(
    "arguments, cause",
    [
        (["sail"], "sail is not a verb of ./dev: see ./dev --help"),
        (["up", "--fast"], "./dev up does not know --fast: see ./dev --help"),
        (["up", "--native", "--docker"], "./dev up does not know --docker: see ./dev --help"),
    ],
)
def test_what_it_does_not_know_is_named(folder, arguments, cause):
    done = subprocess.run([folder / "dev", *arguments], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{cause}\n")


def test_docker_where_there_is_no_engine_is_refused(folder):
    for variables, cause in [
        ({"PATH": "/nowhere"}, "--docker: there is no docker on PATH"),
        ({"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere"}, "--docker: no Docker engine answers: "),
    ]:
        done = subprocess.run(
            [sys.executable, folder / "dev", "up", "--docker"],
            env=variables,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(cause)


def test_an_older_python_than_the_script_can_use_is_told_so(folder):
    old = python_of("3.8", "3.7", "3.6")
    done = subprocess.run([old, folder / "dev", "up"], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "./dev needs Python 3.9 or newer: run it with another one, as in `python3.13 dev up`.\n",
    )
