"""
For engines that have one health check alone, such as Swarm: healthy is who was ready once, and answers since then. So an
update waits for the database and its migrations, and a database that is away later ends no replica.
"""

import http.client
import os
import sys
from pathlib import Path

READY_ONCE = Path("/dev/shm/ready-once")  # noqa: S108 the container's own, and writable when all else is not

path = "/livez" if READY_ONCE.exists() else "/readyz"
connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=10)
try:
    connection.request("GET", path)
    status = connection.getresponse().status
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"{path}: {error}")
if status != http.HTTPStatus.OK:
    sys.exit(f"{path}: {status}")
READY_ONCE.touch()
