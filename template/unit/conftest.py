import pytest
from projects import Project, execute

collect_ignore = ["documentation_style"]  # the subject of a test, and no tests


@pytest.fixture
def project(tmp_path):
    """A copy of the project with an empty database."""
    execute("DROP DATABASE IF EXISTS grown WITH (FORCE)")
    execute("CREATE DATABASE grown")
    yield Project(tmp_path)
    for name in ["grown", "test_grown", "grown_tests_template"]:
        execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
