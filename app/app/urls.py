from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("welcome.urls")),  # the last, so that a page of yours at / comes before it
]
