"""
Logging into the admin through GitHub Codespaces' forwarding of port 8000, in every shape in which its proxy presents
the browser's request, against real servers.
"""

import http.client
import http.cookies
import re
import ssl
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.browser import visit
from helpers.waiting import free_port, wait_until

# The servers: DEBUG on, with and without this codespace's own name; DEBUG off, with and without it; and deployed, where
# these hosts are not among the allowed ones.
DOMAIN = "app.github.dev"
CODESPACE = {"CODESPACE_NAME": "fluffy-ship", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": DOMAIN}
ADDRESSES = {
    "LOCALHOST": "localhost:8000",
    "NAME": f"fluffy-ship-8000.{DOMAIN}",
    "OTHER": f"another-one-8000.{DOMAIN}",
}
OFF = {"DEBUG": "false", "SECRET_KEY": "of-the-test", "ALLOWED_HOSTS": f"localhost,{ADDRESSES['NAME']}"}
SERVERS = {
    "known": CODESPACE,
    "unknown": {},
    "off-known": OFF | CODESPACE,
    "off": OFF,
    "deployed": OFF | {"ALLOWED_HOSTS": "example.com"},
}

# What comes of a login. 403: refused for its origin; 400: for its host. A browser says the Origin with every POST;
# where there is none, over plain HTTP, Django asks for its token alone.
EXPECTED = """
Host       Origin                   known  unknown  off-known  off  deployed
LOCALHOST  http://LOCALHOST         in     in       in         in   400
LOCALHOST  https://LOCALHOST        in     in       403        403  400
LOCALHOST  https://NAME             in     403      403        403  400
LOCALHOST  https://OTHER            403    403      403        403  400
LOCALHOST  null                     403    403      403        403  400
LOCALHOST  none                     in     in       in         in   400
LOCALHOST  none,Referer:https://NAME  in   in       in         in   400
NAME       http://LOCALHOST         in     in       403        403  400
NAME       https://LOCALHOST        in     in       403        403  400
NAME       https://NAME             in     403      403        403  400
NAME       https://OTHER            403    403      403        403  400
NAME       null                     403    403      403        403  400
NAME       none                     in     in       in         in   400
NAME       none,Referer:https://NAME  in   in       in         in   400
"""
HEADINGS, *ROWS = [line.split() for line in EXPECTED.strip().splitlines()]


@pytest.fixture(scope="module")
def project(make_project):
    project = make_project()
    project.compose("run", "--rm", "app", "python", "manage.py", "wait_for_db", "--migrate")
    return project


@pytest.fixture(scope="module")
def password(project):
    output = project.compose("run", "--rm", "app", "python", "manage.py", "create_admin").stdout
    return re.search(r"Password: (\S+)", output)[1]


@pytest.fixture(scope="module")
def ports(project):
    """The servers' ports by name."""
    ports = {name: free_port() for name in SERVERS}
    for name, variables in SERVERS.items():
        environment = [f"--env={variable}={value}" for variable, value in variables.items()]
        project.compose(
            *("run", "--detach", "--rm", f"--publish=127.0.0.1:{ports[name]}:8000", *environment, "app"),
            *("python", "manage.py", "runserver", "--noreload", "0.0.0.0:8000"),
        )
    for port in ports.values():
        wait_until(lambda port=port: answers(port))
    return ports


def answers(port):
    try:
        return request(port, "GET", "/livez", {})[0] == 200
    except OSError:
        return False


def request(port, method, path, headers, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read().decode()


def log_in(port, password, host, origin):
    """Log in as the proxy would pass it on; return "in" or the status, and the page."""
    headers = {"Host": ADDRESSES[host]}
    origin, _, referer = origin.partition(",Referer:")
    status, got, text = request(port, "GET", "/admin/login/", headers)
    if status != 200:
        return str(status), text
    form = {"username": "admin", "password": password, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)[1]
    headers |= {"Cookie": cookies(got), "Content-Type": "application/x-www-form-urlencoded"}
    headers |= {} if origin == "none" else {"Origin": expand(origin)}
    headers |= {"Referer": expand(referer) + "/admin/login/"} if referer else {}
    status, got, text = request(port, "POST", "/admin/login/", headers, urllib.parse.urlencode(form))
    if status == 302:
        status, _, text = request(port, "GET", "/admin/", {"Host": ADDRESSES[host], "Cookie": cookies(got)})
        assert (status, "Log out" in text) == (200, True)
        return "in", text
    return str(status), text


def expand(origin):
    scheme, _, name = origin.partition("://")
    return f"{scheme}://{ADDRESSES[name]}" if name else origin


def cookies(headers):
    jar = http.cookies.SimpleCookie()
    for header in headers.get_all("Set-Cookie", []):
        jar.load(header)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


@pytest.mark.parametrize("server", SERVERS)
def test_a_login_is_let_in_or_refused_as_the_table_says(ports, password, server):
    column = HEADINGS.index(server)
    expected = {(host, origin): row[column - 2] for host, origin, *row in ROWS}
    assert {row: log_in(ports[server], password, *row)[0] for row in expected} == expected


def test_a_refusal_for_want_of_the_own_name_names_the_variable(ports, password):
    _, page = log_in(ports["unknown"], password, "LOCALHOST", "https://NAME")
    assert "CODESPACE_NAME (here: not set)" in page
    _, page = log_in(ports["known"], password, "LOCALHOST", "https://OTHER")
    assert "CODESPACE_NAME (here: fluffy-ship)" in page


def test_a_refusal_with_debug_off_explains_nothing(ports, password):
    _, page = log_in(ports["off-known"], password, "LOCALHOST", "https://NAME")
    assert "CSRF verification failed" in page
    assert not {word for word in ["CODESPACE", "Origin checking", "fluffy"] if word in page}


def test_with_debug_off_there_is_no_welcome_page_and_probes_are_answered_whatever_the_allowed_hosts(ports):
    local = {"Host": "localhost:8000"}
    assert request(ports["off"], "GET", "/", local)[0] == 404
    assert request(ports["off"], "GET", "/", local)[2] == request(ports["off"], "GET", "/nothing", local)[2]
    assert request(ports["deployed"], "GET", "/", local)[0] == 400
    for path in ["/livez", "/readyz"]:
        assert request(ports["deployed"], "GET", path, local)[::2] == (200, "ok\n")


class Proxy(ThreadingHTTPServer):
    """Serves https://NAME as Codespaces' proxy does, and another codespace's page that would log in here."""

    def __init__(self, certificate, target):
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.target = target
        self.host, self.origin = "LOCALHOST", None


class ProxyHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers["Host"] == ADDRESSES["OTHER"]:
            action = f"https://{ADDRESSES['NAME']}/admin/login/"
            form = f'<form method="post" action="{action}"><button>Log in</button></form>'
            return self.answer(200, {"Content-Type": "text/html"}, form)
        headers = {name: value for name, value in self.headers.items() if name not in {"Host", "Connection"}}
        headers["Host"] = ADDRESSES[self.server.host]
        if self.server.origin and "Origin" in headers:
            headers["Origin"] = expand(self.server.origin)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return self.answer(*request(self.server.target, self.command, self.path, headers, body))

    do_POST = do_GET

    def answer(self, status, headers, text):
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            if name not in {"Connection", "Content-Length", "Date", "Server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def proxy(ports, tmp_path_factory):
    certificate = tmp_path_factory.mktemp("proxy") / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=*.{DOMAIN}"]
        + ["-keyout", certificate, "-out", certificate],
        check=True,
        capture_output=True,
    )
    proxy = Proxy(certificate, ports["known"])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield proxy
    proxy.shutdown()


@pytest.fixture(scope="module")
def page(proxy, launch_browser):
    browser = launch_browser(
        f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1:{proxy.server_address[1]}", "--ignore-certificate-errors"
    )
    page = browser.new_page()
    page.set_default_timeout(60_000)
    return page


@pytest.mark.parametrize("host", ["LOCALHOST", "NAME"])
@pytest.mark.parametrize("origin", [None, "https://LOCALHOST", "http://LOCALHOST"], ids=["as it is", "https", "http"])
def test_a_browser_logs_in_at_the_forwarded_address(page, proxy, password, host, origin):
    proxy.host, proxy.origin = host, origin
    page.context.clear_cookies()
    visit(page, f"https://{ADDRESSES['NAME']}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Site administration").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Logged out").wait_for()


def test_another_codespaces_page_cannot_log_in_here(page, proxy):
    proxy.host, proxy.origin = "LOCALHOST", None
    visit(page, f"https://{ADDRESSES['OTHER']}/")
    with page.expect_response("**/admin/login/") as response:
        page.get_by_role("button", name="Log in").click()
    assert response.value.status == 403
    assert f"https://{ADDRESSES['OTHER']} does not match any trusted origins" in page.content()
