"""Inserts numbers from N on, and prints each that the database has acknowledged: insert.py N."""

import itertools
import os
import sys

import psycopg2

database = psycopg2.connect(
    host=os.environ["DB_HOST"],
    port=os.environ["DB_PORT"],
    dbname=os.environ["DB_NAME"],
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASS"],
)
database.autocommit = True
cursor = database.cursor()
for number in itertools.count(int(sys.argv[1])):
    cursor.execute("insert into acknowledged values (%s)", [number])
    print(number, flush=True)
