"""What many projects copy from a tutorial, in our words."""

import time

from django.core.management.base import BaseCommand
from django.db.utils import OperationalError
from psycopg2 import OperationalError as Psycopg2OperationalError


class Command(BaseCommand):
    def handle(self, *args, **options):
        self.stdout.write("Waiting for database...")
        while True:
            try:
                self.check(databases=["default"])
            except (Psycopg2OperationalError, OperationalError):
                time.sleep(1)
            else:
                break
        self.stdout.write("Database available!")
