from django.urls import path

from welcome.views import index

urlpatterns = [
    path("", index, name="welcome"),
]
