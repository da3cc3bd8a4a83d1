"""The page at / in a real browser, against a real stack: what everybody sees first."""

import io
import json
import os
import re
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from helpers.browser import visit
from helpers.engine import paused
from helpers.waiting import wait_until
from PIL import Image
from playwright.sync_api import expect

FAILING_TEST = "app/core/tests/test_failing.py"
SOON = 180_000  # milliseconds, against hanging
expect.set_options(timeout=SOON)
PHONE = {"width": 320, "height": 640}  # the narrowest that WCAG asks for (1.4.10)


@pytest.fixture(autouse=True)
def ready(stack):
    """The last setup has passed, and there is no user."""
    if last_setup(stack) != "ready":
        assert set_up(stack)
    stack.psql("truncate core_user cascade")


def set_up(stack):
    setup = ["python", "environment/setup.py", "--test-seconds", "600"]
    return stack.compose("exec", "-T", "app", *setup, check=False).returncode == 0


def last_setup(stack):
    record = stack.bash("cat ~/.local/state/setup.json", check=False, apart=True).stdout
    return json.loads(record)["status"] if record else None


@pytest.fixture(scope="module")
def browser(launch_browser):
    return launch_browser("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


@pytest.fixture
def page(stack, browser):
    page = browser.new_context(base_url=stack.url).new_page()
    page.set_default_timeout(SOON)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    page.context.close()


@pytest.fixture
def database_down(stack):
    stack.compose("stop", "db")
    yield
    stack.compose("up", "--wait", "db")


@pytest.fixture
def unapplied_migration(stack):
    stack.psql("update django_migrations set app = 'put aside' where app = 'sessions'")
    yield "sessions.0001_initial"
    stack.psql("update django_migrations set app = 'sessions' where app = 'put aside'")


@pytest.fixture
def failing_tests(stack):
    stack.write(FAILING_TEST, "def test_that_fails():\n    assert 1 == 2\n")
    assert not set_up(stack)


def compose_finds_it_healthy(stack):
    return stack.container()["State"]["Health"]["Status"] == "healthy"


def headline(page):
    return page.get_by_role("heading", level=1)


def assert_accessible(page):
    """In both color schemes, and readable without scrolling sideways on a phone."""
    for scheme in ["dark", "light"]:
        page.emulate_media(color_scheme=scheme)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert "color-contrast" in {rule["id"] for rule in results.response["passes"]}
    size = page.viewport_size
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(size)


def test_a_ready_environment(page, stack):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    visit(page, "/")
    expect(headline(page)).to_have_text("Ready.")
    text = page.locator("main").inner_text()
    version = stack.psql("show server_version").split()[0]
    for fact in [f"PostgreSQL {version}", "all applied", "Volume created", "commit hooks"]:
        assert fact in text
    assert re.search(r"\d+ passed in [\d.]+s", text)
    assert "docker compose exec app" in text, "commands of this place"
    assert_accessible(page)
    assert set(requests) == {stack.url}  # nothing from elsewhere
    assert page.complaints == []


def test_the_database_stopped_and_came_back(page, stack):
    visit(page, "/")
    stack.compose("stop", "db")
    try:
        started = time.monotonic()
        page.reload()
        print(f"told after {time.monotonic() - started:.1f} s")
        expect(headline(page)).to_have_text("The database is not ready.")
        cause, hint = 'Could not translate host name "db"', "The container of the database does not run."
        expect(page.get_by_text(re.compile(f"{cause}.*{hint}"))).to_be_visible()
        assert_accessible(page)
    finally:
        stack.compose("start", "db")
    expect(headline(page)).to_have_text("Ready.")


def test_the_database_hangs(page, stack):
    with paused(stack.container("db")["Id"]):
        started = time.monotonic()
        visit(page, "/")
        print(f"told after {time.monotonic() - started:.1f} s")
        expect(headline(page)).to_have_text("The database is not ready.")
        expect(page.get_by_text("No answer while")).to_be_visible()
    expect(headline(page)).to_have_text("Ready.")


def test_it_recovers_without_scripts_too(browser, stack):
    page = browser.new_context(base_url=stack.url, java_script_enabled=False).new_page()
    with paused(stack.container("db")["Id"]):
        visit(page, "/")
        expect(headline(page)).to_have_text("The database is not ready.")
    expect(headline(page)).to_have_text("Ready.")
    page.context.close()


def test_a_migration_is_not_applied(page, stack, unapplied_migration):
    visit(page, "/")
    expect(headline(page)).to_have_text("1 migration is not applied.")
    expect(page.get_by_text(unapplied_migration)).to_be_visible()
    assert_accessible(page)
    assert stack.get("readyz") == (503, "unapplied\n")
    wait_until(lambda: not compose_finds_it_healthy(stack))
    stack.psql("update django_migrations set app = 'sessions' where app = 'put aside'")
    expect(headline(page)).to_have_text("Ready.")
    assert stack.get("readyz") == (200, "ok\n")
    wait_until(lambda: compose_finds_it_healthy(stack))


def test_the_tests_failed(page, failing_tests):
    visit(page, "/")
    expect(headline(page)).to_have_text("The last setup failed.")
    expect(page.get_by_role("listitem").filter(has_text="failed: 1 failed, ")).to_be_visible()
    assert_accessible(page)


def test_each_scheme_has_its_colors(page):
    colors = {}
    for scheme in ["dark", "light"]:
        page.emulate_media(color_scheme=scheme)
        visit(page, "/")
        colors[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colors["dark"] != colors["light"]


def test_the_keyboard_reaches_every_link_in_order_and_shows_where_it_is(page):
    visit(page, "/")
    links = page.get_by_role("link").all_inner_texts()
    reached = []
    for _ in links:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert reached == links
    assert "The admin" in links


def test_the_first_admin_is_created_and_logs_in(page, stack):
    visit(page, "/")
    command = page.get_by_text("create_admin").inner_text().replace(" exec ", " exec -T ", 1)
    password = re.search(r"Password: (\S+)", stack.run("sh", "-c", command).stdout)[1]
    page.get_by_role("link", name="The admin").click()
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()


def test_a_login_cookie_does_not_need_the_database(page, stack, database_down):
    page.context.add_cookies([{"name": "sessionid", "value": "of-a-former-login", "url": stack.url}])
    assert visit(page, "/").status == 200


def test_the_readmes_screenshots(page, tmp_path):
    """`SCREENSHOTS=template/pictures pytest template/tests/welcome -k screenshots` makes them anew."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 1000, "height": 600})
        visit(page, "/")
        expect(headline(page)).to_have_text("Ready.")
        image = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        file = folder / f"welcome-{scheme}.png"
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)
        assert file.stat().st_size < 60_000
