"""Views that the tests of the production image ask."""

import time

from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def fails(request):
    raise RuntimeError("a view of the tests fails")


def slow(request):
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("was slow")


@csrf_exempt
def echo(request):
    time.sleep(float(request.GET.get("seconds", 0)))
    return HttpResponse(request.body)


@csrf_exempt
def upload(request):
    return HttpResponse(str(request.FILES["file"].size))


PAGE = Template(
    "<title>Users</title>{% for user in users %}<p>{{ user.username }}, {{ user.date_joined }}</p>{% endfor %}"
)


def page(request):
    return HttpResponse(PAGE.render(Context({"users": get_user_model().objects.order_by("pk")[:20]})))


def users(request):
    return HttpResponse(str(get_user_model().objects.count()))


def backend(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return HttpResponse(str(cursor.fetchone()[0]))


def inline(request):
    return HttpResponse("<!DOCTYPE html><title>before</title><script>document.title = 'ran'</script>")


urlpatterns = [path(view.__name__, view) for view in (fails, slow, echo, upload, page, users, backend, inline)]
