from django.http import HttpResponse


def length_required(get_response):
    """Answer 411 to a chunked request: Django would take its body for an empty one. A proxy that buffers sets a length."""

    def middleware(request):
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return HttpResponse("This server needs a Content-Length.\n", "text/plain", 411)
        return get_response(request)

    return middleware
