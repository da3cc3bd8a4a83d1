"""A PostgreSQL session in which no step outlasts its time."""

import ctypes
import select
import socket
import time

import psycopg2
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from psycopg2.extensions import POLL_OK, POLL_READ

from .causes import Cause, classify

PQERRORS_VERBOSE = 2

PSYCOPG_3_PARAMS = {"context", "cursor_factory", "prepare_threshold"}

# Errors that libpq or psycopg2 finds in the parameters, before it opens a socket.
UNUSABLE = ("invalid ", "definition of service ", "service file ", "syntax error in service file")


class NotReady(Exception):
    """Not now; `cause` says why."""

    def __init__(self, cause):
        super().__init__(cause.text)
        self.cause = cause


class Session:
    """
    A session of its own with the server of *alias*, opened as Django would.

    The connection is asynchronous. psycopg2's usual connect() is one blocking call in
    C that obeys neither deadline nor signal, and psycopg2's other way around it,
    set_wait_callback, changes every connection of the process.
    """

    def __init__(self, alias):
        self.wrapper = connections.create_connection(alias)
        if self.wrapper.vendor != "postgresql":
            raise ImproperlyConfigured(
                f'The database "{alias}" is not PostgreSQL: wait_for_db has nothing to wait for. Name another --database.'
            )
        params = self.params()
        self.name = describe(params)
        self.connection = None
        self.deadline = None
        self.doing = "looking up the host name"

    def params(self):
        """libpq's parameters. Where psycopg 3 is installed too, Django uses that, and adds some of its own."""
        params = self.wrapper.get_connection_params()
        return {name: value for name, value in params.items() if name not in PSYCOPG_3_PARAMS}

    def limit(self, seconds):
        """Let the steps to come take no more than *seconds* together."""
        self.deadline = time.monotonic() + seconds

    def open(self):
        """Log in. Raise NotReady, or ImproperlyConfigured for unusable settings."""
        self.doing = "looking up the host name"
        try:
            # Anew each time: some backends hand out passwords that expire.
            params = resolve(self.params())
            self.connection = psycopg2.connect(**params, async_=True)
        except (psycopg2.ProgrammingError, TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"{self.name}: {error}".strip()) from None
        except psycopg2.OperationalError as error:
            if str(error).startswith(UNUSABLE):
                raise ImproperlyConfigured(f"{self.name}: {error}".strip()) from None
            raise NotReady(classify(str(error))) from None
        self.doing = "connecting"
        report_sqlstates(self.connection)
        self._finish()

    def query(self, sql, args=()):
        """Return the first row of *sql*, or None. Raise NotReady."""
        try:
            cursor = self.connection.cursor()
            cursor.execute(sql, args)
        except psycopg2.Error as error:
            raise NotReady(classify(str(error))) from None
        self._finish()
        return cursor.fetchone() if cursor.description else None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _finish(self):
        """Drive the connection until it is idle again."""
        try:
            while (state := self.connection.poll()) != POLL_OK:
                if state == POLL_READ:
                    self.doing = "waiting for the server's reply"
                self._wait_for_socket(state)
        except psycopg2.Error as error:
            raise NotReady(classify(str(error))) from None

    def _wait_for_socket(self, state):
        sockets = [self.connection.fileno()]
        readers, writers = (sockets, []) if state == POLL_READ else ([], sockets)
        seconds = self.deadline - time.monotonic()
        if seconds <= 0 or not any(select.select(readers, writers, [], seconds)):
            raise NotReady(Cause("no_answer", f"no answer while {self.doing}"))


def report_sqlstates(connection):
    """
    Make libpq put the SQLSTATE into *connection*'s messages.

    psycopg2 gives none for a failed login, and the text is in the server's language.
    Where it does not work, classify() falls back to the text.
    """
    try:
        libpq = ctypes.CDLL(psycopg2._psycopg.__file__)
        libpq.PQsetErrorVerbosity.argtypes = (ctypes.c_void_p, ctypes.c_int)
        libpq.PQsetErrorVerbosity(connection.pgconn_ptr, PQERRORS_VERBOSE)
    except (AttributeError, OSError):
        pass


def resolve(params):
    """
    Look up the host of libpq's *params*.

    psycopg2 keeps all threads waiting while libpq looks up a name, this one does not. A
    service or several hosts are left to libpq.
    """
    host = params.get("host", "")
    if not host or host.startswith(("/", "@")) or "," in host or "hostaddr" in params:
        return params
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        text = f'could not translate host name "{host}" to address: {error.strerror}'
        raise NotReady(classify(text)) from None
    addresses = list(dict.fromkeys(address[0] for *_, address in found))
    return params | {"host": ",".join([host] * len(addresses)), "hostaddr": ",".join(addresses)}


def describe(params):
    """Name the database of libpq's *params*: never with its password."""
    if "service" in params:
        return f'the database of service "{params["service"]}"'
    host = params.get("host") or params.get("hostaddr") or "local socket"
    return f'database "{params["dbname"]}" at {host}:{params.get("port", 5432)}'
