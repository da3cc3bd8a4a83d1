import json
import os

INSTALLED_APPS += ["polls"]
DATABASES = {
    alias: {"ENGINE": "django.db.backends.postgresql", **database}
    for alias, database in json.loads(os.environ["DATABASES"]).items()
}
if "HINTS" in os.environ:
    WAIT_FOR_DB_HINTS = json.loads(os.environ["HINTS"])
