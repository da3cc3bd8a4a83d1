import os
import time

from django.db import migrations, models


def take_a_while(apps, schema_editor):
    time.sleep(float(os.environ.get("MIGRATION_SECONDS", "0")))


class Migration(migrations.Migration):
    dependencies = [("polls", "0001_initial")]

    operations = [
        migrations.AddField("question", "asked", models.DateTimeField(null=True)),
        migrations.RunPython(take_a_while, migrations.RunPython.noop),
    ]
