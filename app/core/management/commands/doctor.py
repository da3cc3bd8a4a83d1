from django.core.management.base import BaseCommand

from ... import doctor


class Command(BaseCommand):
    help = "Looks for what is wrong with this environment, and says how to mend it."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument(
            "--timeout",
            default=doctor.timeout,
            type=float,
            metavar="SECONDS",
            help="Time that the database, its migrations and the server are given. Defaults to %(default)s.",
        )

    def handle(self, *, timeout, verbosity, **options):
        doctor.timeout = timeout
        self.check(tags=["doctor"], display_num_errors=verbosity > 0)
