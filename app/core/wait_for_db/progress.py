"""Say what is waited for: on one line of a terminal, or seldom in a log."""

import time

LINE_EVERY = 10.0
# Back to the line's start and clear it; then no wrapping, so that one line stays one.
REWRITE = "\r\x1b[K\x1b[?7l{}\x1b[?7h"
CLEAR = "\r\x1b[K"


class Progress:
    """Write the reports of wait_for() to *stdout*, an OutputWrapper."""

    def __init__(self, stdout):
        self.stdout = stdout
        self.on_terminal = stdout.isatty()
        self.line = None
        self.next_line = 0

    def __call__(self, watcher, seconds):
        name = watcher.check.name
        if watcher.ready:
            self.close()
            self.write(f"{name} {watcher.check.success} ({seconds:.1f} s, attempt {watcher.attempts}).")
        elif self.on_terminal:
            self.write(REWRITE.format(f"Waiting {seconds:.0f} s. {name}: {watcher.cause.text}"), "")
            self.line = watcher
        else:
            self.log(f"{name}: {watcher.cause.text}", seconds)

    def log(self, line, seconds):
        if line != self.line or time.monotonic() >= self.next_line:
            self.write(f"Waiting {seconds:.0f} s. {line}")
            self.line = line
            self.next_line = time.monotonic() + LINE_EVERY

    def close(self):
        """Leave the terminal's line empty."""
        if self.on_terminal and self.line:
            self.write(CLEAR, "")
        self.line = None

    def write(self, text, ending="\n"):
        # A server's message may hold what a log's encoding does not.
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding), ending=ending)
        self.stdout.flush()
