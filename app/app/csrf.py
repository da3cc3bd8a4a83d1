from django.conf import settings
from django.views.csrf import csrf_failure as django_csrf_failure


def csrf_failure(request, reason=""):
    """Django's page, which gives the reason while DEBUG is on only; for an unknown origin, the cure as well."""
    if reason.startswith("Origin checking failed"):
        name = settings.CODESPACE_NAME or "not set"
        reason += (
            f" If that is the address of your own codespace: set the environment variable CODESPACE_NAME (here: {name})"
            " to its name, as it is in every terminal of the editor, and start the server again. Any other address of"
            " yours goes into CSRF_TRUSTED_ORIGINS."
        )
    return django_csrf_failure(request, reason=reason)
