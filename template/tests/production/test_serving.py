"""The production image, hardened, with a real database: what it answers, logs and costs, and how it ends."""

import concurrent.futures
import threading
import time

import pytest
from helpers.browser import visit
from helpers.engine import RUN, docker, paused
from helpers.production import (
    BEHIND_HTTPS,
    KEY,
    MALFORMED,
    PASSWORD,
    REFUSED,
    Deployment,
    add_views,
    build_image,
)
from helpers.waiting import wait_until
from playwright.sync_api import expect

expect.set_options(timeout=180_000)  # milliseconds, against hanging
MIGRATE = ["python", "app/manage.py", "wait_for_db", "--migrate"]
PROXY = {"FORWARDED_ALLOW_IPS": "*"}


@pytest.fixture(scope="module")
def deployment(make_project):
    project = make_project()
    add_views(project)
    name = f"{RUN}-production"
    build_image(project, name)
    deployment = Deployment(name, name)
    deployment.run(*MIGRATE)
    yield deployment
    deployment.remove()
    docker("image", "rm", "--force", name, check=False)


@pytest.fixture(scope="module")
def web(deployment):
    return deployment.serve(**PROXY)


def secure(web, path, **headers):
    return web.ask("GET", path, {**BEHIND_HTTPS, **headers})


# Answers


def test_a_page_of_the_admin_and_its_style(web):
    page = secure(web, "/admin/login/")
    assert page.status == 200
    path = page.text.split('href="/static/admin/css/base.')[1].split('"')[0]
    style = secure(web, f"/static/admin/css/base.{path}", **{"Accept-Encoding": "gzip"})
    assert style.status == 200 and style.getheader("Content-Encoding") == "gzip"
    assert "immutable" in style.getheader("Cache-Control")


def test_everything_goes_over_https(web):
    plain = web.ask("GET", "/admin/")
    assert (plain.status, plain.getheader("Location")) == (301, "https://example.com/admin/")
    page = secure(web, "/admin/login/")
    assert page.getheader("Strict-Transport-Security") == "max-age=3600"
    assert "Secure" in page.getheader("Set-Cookie")


def test_a_stranger_cannot_claim_https(deployment):
    web = deployment.serve()  # nobody is trusted but the container itself
    assert web.ask("GET", "/admin/login/", BEHIND_HTTPS).status == 301


def test_without_https_where_that_is_said(deployment):
    web = deployment.serve(HTTPS="false")
    page = web.ask("GET", "/admin/login/")
    assert page.status == 200
    assert page.getheader("Strict-Transport-Security") is None and "Secure" not in page.getheader("Set-Cookie")


def test_hsts_is_a_choice(deployment):
    web = deployment.serve(
        **PROXY, SECURE_HSTS_SECONDS="60", SECURE_HSTS_INCLUDE_SUBDOMAINS="true", SECURE_HSTS_PRELOAD="true"
    )
    header = secure(web, "/admin/login/").getheader("Strict-Transport-Security")
    assert header == "max-age=60; includeSubDomains; preload"


def test_a_body_without_a_length_is_refused_and_no_empty_one(web):
    def send(body, **headers):
        return web.ask("POST", "/echo", {**BEHIND_HTTPS, **headers}, body=body, encode_chunked=bool(headers))

    assert send(b"sent").text == "sent"
    assert send(iter([b"sent"]), **{"Transfer-Encoding": "chunked"}).status == 411
    assert secure(web, "/users").status == 200


def test_secrets_from_files(deployment, tmp_path):
    for name, value in (("key", KEY), ("password", f"{PASSWORD}\n")):
        (tmp_path / name).write_text(value)
        (tmp_path / name).chmod(0o444)
    tmp_path.chmod(0o755)
    web = deployment.serve(
        f"--volume={tmp_path}:/run/secrets:ro",
        **PROXY,
        SECRET_KEY=None,
        SECRET_KEY_FILE="/run/secrets/key",
        DB_PASS=None,
        DB_PASS_FILE="/run/secrets/password",
    )
    assert secure(web, "/users").text.isdigit()
    assert PASSWORD not in docker("inspect", web.container)


@pytest.mark.parametrize("uid", ["0", "1000", "4000000"])
def test_any_user_serves(deployment, uid):
    web = deployment.serve(f"--user={uid}", **PROXY)
    assert secure(web, "/users").status == 200


# Logs


def test_a_request_is_a_line_and_a_probe_is_none(deployment):
    web = deployment.serve(**PROXY)
    for path in ("/livez", "/readyz", "/users", "/nowhere"):
        secure(web, path)
    wait_until(lambda: "/nowhere" in web.output()[0])
    lines = web.output()[0].splitlines()
    assert [line.split('"')[1] for line in lines] == ["GET /users HTTP/1.1", "GET /nowhere HTTP/1.1"]


def test_an_error_leaves_its_traceback_on_stderr(deployment):
    web = deployment.serve(**PROXY)
    page = secure(web, "/fails")
    assert page.status == 500 and "RuntimeError" not in page.text
    wait_until(lambda: "a view of the tests fails" in web.output()[1])
    stdout, stderr = web.output()
    assert "Traceback" in stderr and "Internal Server Error: /fails" in stderr
    assert '"GET /fails HTTP/1.1" 500' in stdout
    assert not [secret for secret in (KEY, PASSWORD) if secret in stdout + stderr]


# The database


def test_connections_are_kept(web):
    def backends():
        return {secure(web, "/backend").text for _ in range(40)}

    assert len(backends() | backends()) <= 8  # threads of all processes


def test_a_lock_is_not_waited_for_without_end(deployment):
    assert deployment.run("python", "-c", SHOW_LOCK_TIMEOUT).stdout.strip() == "10s"


SHOW_LOCK_TIMEOUT = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print(cursor.fetchone()[0])
"""


def test_readyz_costs_no_login_and_reads_no_migration(deployment):
    web = deployment.serve(**PROXY, WEB_CONCURRENCY="1")
    for _ in range(3):
        assert web.get("/readyz") == (200, "ok\n")
        time.sleep(1.1)  # an answer holds for a second
    before = deployment.database_log()
    for _ in range(4):
        assert web.get("/readyz") == (200, "ok\n")
        time.sleep(1.1)
    asked = deployment.database_log().removeprefix(before)
    assert asked.count("statement: ") == asked.count("statement: SELECT pg_is_in_recovery()") == 4, asked
    assert "connection received" not in asked


def test_readyz_tells_nobody_why(deployment):
    web = deployment.serve(DB_PASS="wrong", **PROXY)
    assert web.get("/livez") == (200, "ok\n")
    assert web.get("/readyz") == (503, "not ready\n")


def test_readyz_waits_for_the_migrations(deployment):
    deployment.psql("CREATE DATABASE empty")
    web = deployment.serve(DB_NAME="empty", **PROXY)
    assert web.get("/readyz") == (503, "not ready\n")
    deployment.run(*MIGRATE, variables={"DB_NAME": "empty"})
    wait_until(lambda: web.get("/readyz") == (200, "ok\n"))


def test_a_hiccup_of_the_database_takes_no_replica_out_and_an_outage_does(deployment):
    web = deployment.serve(**PROXY, WEB_CONCURRENCY="1")  # each process knows what it has asked
    assert web.get("/readyz")[0] == 200
    docker("restart", "--time=30", deployment.database)
    assert {web.get("/readyz")[0] for _ in range(20)} == {200}
    wait_until(lambda: secure(web, "/users").status == 200)
    with paused(deployment.database):
        wait_until(lambda: web.get("/readyz") == (503, "not ready\n"))
        assert web.get("/livez")[0] == 200
    wait_until(lambda: {web.get("/readyz") for _ in range(10)} == {(200, "ok\n")})


def test_probes_of_a_mute_database_leave_the_threads_to_others(deployment):
    """One of them waits; the others answer at once, from what was known."""
    web = deployment.serve(**PROXY, WEB_CONCURRENCY="1")
    assert web.get("/readyz")[0] == 200
    time.sleep(1.1)  # an answer holds for a second

    def seconds(path):
        started = time.monotonic()
        assert web.get(path)[0] in {200, 503}
        return time.monotonic() - started

    with paused(deployment.database), concurrent.futures.ThreadPoolExecutor() as pool:
        probes = [pool.submit(seconds, "/readyz") for _ in range(8)]
        alive = seconds("/livez")
        *others, slowest = sorted(probe.result() for probe in probes)
    assert max(alive, *others) < slowest / 2


# The end


def test_at_sigterm_it_drains_and_finishes_what_is_in_flight(deployment):
    """The requests take longer than the draining; all times are long, since a busy machine is slow to ask."""
    web = deployment.serve(**PROXY, DRAIN_SECONDS="15")
    for _ in range(20):
        assert web.get("/readyz")[0] == 200
    with concurrent.futures.ThreadPoolExecutor() as pool:
        in_flight = [pool.submit(secure, web, "/slow?seconds=20") for _ in range(4)]
        time.sleep(1)
        docker("kill", "--signal=TERM", web.container)
        wait_until(lambda: web.get("/readyz") == (503, "not ready\n"))
        assert secure(web, "/users").status == 200  # it goes on serving
        assert [request.result().text for request in in_flight] == ["was slow"] * 4
    wait_until(lambda: web.state() == "exited 0")


def test_a_second_sigterm_changes_nothing(deployment):
    web = deployment.serve(**PROXY, DRAIN_SECONDS="15")
    for _ in range(3):
        docker("kill", "--signal=TERM", web.container)
    assert secure(web, "/users").status == 200
    wait_until(lambda: web.state() == "exited 0")


# Bad input


@pytest.mark.parametrize("raw", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_request_is_refused(web, raw):
    answer = web.send(raw)
    assert not answer or answer.split(b" ", 2)[1] in REFUSED, answer[:300]
    assert answer.count(b"HTTP/1.1 ") <= 1, "nothing was smuggled in"
    assert secure(web, "/users").status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/admin/", "/users", "/static/admin/css/base.css", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"])
def test_no_method_is_an_error_of_the_server(web, path, method):
    assert web.ask(method, path, BEHIND_HTTPS).status < 500


def test_a_wrong_host_gets_nothing(web):
    for host in ("evil.example", "", "a" * 5000, "example.com@evil.example"):
        answer = web.ask("GET", "/admin/login/", {**BEHIND_HTTPS, "Host": host})
        assert answer.status == 400 and "evil" not in answer.text
    assert web.get("/livez", {"Host": "evil.example"})[0] == 200


def test_a_large_body_does_not_end_a_worker(web):
    answer = web.send(
        b"POST /echo HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: https\r\nContent-Length: 4000000\r\n\r\n"
        + b"x" * 4_000_000
    )
    assert answer.split(b" ", 2)[1] in {b"400", b"413"}
    assert secure(web, "/users").status == 200


def test_replicas_may_start_before_the_database_and_the_migrations(deployment):
    """Nothing relies on the order: they wait, and are ready when the job has migrated."""
    name = f"{deployment.name}-late"
    variables = {"DB_HOST": "late", **PROXY}
    web = deployment.serve(**variables)
    assert web.get("/readyz")[0] == 503
    job = threading.Thread(target=deployment.run, args=MIGRATE, kwargs={"variables": variables})
    job.start()
    deployment.containers.append(name)
    docker("run", "--detach", f"--name={name}", f"--network={deployment.name}", "--network-alias=late",
           "--env=POSTGRES_USER=app", f"--env=POSTGRES_PASSWORD={PASSWORD}", "postgres:18-trixie")  # fmt: skip
    wait_until(lambda: web.get("/readyz") == (200, "ok\n"))
    job.join()


# The admin in a real browser, under the policy


@pytest.fixture
def page(deployment, launch_browser):
    web = deployment.serve(HTTPS="false", ALLOWED_HOSTS="example.com,.sslip.example")
    deployment.run("python", "app/manage.py", "createsuperuser", "--no-input", "--username=root", "--email=r@example.com",
                   options=[f"--env=DJANGO_SUPERUSER_PASSWORD={PASSWORD}"], check=False)  # fmt: skip
    browser = launch_browser(f"--host-resolver-rules=MAP example.com {web.host}")
    page = browser.new_context(base_url=f"http://example.com:{web.port}").new_page()
    page.set_default_timeout(180_000)
    page.refused = []
    page.on("console", lambda message: page.refused.append(message.text))
    yield page
    browser.close()


def test_the_admin_works_under_the_content_security_policy(page):
    visit(page, "/admin/")
    page.fill("[name=username]", "root")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    page.click("#content-main >> text=Users")
    page.click("#content .addlink")
    page.fill("[name=username]", "someone")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.click("[name=_continue]")
    expect(page.locator("body")).to_contain_text("was added successfully")
    page.fill("[name=first_name]", "Some")
    page.click("[name=_save]")
    expect(page.locator("body")).to_contain_text("was changed successfully")
    root = page.locator("html")
    theme = root.get_attribute("data-theme")
    page.click(".theme-toggle >> visible=true")
    expect(root).not_to_have_attribute("data-theme", theme)
    assert not [text for text in page.refused if "Content Security Policy" in text], page.refused


def test_the_policy_refuses_a_script_inside_of_a_page(page):
    """The control of the one above."""
    visit(page, "/inline")
    assert page.title() == "before"
    wait_until(lambda: any("Content Security Policy" in text for text in page.refused))


def test_the_hardening_is_in_force(web):
    """The control of the whole file."""
    config = docker(
        "inspect", "--format={{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}}", web.container
    )
    assert config == "true [ALL] 12345:54321"
