"""wait_for_db against real servers, in a project that is not this one."""

import pytest
from helpers.engine import docker
from helpers.servers import HERE, LABEL, WORKER, Client, Server, build, build_client, remove_everything


@pytest.fixture(scope="session")
def label():
    """What every container, image, volume and network of this run bears; all of it is removed at the end."""
    yield WORKER
    remove_everything()


@pytest.fixture(scope="session")
def network(label):
    docker("network", "create", LABEL, label)
    return label


@pytest.fixture(scope="session")
def server_image(label):
    return build("server", HERE)


@pytest.fixture(scope="session")
def client_image(label):
    return build_client()


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
        docker("rm", "--force", "--volumes", server.name, check=False)


@pytest.fixture
def make_volume():
    return lambda: docker("volume", "create", LABEL)


@pytest.fixture(scope="session")
def server(server_image, network):
    """A server that the tests share; they leave it as it was."""
    return Server(server_image, network).until_ready()
