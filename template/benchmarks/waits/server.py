"""
Within a container: seconds until a server's command answers, and until a saved view shows; as JSON.

server.py PORT COMMAND...
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

VIEW = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("marker/", lambda request: HttpResponse("{}")), *urlpatterns]
"""


def wait_for(answer):
    """Seconds until marker/ gives that answer; with None, any."""
    started = time.monotonic()
    while time.monotonic() < started + 120:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/marker/", timeout=5) as response:  # noqa: S310
                if response.read().decode() == answer:
                    return time.monotonic() - started
        except (OSError, http.client.HTTPException):  # a server that is being ended
            pass
        time.sleep(0.005)
    sys.exit("no answer within 120 s")


def main():
    urls = Path("app/app/urls.py")
    text = urls.read_text()
    urls.write_text(text + VIEW.format("first"))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(sys.argv[2:], start_new_session=True, **quiet)
    try:
        start = wait_for("first")
        time.sleep(1.5)  # a watcher may begin after the server
        urls.write_text(text + VIEW.format("second"))
        save = wait_for("second")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        urls.write_text(text)
    print(json.dumps({"server start": start, "save to page": save}))


if __name__ == "__main__":
    main()
