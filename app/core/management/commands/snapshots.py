from django.core.management.base import BaseCommand

from core import snapshots


class Command(BaseCommand):
    help = "Lists the snapshots of the development database, the newest first."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("--delete", metavar="NAME", help="Delete this one.")

    def handle(self, *, delete, **options):
        snapshots.check_place()
        with snapshots.server(changes=bool(delete)) as server:
            if delete:
                server.delete(delete)
                self.stdout.write(f"Deleted {delete}.")
                return
            found = server.snapshots()
        width = max((len(snapshot.name) for snapshot in found), default=0)
        for snapshot in found:
            self.stdout.write(
                f"{snapshot.name:{width}}  {snapshot.created}  {snapshot.size:>9}  {snapshot.branch}".rstrip()
            )
        if not found:
            self.stdout.write("There are no snapshots.")
