"""Run a command; print how it ended, when, and what it cost, as JSON. Kill it after the seconds given first."""

import json
import os
import signal
import subprocess
import sys
import time

limit, *command = sys.argv[1:]
started = time.time()
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
signal.setitimer(signal.ITIMER_REAL, float(limit))
_, status, usage = os.wait4(process.pid, 0)
ended = time.time()
print(
    json.dumps(
        {
            "started": started,
            "ended": ended,
            "code": os.waitstatus_to_exitcode(status),
            "cpu": usage.ru_utime + usage.ru_stime,
        }
    )
)
