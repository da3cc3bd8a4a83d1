"""The control: psycopg2 as everybody calls it, with a handler of SIGTERM: connect_blocking.py HOST."""

import signal
import sys

import psycopg2

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("go", flush=True)
psycopg2.connect(host=sys.argv[1], user="app", dbname="db", connect_timeout=600)
