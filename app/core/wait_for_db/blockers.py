"""Who keeps a migration waiting for a lock."""

import threading

from .causes import Cause
from .session import NotReady, Session

TELL_SECONDS = 5  # a lock that is held for less is nothing to tell of
BLOCKERS = """
SELECT pid, coalesce(nullif(application_name, ''), 'no application name'), state, left(query, 100)
FROM unnest(pg_blocking_pids(%s)) AS pid JOIN pg_stat_activity USING (pid) LIMIT 1
"""


class Blockers(threading.Thread):
    """
    Watch the session of *connection* while it migrates.

    Call *tell* with a text while another session keeps it waiting. After *timeout* seconds of that, cancel its statement;
    `cause` then says who was in the way. It is None otherwise.
    """

    def __init__(self, connection, timeout, tell):
        super().__init__(daemon=True)
        self.session = Session(connection.alias)
        self.pid = connection.connection.info.backend_pid
        self.timeout, self.tell = timeout, tell
        self.cause = None
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.join(1)

    def run(self):
        seconds = 0
        while not self.ended.wait(1):
            self.session.limit(5)
            try:
                blocker = self.blocker()
                seconds = seconds + 1 if blocker else 0
                if blocker and seconds >= max(self.timeout, 1) and self.cancel():
                    self.cause = Cause("locked", f"it waited for a lock of {blocker}")
                    break
            except NotReady:  # the server is busy, or away; the migration meets the same
                self.session.close()
                continue
            if seconds and seconds % TELL_SECONDS == 0:
                self.tell(f"The migration waits for a lock of {blocker} ({seconds} s)")
        self.session.close()

    def blocker(self):
        """The server process that is in the way, or None."""
        if self.session.connection is None:
            self.session.open()
        row = self.session.query(BLOCKERS, [self.pid])
        return row and "process {} ({}, {}): {}".format(*row)

    def cancel(self):
        """End the statement, but not one outside of a transaction: CREATE INDEX CONCURRENTLY would leave an invalid index."""
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND query !~* 'concurrently'"
        return self.session.query(cancel, [self.pid])
