"""Asks the server inside the container until it answers: get.py PATH. It may be restarting."""

import sys
import time
import urllib.error
import urllib.request

while True:
    try:
        print(urllib.request.urlopen(f"http://localhost:8000/{sys.argv[1]}").read().decode())
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"{error}")
    except OSError:
        time.sleep(0.02)
