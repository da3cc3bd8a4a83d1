from django.contrib.staticfiles.management.commands.runserver import Command as RunserverCommand
from django.db import OperationalError


class Command(RunserverCommand):
    def check_migrations(self):
        # Django's own runserver dies of a database that is down while it reloads, and comes back at the next edit only.
        try:
            super().check_migrations()
        except OperationalError as error:
            self.stderr.write(f"Serving without the database: {error}")
