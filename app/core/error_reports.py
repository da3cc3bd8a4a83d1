from django.views.debug import SafeExceptionReporterFilter

# Where the parameters of a connection are variables.
CONNECTING = ("django.db.backends.base.base", "django.db.backends.postgresql", "django.utils.asyncio", "psycopg")


class ReporterFilter(SafeExceptionReporterFilter):
    """Leaves the database's password out of the debug page, which Django shows when no connection can be made."""

    def get_traceback_frame_variables(self, request, tb_frame):
        if tb_frame.f_globals.get("__name__", "").startswith(CONNECTING):
            return [("hidden", "The database's password is among these variables.")]
        return super().get_traceback_frame_variables(request, tb_frame)
