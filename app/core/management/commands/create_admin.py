import inspect
import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, ProgrammingError, models, transaction

from core.places import command


class Command(BaseCommand):
    help = "Creates a superuser with a random password, and prints the password, once."

    def add_arguments(self, parser):
        parser.add_argument(
            "--username",
            help='The value of the field that users log in with. Defaults to "admin", or "admin@example.com" for e-mail.',
        )

    def handle(self, *, username, **options):
        model = get_user_model()
        username = username or default_username(model)
        try:
            exists = model._default_manager.filter(**{model.USERNAME_FIELD: username}).exists()
        except ProgrammingError as error:  # no table, or not the model's columns
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The database is not migrated: {reason}. Run: {command('manage', 'migrate')}") from None
        if exists:
            raise CommandError(
                f'There is a user "{username}" already. For a new password, run: '
                f"{command('manage', 'changepassword', username)}"
            )
        if missing := required_fields(model):
            raise CommandError(cannot_fill(model, f"it requires {', '.join(missing)}"))
        password = secrets.token_urlsafe(12)
        try:
            with transaction.atomic():
                create_superuser(model, username, password)
        except IntegrityError as error:
            reason = str(error).partition("\n")[0]  # the next line shows the whole row
            raise CommandError(cannot_fill(model, reason)) from None
        self.stdout.write(f"User:     {username}\nPassword: {password}\nThe password is shown this once only.")


def default_username(model):
    is_email = isinstance(model._meta.get_field(model.USERNAME_FIELD), models.EmailField)
    return "admin@example.com" if is_email else "admin"


def required_fields(model):
    """Return the names of the fields that createsuperuser asks for and that cannot be left out."""
    fields = [model._meta.get_field(name) for name in model.REQUIRED_FIELDS]
    return [field.name for field in fields if not (field.blank or field.has_default())]


def create_superuser(model, username, password):
    manager = model._default_manager
    values = {model.USERNAME_FIELD: username, "password": password}
    try:
        inspect.signature(manager.create_superuser).bind(**values)
    except TypeError:  # Django's own manager insists on a username, which a model with e-mail only does not have
        user = model(**{model.USERNAME_FIELD: username}, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save()
    else:
        manager.create_superuser(**values)


def cannot_fill(model, reason):
    return (
        f"A {model._meta.label} needs more than a name and a password: {reason}. "
        f"Run: {command('manage', 'createsuperuser')}"
    )
