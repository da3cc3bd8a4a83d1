import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, models, transaction

FLAGS = ("is_active", "is_staff", "is_superuser")


class Command(BaseCommand):
    help = "Creates a superuser with a random password, and prints the password, once."

    def add_arguments(self, parser):
        parser.add_argument(
            "--username",
            help='The value of the USERNAME_FIELD. Defaults to "admin", or "admin@example.com" for an address.',
        )

    def handle(self, *, username, **options):
        user_model = get_user_model()
        field = user_model._meta.get_field(user_model.USERNAME_FIELD)
        username = username or ("admin@example.com" if isinstance(field, models.EmailField) else "admin")
        if user_model._default_manager.filter(**{field.name: username}).exists():
            raise CommandError(
                f'There is a user "{username}" already. For a new password: manage.py changepassword {username}'
            )
        password = secrets.token_urlsafe(12)
        create_superuser(user_model, password, **{field.name: username})
        self.stdout.write(f"User:     {username}\nPassword: {password}\nThe password is shown this once only.")


def create_superuser(user_model, password, **values):
    """Not by the manager's create_superuser(), whose arguments differ from model to model."""
    names = {field.name for field in user_model._meta.get_fields()}
    user = user_model(**values, **{flag: True for flag in FLAGS if flag in names})
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except DatabaseError as error:
        reason = str(error).partition("\n")[0]  # the next line shows the whole row
        raise CommandError(
            f"{user_model.__name__} needs more than a name and a password ({reason}): use manage.py createsuperuser."
        ) from None
