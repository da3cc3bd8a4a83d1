from django.db import models


class Question(models.Model):
    text = models.CharField(max_length=200)
    asked = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["text"], name="polls_question_text")]
