"""
deploy/stack.yml on three engines: nothing that is asked for is lost while replicas come, go, fail, or their machine dies.

What a load of POSTs met is printed; `-rP` shows it.
"""

import concurrent.futures
import http.client
import json
import select
import socket
import ssl

import pytest
from helpers.engine import RUN, docker, run
from helpers.production import KEY, PASSWORD, add_views, build_image
from helpers.swarm import Connection, Load, Swarm
from helpers.waiting import wait_until

STACK = ("stack.yml", "stack-database.yml")
MUTE = ["python", "-c", "import signal; signal.sigwait([signal.SIGTERM])"]
VARIABLES = {"ALLOWED_HOSTS": "example.com", "EMAIL_HOST": "none"}


@pytest.fixture(scope="module")
def swarm():
    swarm = Swarm(f"{RUN}-swarm", 3)
    yield swarm
    swarm.remove()


@pytest.fixture(scope="module")
def images(swarm, make_project, tmp_path_factory):
    """Names in the registry: a good image, a second good one, one that crashes, and one that is never ready."""
    project = make_project()
    add_views(project)
    first = f"{RUN}-stack"
    build_image(project, first)
    variants = {
        "first": "",
        "second": "ENV VERSION=second",
        "crashes": 'CMD ["false"]',
        "mute": f"CMD {json.dumps(MUTE)}",
    }
    made = []
    try:
        for name, line in variants.items():
            made.append(f"{first}-{name}")
            folder = tmp_path_factory.mktemp(name)
            (folder / "Dockerfile").write_text(f"FROM {first}\n{line}\n")
            docker("build", "--quiet", f"--tag={made[-1]}", str(folder))
        pushed = {name: swarm.push(f"{first}-{name}", f"app:{name}") for name in variants}
        for image, name in ((swarm.haproxy, "haproxy:3.2"), ("postgres:18-trixie", "postgres:18-trixie")):
            swarm.push(image, name)
        yield pushed
    finally:
        docker("image", "rm", "--force", first, *made, check=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """For example.com, signed by itself: the certificate and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.com",
        "-addext", "subjectAltName=DNS:example.com", "-keyout", folder / "key", "-out", folder / "certificate")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def files(make_project, tmp_path_factory):
    """The folder deploy, whose images come from the tests' registry."""
    folder = tmp_path_factory.mktemp("deploy")
    project = make_project()
    for file in (project.folder / "deploy").iterdir():
        text = file.read_text().replace("image: haproxy", "image: registry:5000/haproxy")
        text = text.replace("image: postgres", "image: registry:5000/postgres")
        (folder / file.name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def stack(swarm, images, certificate, files):
    """
    Deployed: all of it starts at once, and nothing relies on the order. The database's machine is the manager, so that
    another machine may die.
    """
    swarm.secret("secret_key", KEY)
    swarm.secret("db_pass", PASSWORD)
    swarm.secret("certificate", (certificate / "certificate").read_text() + (certificate / "key").read_text())
    swarm.manager.docker("node", "update", "--label-add=database=yes", swarm.manager.name)
    swarm.certificate = certificate / "certificate"
    swarm.said = swarm.deploy(files, *STACK, IMAGE=images["first"], **VARIABLES)
    swarm.wait_for_tasks("proxy", 3)
    swarm.wait_for_tasks("web", 3)
    for node in swarm.nodes:
        wait_until(lambda node=node: not ask(swarm, node).failure)
    return swarm


def ask(swarm, node):
    connection = Connection(node.address, Load([], swarm.certificate).context)
    try:
        return connection.post("a question")
    finally:
        connection.close()


def version(swarm):
    """Of the image, as a replica says it."""
    node, container = swarm.container("web")
    return node.docker("exec", container, "printenv", "VERSION", check=False)


def load(swarm, nodes=None, **options):
    return Load([node.address for node in nodes or swarm.nodes], swarm.certificate, **options)


def redeploy(swarm, files, image, until):
    """Another image, under load; the load, once the update is in this state and a little beyond."""
    with load(swarm) as asking:
        swarm.deploy(files, *STACK, IMAGE=image, **VARIABLES)
        wait_until(lambda: swarm.update_state() == until, seconds=600)
        asked = len(asking.answers)
        wait_until(lambda: len(asking.answers) > asked + 100)
    print(asking.summary())
    return asking


def test_all_of_it_starts_at_once_and_is_ready(stack):
    assert "gnoring" not in stack.said, "stack deploy knows each line"
    stack.wait_for_tasks("migrate", 1, "Complete")
    assert len(set(stack.tasks("proxy"))) == 3
    assert PASSWORD not in stack.manager.docker("service", "inspect", "shop_web")


def test_the_hardening_is_in_force(stack):
    node, container = stack.container("web")
    assert node.docker("exec", container, "id", "-u") == "1000"
    assert (
        "Read-only" in run("docker", "exec", node.name, "docker", "exec", container, "touch", "/x", check=False).stdout
    )
    status = node.docker("exec", container, "grep", "CapBnd", "/proc/1/status")
    assert int(status.split()[1], 16) == 0


def test_plain_http_is_led_to_https(stack):
    connection = http.client.HTTPConnection(stack.manager.address, 80, timeout=60)
    connection.request("GET", "/users?x=1", headers={"Host": "example.com"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, "https://example.com/users?x=1")
    connection.close()


def test_slow_clients_are_the_proxys_matter(stack):
    """Two hundred, who send a part of their request and no more: the others do not notice, and the slow ones are let go."""
    context = load(stack).context
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # with 1.3 something to read comes at once, which is no answer

    def send_a_part(number):
        raw = socket.create_connection((stack.manager.address, 443), timeout=120)
        connection = context.wrap_socket(raw, server_hostname="example.com")
        length = "Content-Length: 1000\r\n\r\nx" if number % 2 else "X: "
        connection.sendall(f"POST /echo HTTP/1.1\r\nHost: example.com\r\n{length}".encode())
        return connection

    with load(stack, seconds=[0.1]) as asking, concurrent.futures.ThreadPoolExecutor(20) as pool:
        slow = list(pool.map(send_a_part, range(200)))
        assert [connection for connection in slow if not is_answered(connection)][99:], "most of them hold on"
        asked = len(asking.answers)
        answers = [connection.recv(4096) for connection in slow]
        assert len(asking.answers) > asked, "the others went on meanwhile"
    print(asking.summary())
    assert not asking.failed, asking.summary()
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Time-out"}
    for connection in slow:
        connection.close()


def is_answered(connection):
    return bool(select.select([connection], [], [], 0)[0])


def test_more_requests_than_threads_wait(stack):
    """And take no replica out of service, though its probes wait with them."""
    with load(stack, clients=40, seconds=[3]) as asking:
        pass  # ten of each client
    print(asking.summary())
    assert not asking.failed, asking.summary()


def test_a_mute_database_takes_no_replica_out(stack):
    node, database = stack.container("db")
    with load(stack) as asking:
        node.docker("pause", database)
        try:
            asked = len(asking.answers)
            wait_until(lambda: len(asking.answers) > asked + 100)
        finally:
            node.docker("unpause", database)
    print(asking.summary())
    assert not asking.failed, asking.summary()


def test_a_large_upload_has_its_place(stack):
    """Django keeps it in a file; all but /tmp is read-only."""
    context = load(stack).context
    connection = Connection(stack.manager.address, context)
    body = b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n" + b"y" * 5_000_000 + b"\r\n--x--\r\n"
    connection.request("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=x"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"5000000")
    connection.close()


def test_scaling_loses_nothing(stack):
    with load(stack) as asking:
        stack.manager.docker("service", "scale", "--detach", "shop_web=5")
        stack.wait_for_tasks("web", 5)
        stack.manager.docker("service", "scale", "--detach", "shop_web=3")
        stack.wait_for_tasks("web", 3)
    print(asking.summary())
    assert not asking.failed, asking.summary()


def test_a_rolling_update_loses_nothing(stack, files, images, kill_rounds):
    for turn in range(kill_rounds):
        image, said = ("first", "") if turn % 2 else ("second", "second")
        assert version(stack) != said
        asking = redeploy(stack, files, images[image], "completed")
        assert version(stack) == said
        assert not asking.failed, asking.summary()


@pytest.mark.parametrize("broken", ["crashes", "mute"])
def test_a_broken_image_is_taken_back_and_nothing_is_lost(stack, files, images, broken):
    before = stack.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    file = files / "stack.yml"
    text = file.read_text()
    file.write_text(text.replace("start_period: 5m", "start_period: 20s"))
    try:
        asking = redeploy(stack, files, images[broken], "rollback_completed")
    finally:
        file.write_text(text)
    assert stack.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == before
    assert not asking.failed, asking.summary()


def test_the_migrate_job_is_killed_and_goes_on(stack, files, images):
    """Another session's table of the same name, not committed, makes it wait: so there is a moment to kill it in."""
    node, database = stack.container("db")

    def psql(statement):
        return node.docker("exec", database, "psql", "-XqAt", "-U", "app", "-c", statement)

    psql("DROP TABLE django_session; DELETE FROM django_migrations WHERE app = 'sessions'")
    block = "BEGIN; CREATE TABLE django_session (x int); SELECT pg_sleep(600)"
    docker("exec", "--detach", node.name, "docker", "exec", database, "psql", "-U", "app", "-c", block)
    wait_until(lambda: psql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    stack.deploy(files, *STACK, IMAGE=images["first"], **VARIABLES)
    wait_until(lambda: psql(WAITING) and kill_job(stack), seconds=600)
    psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    wait_until(lambda: psql("SELECT count(*) FROM django_migrations WHERE app = 'sessions'") == "1", seconds=600)
    assert "137" in stack.manager.docker("service", "ps", "--format={{.Error}}", "shop_migrate"), (
        "the control: it was killed"
    )


def kill_job(stack):
    """Whether there was one to kill; a lock that is waited for too long ends it by itself."""
    found = stack.container("migrate")
    return found and run("docker", "exec", found[0].name, "docker", "kill", found[1], check=False).returncode == 0


WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE TABLE \"django_session\"%'"
)


def test_the_load_notices_what_is_lost(stack):
    """The control of the tests above."""
    with load(stack) as asking:
        stack.manager.docker("service", "scale", "--detach", "shop_web=0")
        wait_until(lambda: asking.failed, seconds=600)
        stack.manager.docker("service", "scale", "--detach", "shop_web=3")
        wait_until(lambda: not [answer for answer in asking.answers[-100:] if answer.failure], seconds=600)
    stack.wait_for_tasks("web", 3)
    print(asking.summary())


def test_a_machine_dies_under_load(stack):
    """Clients of its own proxy go elsewhere, as a load balancer or a name's other addresses lead them; here they do."""
    stack.wait_for_tasks("web", 3)
    dead = next(node for node in stack.nodes[1:] if node.name in stack.tasks("web"))
    alive = [node for node in stack.nodes if node is not dead]
    with load(stack, alive) as asking:
        docker("kill", dead.name)
        wait_until(lambda: [name for name in stack.tasks("web") if name != dead.name][2:], seconds=600)
        asked = len(asking.answers)
        wait_until(lambda: len(asking.answers) > asked + 100)
    print(asking.summary())
    assert len(asking.failed) <= asking.clients, "those that were in flight, at most"
    assert not [answer for answer in asking.answers[-100:] if answer.failure]
