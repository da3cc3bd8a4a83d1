"""
The application server of the image: https://gunicorn.org/reference/settings/; GUNICORN_CMD_ARGS has the last word.

Slow clients can keep all of its threads busy: it belongs behind a proxy that takes in a request before it hands it on.
"""

import logging
import signal
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from app.health import draining, is_no_probe

try:
    settings.DEBUG  # noqa: B018 loads them: a refusal is told here once, and not with a traceback by each worker
    from app.settings import env_int

    port, workers, drain_seconds = env_int("PORT", 8000), env_int("WEB_CONCURRENCY", 2), env_int("DRAIN_SECONDS", 5)
except ImproperlyConfigured as error:
    sys.exit(f"Not started.\n{error}")

wsgi_app = "app.wsgi"
bind = f"0.0.0.0:{port}"
worker_class = "gthread"
threads = 4
timeout = 30  # seconds without a sign of life, after which a worker is replaced
graceful_timeout = 20  # seconds for the requests in flight, after drain_seconds: see below
max_requests, max_requests_jitter = 10_000, 1_000  # what leaks memory is replaced, too
keepalive = 75  # seconds; longer than a proxy's, so that it is the proxy who closes a connection, and loses no request
worker_tmp_dir = "/dev/shm"  # noqa: S108 the image itself is read-only
control_socket_disable = True
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(M)s ms "%(f)s" "%(a)s"'


def on_starting(server):
    logging.getLogger("gunicorn.access").addFilter(is_no_probe)


def when_ready(server):
    """At SIGTERM it is not ready any more, and serves until the proxies have seen that; then gunicorn's own end begins."""

    def end(*_):
        server.signal(signal.SIGTERM, None)

    def drain(*_):
        draining[0] = 1
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, max(drain_seconds, 0.001))

    signal.signal(signal.SIGTERM, drain)
