"""Each promise of the table of faults is held by a test that is there."""

import re

from helpers.engine import TEMPLATE
from helpers.faults import rows


def test_every_row_names_tests_that_are_there():
    assert len(rows()) > 20
    for fault, _, names in rows():
        for name in names:
            path, _, start = name.partition("::")
            assert re.search(rf"^def {start}", (TEMPLATE / path).read_text(), re.MULTILINE), f"{fault}: {name}"
