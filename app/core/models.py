from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A user of our own from the first migration on: replacing Django's later means a new database."""
