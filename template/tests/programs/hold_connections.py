"""Take all connections that the server gives, print their number, and hold them until stdin ends."""

import sys

import psycopg2

held = []
while True:
    try:
        held.append(psycopg2.connect(""))
    except psycopg2.Error:
        break
print(len(held), flush=True)
sys.stdin.read()
