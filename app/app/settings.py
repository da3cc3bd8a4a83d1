"""
Django settings for every environment. What differs between them comes from environment variables: docker-compose.yml
has development's values, README.md lists them all.

https://docs.djangoproject.com/en/6.1/ref/settings/
"""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def env(name):
    try:
        return os.environ[name]
    except KeyError:
        raise ImproperlyConfigured(
            f"Set the environment variable {name} (docker-compose.yml has development's values)."
        ) from None


def env_bool(name):
    value = os.environ.get(name, "").strip().lower()
    if value in {"true", "yes", "on", "1"}:
        return True
    if value in {"false", "no", "off", "0", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}: set it to true or false.")


def env_list(name):
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


BASE_DIR = Path(__file__).resolve().parent.parent


# Security
# https://docs.djangoproject.com/en/6.1/howto/deployment/checklist/

DEBUG = env_bool("DEBUG")

SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("Set the environment variable SECRET_KEY: it has no default while DEBUG is off.")
    SECRET_KEY = "django-insecure-for-development-only"  # noqa: S105 refused above when DEBUG is off

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS")

CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")

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

if DEBUG:
    INSTALLED_APPS += ["django_watchfiles"]  # runserver notices edits at once; of requirements-dev.txt

MIDDLEWARE = [
    "app.health.probes",
    "django.middleware.security.SecurityMiddleware",
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

TEST_RUNNER = "app.runner.Runner"

if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the default takes 0.3 s a user, on purpose


# What wait_for_db advises; core/wait_for_db/causes.py has the causes' names, and words for the others

COMPOSE_HINTS = {
    "invalid_password": (
        "The database's volume keeps the user and the password of its first start. Set DB_USER and DB_PASS back to "
        "those. Or if the user is the same, give it the new password, on the host; no data is lost:\n"
        f"""  docker compose exec db psql -U {env("DB_USER")} postgres -c "ALTER ROLE {env("DB_USER")} PASSWORD 'new'" """
    ).rstrip(),
    "invalid_catalog_name": (
        "The database's volume keeps the database of its first start. Set DB_NAME back to that, or create the new one, "
        "on the host:\n"
        f"  docker compose exec db createdb -U {env('DB_USER')} {env('DB_NAME')}"
    ),
}

WAIT_FOR_DB_HINTS = COMPOSE_HINTS if env("DB_HOST") == "db" else {}
