"""Why a login failed, whether waiting can help, and what to do next."""

import re
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string
from psycopg2 import errorcodes

# Classes of SQLSTATE that no waiting changes: feature not supported, data exception
# (a bad parameter), invalid authorization, invalid catalog, access rule violation.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
PERMANENT = ("0A", "22", "28", "3D", "42")

# Severity and text follow the server's lc_messages; the five characters do not.
SQLSTATE = re.compile(r":  ([0-9A-Z]{5}): ([^\n]*)")

# What libpq says by itself has no SQLSTATE. It speaks English unless the process
# calls locale.setlocale(LC_MESSAGES), which neither Python nor Django does. The
# four server messages serve where the SQLSTATE could not be had (see session.py).
# Quoted names are emptied first, so that no host, role or database can match.
NOT_POSTGRESQL = "response to SSL negotiation|expected authentication request|unencrypted data after SSL|wrong version"
TLS = "does not support SSL|SSL support is not compiled in|certificate|private key|SSL error: .*(?:alert|protocol)"
LIBPQ = (
    ("could not translate host name", "name_not_resolved", False),
    ("password authentication failed|no password supplied", "invalid_password", True),
    (r'pg_hba\.conf|role "" does not exist', "invalid_authorization_specification", True),
    ("authentication method requirement", "invalid_authorization_specification", True),
    ('database "" does not exist', "invalid_catalog_name", True),
    ("permission denied for database", "insufficient_privilege", True),
    (NOT_POSTGRESQL, "not_postgresql", False),
    (TLS, "tls", True),
    ("Connection refused|No such file or directory", "connection_refused", False),
)

# PostgreSQL's condition names where it has one. A project overrides any of them with
# the setting WAIT_FOR_DB_HINTS: a dict of the same keys, or a function's dotted path.
HINTS = {
    "cannot_connect_now": "The server is starting, stopping or recovering; see its log.",
    "connection_failure": "See the server's log.",
    "connection_refused": "Start the server, or correct HOST and PORT in DATABASES.",
    "insufficient_privilege": "As its owner: GRANT CONNECT ON DATABASE name TO role;",
    "invalid_authorization_specification": (
        "Let pg_hba.conf admit this role, database, address and encryption, "
        "and check that the role exists and may log in."
    ),
    "invalid_catalog_name": "Create the database, or correct NAME in DATABASES.",
    "invalid_parameter_value": "Correct OPTIONS in DATABASES.",
    "invalid_password": "Correct USER and PASSWORD in DATABASES, or on the server: ALTER ROLE name PASSWORD 'new';",
    "locked": "Let the other session finish, or end it: SELECT pg_terminate_backend(pid);",
    "name_not_resolved": "Correct HOST in DATABASES, or start what has that name.",
    "no_answer": "Check HOST and PORT in DATABASES, firewalls, and whether the server is paused or stuck.",
    "not_postgresql": "Correct PORT in DATABASES; something else listens there.",
    "read_only": "Point HOST at the primary, or promote the standby.",
    "tls": "Make OPTIONS['sslmode'] and its certificates agree with the server's ssl settings.",
    "too_many_connections": "Close connections, or raise max_connections.",
    "unapplied": "Run migrate; see the log of the process that does.",
    "undefined_object": "Correct OPTIONS in DATABASES.",
    "unsupported_version": "Upgrade the server, or use an older Django.",
}


@dataclass(frozen=True)
class Cause:
    """Why something is not ready. `permanent` is true where waiting cannot help."""

    name: str
    text: str
    permanent: bool = False

    @property
    def hint(self):
        """The next step, in the project's own words if it has some."""
        own = getattr(settings, "WAIT_FOR_DB_HINTS", {})
        hints = HINTS | (import_string(own)() if isinstance(own, str) else own)
        return hints.get(self.name, hints["connection_failure"])


def classify(message):
    """Return the Cause that *message*, from libpq or a server, stands for."""
    states = SQLSTATE.findall(message)
    if states:
        return classify_sqlstates(states)
    first_line = next(iter(message.strip().splitlines()), "no reason given")
    anonymous = re.sub(r'"[^"]*"', '""', message)
    for pattern, name, permanent in LIBPQ:
        if re.search(pattern, anonymous):
            return Cause(name, printable(first_line), permanent)
    return Cause("connection_failure", printable(first_line))


def classify_sqlstates(states):
    """
    Return the Cause of [(sqlstate, text), …], one for each address that libpq tried.

    One that can pass outweighs the others: it is worth waiting for.
    """
    passing = [pair for pair in states if not pair[0].startswith(PERMANENT)]
    state, text = (passing or states)[0]
    try:
        name = errorcodes.lookup(state).lower()
    except KeyError:
        name = "connection_failure"
    return Cause(name, f"{printable(text)} (SQLSTATE {state})", not passing)


def printable(text):
    """Return *text* on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text).strip()
