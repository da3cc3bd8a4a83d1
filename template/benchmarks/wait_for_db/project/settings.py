import os

# Each waiter has a command of its own; two of them are called wait_for_database and wait_for_db alike.
INSTALLED_APPS += os.environ["WAITER"].split()
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DB_HOST"],
        "PORT": "5432",
        "NAME": "db",
        "USER": "app",
        "PASSWORD": os.environ["DB_PASS"],
    }
}
