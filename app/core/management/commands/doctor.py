from django.core.management.base import BaseCommand

from core import environment_checks


class Command(BaseCommand):
    help = "Looks for what is wrong with this environment, and says how to fix it."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument(
            "--timeout",
            default=environment_checks.DEFAULT_TIMEOUT,
            type=float,
            metavar="SECONDS",
            help="Time that the database, its migrations and the server are given. Defaults to %(default)s.",
        )

    def handle(self, *, timeout, verbosity, **options):
        environment_checks.checks(timeout)
        self.check(tags=["doctor"], display_num_errors=verbosity > 0)
