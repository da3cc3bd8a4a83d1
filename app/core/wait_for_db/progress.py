"""Say what is waited for: on one line of a terminal, or now and then in a log."""

import time

LINE_EVERY = 10.0
CLEAR = "\r\x1b[K"
# Without wrapping, so that a long line stays one line.
REWRITE = CLEAR + "\x1b[?7l{}\x1b[?7h"


class Progress:
    """Write the reports of wait_for() to *stdout*, an OutputWrapper."""

    def __init__(self, stdout):
        self.stdout = stdout
        self.on_terminal = stdout.isatty()
        self.line_is_open = False
        self.said = {}
        self.next_line = 0

    def __call__(self, watcher, seconds):
        if watcher.ready:
            self.close()
            if watcher.check.success:
                self.write(sentence(watcher, watcher.check.success, seconds))
            return
        line = f"Waiting for {watcher.check.name} ({seconds:.0f} s): {watcher.cause.text}"
        if self.on_terminal:
            self.write(REWRITE.format(line), "")
            self.line_is_open = True
        elif self.said.get(watcher) != watcher.cause or time.monotonic() >= self.next_line:
            self.write(line)
            self.said[watcher] = watcher.cause
            self.next_line = time.monotonic() + LINE_EVERY

    def close(self):
        """Leave the terminal's line empty."""
        if self.line_is_open:
            self.write(CLEAR, "")
        self.line_is_open = False

    def write(self, text, ending="\n"):
        # A server's message may hold what a log's encoding does not.
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding), ending=ending)
        self.stdout.flush()


def sentence(watcher, what, seconds):
    """Return a sentence on what became of *watcher*'s check, and when."""
    name = watcher.check.name
    return f"{name[0].upper()}{name[1:]} {what} ({seconds:.1f} s, attempt {watcher.attempts})."
