from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_report_only_override
from django.views.decorators.csrf import csrf_exempt

from welcome.environment import Environment


@never_cache
@csp_report_only_override({})  # it has its style and its script in itself, and exists in development only
@csrf_exempt  # with DEBUG off a POST is to find nothing, rather than be refused
@transaction.non_atomic_requests  # a transaction would need the database before this can say that it is down
def index(request):
    if not settings.DEBUG:
        raise Http404
    # Without the request: what its context processors give may need the database too.
    return HttpResponse(render_to_string("welcome/index.html", {"environment": Environment()}))
