"""What comes from outside: no request ends the server or gets a traceback, and no secret is shown anywhere."""

import http.client
import secrets

import pytest
from helpers.engine import docker, paused
from helpers.waiting import wait_until

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
HOSTS = ["localhost", "evil.example", "", "[::1", "a" * 5000, "localhost:99999", "лocalhost".encode()]
PATHS = [
    "/",
    "/livez",
    "/readyz",
    "/nowhere",
    "/admin/",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/%00",
    "/é".encode(),
]
HEADERS = [
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "gopher"},
    {"Cookie": "sessionid=" + "x" * 5000},
    {"Content-Length": "-1"},
    {"Transfer-Encoding": "nonsense"},
    {f"X-{number}": "x" for number in range(300)},
]
PRODUCTION = {"DEBUG": "false", "ALLOWED_HOSTS": "localhost", "SECRET_KEY": "x" * 60}


@pytest.fixture(scope="module", params=[{}, PRODUCTION], ids=["DEBUG on", "DEBUG off"])
def project(request, make_project):
    project = make_project(**request.param)
    project.compose("up", "--wait")
    return project


def status(project, method="GET", path="/", host="localhost", headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=60)
    try:
        connection.putrequest(method, "/", skip_host=True, skip_accept_encoding=True)
        target = path if isinstance(path, bytes) else path.encode()
        connection._buffer[0] = b"%s %s HTTP/1.1" % (method.encode(), target)  # as it is, though it is wrong
        connection.putheader("Host", host)
        for header in dict(headers).items():
            connection.putheader(*header)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def test_no_method_host_or_path_is_an_error_of_the_server(project):
    for method in METHODS:
        for path in PATHS:
            code, text = status(project, method, path)
            assert code < 500 and "root:" not in text, (method, path)
    for host in HOSTS:
        for path in ("/", "/admin/", "/livez", "/readyz"):
            code, text = status(project, path=path, host=host)
            assert code == 200 if path.endswith("z") else code < 500, (host, path)
            assert host != "evil.example" or path.endswith("z") or code == 400
    for headers in HEADERS:
        for path in ("/", "/admin/", "/readyz"):
            code, text = status(project, path=path, headers=headers)
            assert code < 500 and "evil.example" not in text, (headers, path)
    assert '" 500 ' not in project.compose("logs", "app").stdout
    assert project.get("readyz") == (200, "ok\n")


BROKEN = """
def broken(request):
    from django.db import connection

    connection.cursor().execute("nonsense")


urlpatterns += [path("broken", broken)]
"""


def test_no_secret_is_shown_anywhere(make_project):
    password, key = (f"canary-{secrets.token_hex(12)}" for _ in range(2))
    project = make_project()
    project.write(".env", f"DB_PASS={password}\nSECRET_KEY={key}\n")
    project.write("app/app/urls.py", project.read("app/app/urls.py") + BROKEN)
    shown = project.compose("up", "--wait").stdout
    assert password in docker("inspect", project.container()["Id"]), "it is in use"
    shown += collect(project)
    with paused(project.container("db")["Id"]):
        shown += collect(project)
    project.psql("alter role app password 'another'")
    wait_until(lambda: project.get("readyz") == (503, "invalid_password\n"))
    shown += collect(project)
    project.compose("stop", "db")
    shown += collect(project)
    for container in project.containers():
        shown += docker("inspect", "--format={{json .Config.Labels}} {{json .State}} {{json .Args}}", container)
    shown += docker("history", "--no-trunc", f"{project.name}-app")
    assert password not in shown and key not in shown


def collect(project):
    """What people get to see."""
    pages = [project.get(path) for path in ("", "readyz", "nowhere", "admin/", "broken")]
    assert {code for code, _ in pages} >= {500, 404}, "the debug page is among them"
    said = [text for _, text in pages]
    for command in (
        "doctor",
        "wait_for_db --timeout 2",
        "wait_for_db --migrate --timeout 2",
        "migrate --check",
        "check",
    ):
        said.append(project.bash(f"python manage.py {command}", check=False).stdout)
    said.append(project.dev("doctor", check=False).stderr)
    said.append(project.compose("logs").stdout)
    said.append(project.compose("top").stdout)
    return "\n".join(said)
