import pytest
from projects import grown_project

collect_ignore = ["documentation_style"]  # the subject of a test, and no tests


@pytest.fixture
def project(tmp_path):
    with grown_project(tmp_path) as project:
        yield project
