from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # An index built concurrently waits for every older snapshot of the database.
    atomic = False

    dependencies = [("polls", "0002_question_asked")]

    operations = [AddIndexConcurrently("question", models.Index(fields=["text"], name="polls_question_text"))]
