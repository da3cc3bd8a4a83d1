"""The floor: nothing but the driver, in a loop."""

import os
import time

import psycopg2

while True:
    try:
        connection = psycopg2.connect(
            host=os.environ["DB_HOST"], dbname="db", user="app", password=os.environ["DB_PASS"]
        )
    except psycopg2.OperationalError:
        time.sleep(0.01)
    else:
        connection.cursor().execute("SELECT 1")
        break
