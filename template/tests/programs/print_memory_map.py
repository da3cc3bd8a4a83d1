"""Prints the files that a process with psycopg2 has mapped: which libpq it is."""

from pathlib import Path

import psycopg2  # noqa: F401 loads libpq

print(Path("/proc/self/maps").read_text())
