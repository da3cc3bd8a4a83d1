from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
class Command(BaseCommand):
    requires_system_checks = []
    def add_arguments(self, p):
        p.add_argument("--migrate", action="store_true"); p.add_argument("--timeout", default=60.0, type=float)
    def handle(self, migrate, **o):
        connection.ensure_connection()
        self.stdout.write("ready")
        if migrate: call_command("migrate")
