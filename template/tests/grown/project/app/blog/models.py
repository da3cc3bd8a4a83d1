from django.conf import settings
from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="posts")
    published = models.DateTimeField("date published", auto_now_add=True)

    class Meta:
        ordering = ["-published"]
        constraints = [models.UniqueConstraint(fields=["title"], name="unique_title")]

    def __str__(self):
        return self.title
