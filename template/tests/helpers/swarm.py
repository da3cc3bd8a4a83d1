"""
Several Docker engines in containers, joined into one swarm, with a registry that all of them reach; and a constant load of
POSTs, since a lost GET is hidden by the proxy's second try.
"""

import dataclasses
import http.client
import itertools
import json
import ssl
import threading
import time
from pathlib import Path

from helpers.engine import docker, run
from helpers.waiting import wait_until

HERE = Path(__file__).resolve().parents[1] / "production"
MTU = Path("/sys/class/net/eth0/mtu")


class Node:
    """A container with an engine; *docker* asks that engine."""

    def __init__(self, name):
        self.name = name
        self.address = docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)

    def docker(self, *arguments, **options):
        return docker("exec", "--interactive", self.name, "docker", *arguments, **options)

    def is_up(self):
        return bool(self.docker("version", "--format={{.Server.Version}}", check=False))


class Swarm:
    """Nodes, the first of which is the manager; `remove` removes all of it."""

    def __init__(self, name, size):
        self.name, self.containers = name, []
        self.image, self.haproxy = f"{name}-node", f"{name}-haproxy"
        try:
            self.join(size)
        except BaseException:
            self.remove()
            raise

    def join(self, size):
        for tag, folder in ((self.image, "node"), (self.haproxy, "haproxy")):
            docker("build", "--quiet", f"--tag={tag}", str(HERE / folder))
        docker("network", "create", self.name)
        self.registry = self.start("--publish=127.0.0.1::5000", "--network-alias=registry", "--entrypoint=sh",
                                   self.image, "-c", REGISTRY)  # fmt: skip
        mtu = MTU.read_text().strip() if MTU.exists() else "1500"
        nodes = [
            self.start("--privileged", self.image, "--insecure-registry=registry:5000", f"--mtu={mtu}",
                       f"--default-network-opt=overlay=com.docker.network.driver.mtu={int(mtu) - 50}")
            for _ in range(size)
        ]  # fmt: skip
        self.nodes = [Node(node) for node in nodes]
        for node in self.nodes:
            wait_until(node.is_up)
        self.manager, *workers = self.nodes
        self.manager.docker("swarm", "init", f"--advertise-addr={self.manager.address}")
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker")
        for worker in workers:
            worker.docker("swarm", "join", f"--token={token}", f"{self.manager.address}:2377")

    def start(self, *arguments):
        name = f"{self.name}-{len(self.containers)}"
        self.containers.append(name)
        docker("run", "--detach", f"--name={name}", f"--hostname={name}", f"--network={self.name}", *arguments)
        return name

    def push(self, image, name):
        """The image of this machine's engine as *name* in the registry; its name there for the nodes."""
        port = docker("port", self.registry, "5000/tcp").rpartition(":")[2]
        docker("tag", image, f"127.0.0.1:{port}/{name}")
        try:
            wait_until(
                lambda: run("docker", "push", "--quiet", f"127.0.0.1:{port}/{name}", check=False).returncode == 0
            )
        finally:
            docker("image", "rm", f"127.0.0.1:{port}/{name}")
        return f"registry:5000/{name}"

    def secret(self, name, value):
        self.manager.docker("secret", "create", name, "-", input=value)

    def deploy(self, folder, *files, **variables):
        """`docker stack deploy` of the *files* in the *folder* of this machine, as a user types it on the manager."""
        docker("cp", f"{folder}/.", f"{self.manager.name}:/deploy")
        environment = [f"--env={name}={value}" for name, value in variables.items()]
        files = [f"--compose-file={file}" for file in files]
        return run("docker", "exec", "--workdir=/deploy", *environment, self.manager.name,
                   "docker", "stack", "deploy", "--detach=true", *files, "shop").stdout  # fmt: skip

    def service(self, name):
        return json.loads(self.manager.docker("service", "inspect", f"shop_{name}"))[0]

    def update_state(self, name="web"):
        return (self.service(name).get("UpdateStatus") or {}).get("State")

    def tasks(self, service, state="Running"):
        """The nodes' names of the tasks in this state."""
        listed = self.manager.docker("service", "ps", "--no-trunc", "--format={{json .}}", f"shop_{service}")
        tasks = [json.loads(line) for line in listed.splitlines()]
        return [task["Node"] for task in tasks if task["CurrentState"].startswith(f"{state} ")]

    def wait_for_tasks(self, service, number, state="Running"):
        wait_until(lambda: len(self.tasks(service, state)) == number, seconds=600)

    def container(self, service):
        """The node and the container's ID of a service's running task."""
        for node in self.nodes:
            label = f"--filter=label=com.docker.swarm.service.name=shop_{service}"
            if found := node.docker("ps", "--quiet", label).split():
                return node, found[0]
        return None

    def remove(self):
        docker("rm", "--force", "--volumes", *self.containers, check=False)
        docker("network", "rm", self.name, check=False)
        docker("image", "rm", "--force", self.image, self.haproxy, check=False)


REGISTRY = """cat > /tmp/config.yml <<'END'
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000"}
END
exec docker-registry serve /tmp/config.yml"""


@dataclasses.dataclass
class Answer:
    at: float  # time.monotonic() of its start
    seconds: float
    failure: str  # "" for an answer that is right

    def __str__(self):
        return f"{self.failure} after {self.seconds:.1f} s"


class Load:
    """
    POSTs to the proxies at *addresses* until the end of the block, by eight clients: every second one keeps its connection.

    Their requests take as many *seconds* as they name in turn. Some take longer than the two that Swarm itself waits between
    the end of a replica's name and its own.

    A POST is right if its own body comes back with status 200. It ends by itself after *limit* seconds.
    """

    def __init__(self, addresses, certificate, clients=8, seconds=(0.1, 0.1, 6, 6), limit=900):
        self.context = ssl.create_default_context(cafile=certificate)
        self.addresses, self.clients, self.seconds, self.limit = addresses, clients, seconds, limit
        self.answers, self.broken, self.ended = [], [], threading.Event()

    def __enter__(self):
        self.started = time.monotonic()
        self.threads = [threading.Thread(target=self.be_client, args=(number,)) for number in range(self.clients)]
        for thread in self.threads:
            thread.start()
        try:
            wait_until(lambda: len(self.answers) > 10 * self.clients)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        assert not self.broken, self.broken

    def be_client(self, number):
        try:
            self.ask_on(number)
        except Exception as error:  # noqa: BLE001 a client that ended unseen would make the load smaller
            self.broken.append(repr(error))

    def ask_on(self, number):
        connection = None
        for turn in itertools.count():
            if self.ended.wait(0.05) or time.monotonic() > self.started + self.limit:
                return
            address = self.addresses[(number + turn) % len(self.addresses)]
            connection = connection or Connection(address, self.context)
            self.answers.append(connection.post(f"{number}-{turn}", self.seconds[number % len(self.seconds)]))
            if self.answers[-1].failure or number % 2 == 0:
                connection.close()
                connection = None

    @property
    def failed(self):
        return [answer for answer in self.answers if answer.failure]

    def summary(self):
        moments = [answer.at for answer in self.failed]
        lasting = f" within {max(moments) - min(moments):.1f} s" if moments else ""
        slowest = max(answer.seconds for answer in self.answers)
        shown = list(map(str, self.failed[:5]))
        return f"{len(moments)} of {len(self.answers)} failed{lasting}, the slowest took {slowest:.1f} s {shown}"


class Connection(http.client.HTTPSConnection):
    """To a proxy at an address, under the name of the certificate."""

    def __init__(self, address, context):
        super().__init__("example.com", timeout=60, context=context)
        self._create_connection = lambda _, *options: CREATE((address, 443), *options)

    def post(self, text, seconds=0):
        """What came of it; the server takes so many *seconds* for it."""
        at, failure = time.monotonic(), ""
        try:
            self.request("POST", f"/echo?seconds={seconds}", text)
            response = self.getresponse()
            body = response.read().decode(errors="replace")
            if (response.status, body) != (200, text):
                failure = f"{response.status} {body[:60]!r}"
        except (OSError, http.client.HTTPException) as error:
            failure = repr(error)
        return Answer(at, time.monotonic() - at, failure)


CREATE = http.client.socket.create_connection
