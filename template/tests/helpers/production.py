"""The production image of a project with a few views of the tests, its database, and containers of it."""

import http.client
import secrets
import socket
import subprocess
from functools import cached_property

from helpers.engine import PROGRAMS, docker, run
from helpers.waiting import wait_until

PASSWORD = f"canary-{secrets.token_hex(12)}"
KEY = f"canary-{secrets.token_urlsafe(50)}"
VARIABLES = {
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "example.com",
    "DB_HOST": "db",
    "DB_NAME": "app",
    "DB_USER": "app",
    "DB_PASS": PASSWORD,
    "EMAIL_HOST": "mail.example.com",
}
HARDENED = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=100",
    "--user=12345:54321",
]
BEHIND_HTTPS = {"X-Forwarded-Proto": "https"}
REFUSED = {b"400", b"411", b"414", b"431", b"501", b"505"}  # what may be said to one of these, if anything
MALFORMED = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x00\xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: example.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: example.com\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: example.com\r\nContent-Length: +5\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST /echo HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: nonsense\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
]


def build_image(project, name, *arguments, check=True):
    """The image of the clone as it is; its build's output."""
    command = ["docker", "build", "--progress=plain", "--target=production", f"--tag={name}", *arguments, "."]
    return project.run(*command, check=check).stdout


def add_views(project):
    """Views that tests ask: programs/production_views.py."""
    project.write("app/app/tested.py", (PROGRAMS / "production_views.py").read_text())
    urls = project.read("app/app/urls.py").replace(
        "urlpatterns = [", 'urlpatterns = [\n    path("", include("app.tested")),'
    )
    project.write("app/app/urls.py", urls)


class Deployment:
    """A network, a database and containers of an image; all of it is removed by `remove`."""

    def __init__(self, image, name):
        self.image, self.name, self.containers = image, name, []
        docker("network", "create", name)
        environment = ["--env=POSTGRES_USER=app", f"--env=POSTGRES_PASSWORD={PASSWORD}"]
        command = ["postgres", "-c", "log_connections=on", "-c", "log_statement=all"]
        self.database = self.start("postgres:18-trixie", *environment, "--network-alias=db", command=command)

    def start(self, image, *options, command=()):
        """A container, running in the background."""
        name = f"{self.name}-{len(self.containers)}"
        self.containers.append(name)
        docker("run", "--detach", f"--name={name}", f"--network={self.name}", *options, image, *command)
        return name

    def run(self, *command, variables=None, options=(), check=True):
        """A command in a container of the image that ends with it."""
        return run("docker", "run", "--rm", f"--network={self.name}", *HARDENED, *options, *arguments(variables),
                   self.image, *command, check=check)  # fmt: skip

    def serve(self, *options, **variables):
        """The image's own command; once it answers, a Web."""
        web = Web(self.start(self.image, *HARDENED, *options, *arguments(variables)))
        wait_until(lambda: web.get("/livez")[0] == 200)
        return web

    def psql(self, statement):
        return docker("exec", self.database, "psql", "-XqAt", "-U", "app", "-c", statement)

    def database_log(self):
        """All that the database was asked, and by how many sessions."""
        return run("docker", "logs", self.database).stdout

    def remove(self):
        docker("rm", "--force", "--volumes", *self.containers, check=False)
        docker("network", "rm", self.name, check=False)


def arguments(variables):
    """The documented variables, but for those given: None leaves one out."""
    variables = VARIABLES | (variables or {})
    return [f"--env={name}={value}" for name, value in variables.items() if value is not None]


class Web:
    """A container that serves, asked at its own address, as a proxy would."""

    port = 8000

    def __init__(self, container):
        self.container = container

    @cached_property
    def host(self):
        return docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.container)

    def ask(self, method, path, headers=None, **options):
        """The response, whose text is its attribute *text*; (None, error) where there is none."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, headers={"Host": "example.com", **(headers or {})}, **options)
            response = connection.getresponse()
            response.text = response.read().decode(errors="replace")
            return response
        finally:
            connection.close()

    def get(self, path, headers=None):
        """The status and the text; (None, error) if nothing answers."""
        try:
            response = self.ask("GET", path, headers)
            return response.status, response.text
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)

    def send(self, raw):
        """What comes back for these bytes, until the server closes or is silent for a second."""
        with socket.create_connection((self.host, self.port), timeout=60) as connection:
            answer = b""
            try:
                connection.sendall(raw)  # it may have its answer, and be refused, before it ends
            except OSError:
                pass
            connection.settimeout(1)
            try:
                while some := connection.recv(65536):
                    answer += some
            except OSError:
                pass
            return answer

    def output(self):
        """What it wrote: to stdout, to stderr."""
        done = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    def state(self):
        return docker("inspect", "--format={{.State.Status}} {{.State.ExitCode}}", self.container)
