"""wait_for_db against real servers, in a project that is not this one. Runs on the host, with a real Docker engine."""

import pytest
from containers import HERE, LABEL, ROOT, RUN, Client, Server, build, docker


@pytest.fixture(scope="session", autouse=True)
def engine():
    """Remove all that bears the run's label, whatever happened."""
    yield
    containers = docker("ps", "--all", "--quiet", f"--filter=label={RUN}", check=False).split()
    if containers:
        docker("rm", "--force", "--volumes", *containers, check=False)
    docker("volume", "prune", "--all", "--force", f"--filter=label={RUN}", check=False)
    docker("network", "prune", "--force", f"--filter=label={RUN}", check=False)
    images = docker("image", "ls", f"--filter=reference={RUN}-*", "--format={{.Repository}}", check=False).split()
    if images:
        docker("image", "rm", *images, check=False)


@pytest.fixture(scope="session")
def network(engine):
    docker("network", "create", LABEL, RUN)
    return RUN


@pytest.fixture(scope="session")
def server_image(engine):
    return build("server", HERE)


@pytest.fixture(scope="session")
def client_image(engine):
    development = build("development", ROOT)
    return build("client", HERE, f"--build-arg=DEVELOPMENT={development}", f"--build-context=app={ROOT / 'app'}")


@pytest.fixture(scope="session")
def client(client_image, network):
    return Client(client_image, network)


@pytest.fixture
def make_server(server_image, network):
    """A factory of servers; they are removed at the end of the test."""
    servers = []

    def make(*arguments, **options):
        servers.append(Server(server_image, network, *arguments, **options))
        return servers[-1]

    yield make
    for server in servers:
        docker("rm", "--force", "--volumes", server.name)


@pytest.fixture
def make_volume():
    return lambda: docker("volume", "create", LABEL)


@pytest.fixture(scope="session")
def server(server_image, network):
    """A server that the tests share; they leave it as it was."""
    return Server(server_image, network).until_ready()
