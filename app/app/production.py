"""
Settings of the image that is deployed: those of every environment, and what production needs beyond them. The variables
are in docs/deploy.md. It refuses to start where one is missing or unsafe, with a line for each.

https://docs.djangoproject.com/en/6.1/howto/deployment/checklist/
"""

import os

from django.core.checks.security import base
from django.core.exceptions import ImproperlyConfigured

NEW_KEY = "To make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
HOSTS = "Set it to the site's host names, separated by commas."
REQUIRED = {
    "SECRET_KEY": NEW_KEY,
    "ALLOWED_HOSTS": HOSTS,
    "DB_HOST": "",
    "DB_NAME": "",
    "DB_USER": "",
    "DB_PASS": "",
    "EMAIL_HOST": "Set it to the mail server's name, or to none if the project never sends mail.",
}


def refuse(lines):
    if text := "\n".join(lines):
        raise ImproperlyConfigured(text)


refuse(
    f"{name} is not set. {advice}".strip()
    for name, advice in REQUIRED.items()
    if not os.environ.get(name) and not os.environ.get(f"{name}_FILE")
)
os.environ.setdefault("DB_PORT", "5432")

from app.settings import *  # noqa: E402, F403
from app.settings import (  # noqa: E402
    ALLOWED_HOSTS,
    BASE_DIR,
    DATABASES,
    DEBUG,
    MIDDLEWARE,
    SECRET_KEY,
    SECURE_CSP_REPORT_ONLY,
    env,
    env_bool,
    env_int,
)


def unsafe():
    if DEBUG:
        yield "DEBUG is on: it shows the code and the settings to strangers. Remove the variable."
    if (
        len(SECRET_KEY) < base.SECRET_KEY_MIN_LENGTH
        or len(set(SECRET_KEY)) < base.SECRET_KEY_MIN_UNIQUE_CHARACTERS
        or SECRET_KEY.startswith(base.SECRET_KEY_INSECURE_PREFIX)
    ):
        yield f"SECRET_KEY can be guessed: it is too short, too uniform, or made for development. {NEW_KEY}"
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        yield f"ALLOWED_HOSTS names no host, or every one. {HOSTS}"
    if not DATABASES["default"]["PASSWORD"]:
        yield "DB_PASS is empty."


refuse(unsafe())

# HTTPS. The server believes the proxy's X-Forwarded-Proto if it comes from an address in FORWARDED_ALLOW_IPS.
HTTPS = env_bool("HTTPS", "true")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env_int("SECURE_HSTS_SECONDS", 3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env_bool("SECURE_HSTS_INCLUDE_SUBDOMAINS")
SECURE_HSTS_PRELOAD = env_bool("SECURE_HSTS_PRELOAD")
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # these two are a choice: nobody can take them back

SECURE_CSP, SECURE_CSP_REPORT_ONLY = SECURE_CSP_REPORT_ONLY, {}

# Connections are kept: a login costs more than most pages. For TLS set libpq's PGSSLMODE and PGSSLROOTCERT.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"]["OPTIONS"] |= {"options": "-c lock_timeout=10s"}

# Static files are collected, hashed and compressed when the image is built.
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MIDDLEWARE.insert(
    MIDDLEWARE.index("django.middleware.security.SecurityMiddleware") + 1, "whitenoise.middleware.WhiteNoiseMiddleware"
)

MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env("EMAIL_HOST"),
            "port": env_int("EMAIL_PORT", 587),
            "username": env("EMAIL_HOST_USER", ""),
            "password": env("EMAIL_HOST_PASSWORD", ""),
            "use_tls": env_bool("EMAIL_USE_TLS", "true"),
            "timeout": 10,  # seconds
        },
    }
}
if env("EMAIL_HOST") == "none":  # then an attempt to send fails, and is no mail that is lost silently
    MAILERS = {}
    SILENCED_SYSTEM_CHECKS += ["mail.W001"]
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("DEFAULT_FROM_EMAIL", f"webmaster@{ALLOWED_HOSTS[0].lstrip('.')}")

# An error's traceback, and what else Django says, on stderr; the server adds one line a request on stdout.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

READINESS_GRACE = 15  # seconds for which a replica stays ready while the database does not answer
