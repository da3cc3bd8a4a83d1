"""
Django settings for every environment; production.py adds what the deployed image needs beyond them. What differs between
machines comes from environment variables; .env.example lists them. Compose sets them for development; without Docker
./dev writes them to .dev/env.json.

https://docs.djangoproject.com/en/6.1/ref/settings/
"""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from core import places

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    places.load_variables()
except ValueError as error:
    raise ImproperlyConfigured(f"{error}. Run: {places.command('up')}") from None
if "DB_HOST" not in os.environ and places.is_development():  # all are missing: to name another one would mislead
    raise ImproperlyConfigured(f"DB_HOST and the other variables are not set. {places.where_they_are_set()}")


def unusable(problem):
    """An error that names the problem and, in development, what to type once it is corrected."""
    if places.is_development():
        problem += f" Correct it in .env, which .env.example explains, then run: {places.command('rebuild')}"
    return ImproperlyConfigured(problem)


def env(name, default=None):
    """The variable's value, or the content of the file that NAME_FILE names, as a secret is mounted."""
    value, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and file:
        raise unusable(f"{name} and {name}_FILE are both set: remove one.")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(f"The file that {name}_FILE names cannot be read: {error}.") from None
    if value is None and default is None:
        raise unusable(f"The environment variable {name} is not set.")
    return default if value is None else value


def env_bool(name, default="false"):
    value = os.environ.get(name, "").strip().lower() or default
    if value in {"true", "yes", "on", "1"}:
        return True
    if value in {"false", "no", "off", "0"}:
        return False
    raise unusable(f"{name} is {value!r}: set it to true or false.")


def env_int(name, default):
    value = os.environ.get(name, "").strip() or default
    try:
        return int(value)
    except ValueError:
        raise unusable(f"{name} is {value!r}: set it to a whole number.") from None


def env_list(name):
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


# Security
# https://docs.djangoproject.com/en/6.1/howto/deployment/checklist/

DEBUG = env_bool("DEBUG")

SECRET_KEY = env("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise unusable("The environment variable SECRET_KEY is not set. It has no default while DEBUG is off.")
    SECRET_KEY = "django-insecure-for-development-only"  # noqa: S105 refused above when DEBUG is off

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS")

CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")

DEFAULT_EXCEPTION_REPORTER_FILTER = "core.error_reports.ReporterFilter"

if DEBUG:
    # GitHub Codespaces serves port 8000 as https://NAME-8000.DOMAIN. Its proxy presents the host as localhost or by
    # that name, and the origin as either, with http or https; this codespace's own name is trusted, no other's.
    CODESPACE_NAME = os.environ.get("CODESPACE_NAME")
    FORWARDING_DOMAIN = os.environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN") or "app.github.dev"
    ALLOWED_HOSTS += [".localhost", "127.0.0.1", "0.0.0.0", "[::1]", f".{FORWARDING_DOMAIN}"]  # noqa: S104 a name here
    CSRF_TRUSTED_ORIGINS += ["http://localhost:8000", "https://localhost:8000"]
    if CODESPACE_NAME:
        CSRF_TRUSTED_ORIGINS += [f"https://{CODESPACE_NAME}-8000.{FORWARDING_DOMAIN}"]
    CSRF_FAILURE_VIEW = "app.csrf.csrf_failure"  # names CODESPACE_NAME where it is missing

# A page loads nothing but this site's own files, and has no script or style in itself. Production refuses the rest; in
# development the browser's console names it.
SECURE_CSP_REPORT_ONLY = {
    "default-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
} | dict.fromkeys(["connect-src", "font-src", "form-action", "img-src", "script-src", "style-src"], [CSP.SELF])


# Application definition

INSTALLED_APPS = [
    "core",
    "welcome",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "app.health.probes",
    "app.bodies.length_required",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "app.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

WSGI_APPLICATION = "app.wsgi.application"


# Database
# https://docs.djangoproject.com/en/6.1/ref/settings/#databases

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": env("DB_HOST"),
        "PORT": env("DB_PORT"),
        "NAME": env("DB_NAME"),
        "USER": env("DB_USER"),
        "PASSWORD": env("DB_PASS"),
        "OPTIONS": {"connect_timeout": 10},  # seconds; without it nothing ever ends while a server is there and mute
    }
}


# Authentication
# https://docs.djangoproject.com/en/6.1/topics/auth/customizing/#substituting-a-custom-user-model

AUTH_USER_MODEL = "core.User"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]


# Internationalization
# https://docs.djangoproject.com/en/6.1/topics/i18n/

LANGUAGE_CODE = "en-us"

TIME_ZONE = "UTC"

USE_I18N = True

USE_TZ = True


# Static files (CSS, JavaScript, Images)
# https://docs.djangoproject.com/en/6.1/howto/static-files/

STATIC_URL = "static/"


# Email
# https://docs.djangoproject.com/en/6.1/topics/email/#topic-email-configuration

MAILERS = {
    "default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"},
}


# Tests
# https://docs.djangoproject.com/en/6.1/topics/testing/overview/

TESTING = "PYTEST_VERSION" in os.environ or sys.argv[1:2] == ["test"]

TEST_RUNNER = "app.runner.AppTestRunner"

if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the default takes 0.3 s a user, on purpose


# What wait_for_db, the page at / and the doctor advise

WAIT_FOR_DB_HINTS = "core.hints.hints"
