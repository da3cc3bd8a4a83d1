"""What holds for whatever text a server, a proxy or a resolver sends; runs in the container of the foreign project."""

import pytest
from helpers.servers import program

PROPERTIES = [
    "any_text_has_a_cause_of_one_printable_line",
    "the_sqlstate_decides_in_any_language",
    "no_name_makes_a_refused_connection_hopeless",
]


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_property_holds(client, name):
    ended = client.start_python(*program("cause_properties", name)).end()
    assert (ended.code, ended.stdout) == (0, "holds\n"), ended.stderr
