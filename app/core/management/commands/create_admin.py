import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Creates a superuser with a random password, and prints the password, once."

    def add_arguments(self, parser):
        parser.add_argument("--username", default="admin", help='Defaults to "admin".')

    def handle(self, *, username, **options):
        users = get_user_model().objects
        if users.filter(username=username).exists():
            raise CommandError(
                f'There is a user "{username}" already. For a new password: manage.py changepassword {username}'
            )
        password = secrets.token_urlsafe(12)
        users.create_superuser(username, password=password)
        self.stdout.write(f"User:     {username}\nPassword: {password}\nThe password is shown this once only.")
