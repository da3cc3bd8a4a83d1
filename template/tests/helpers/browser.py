"""What the tests' browser needs on a machine whose networks come and go, as those of other tests' containers do."""

from playwright.sync_api import Error


def visit(page, url):
    """Chromium ends what it loads when a network appears or goes: load it again then, and only then."""
    while True:
        try:
            return page.goto(url)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
