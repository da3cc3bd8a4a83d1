from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from core import dumps, places, snapshots
from core.wait_for_db.checks import unapplied_migrations


class Command(BaseCommand):
    help = (
        "Replaces the development database by a snapshot, or by a file of `snapshot --file`. What it replaces becomes a "
        "snapshot, too."
    )
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("name", help="The name of a snapshot, or a file.")

    def handle(self, *, name, **options):
        snapshots.check_place()
        with snapshots.server() as server:
            if name in server.names():
                before = server.restore(name)
            elif Path(name).is_file():
                before = dumps.load(server, Path(name).resolve())
            else:
                raise CommandError(
                    f"{server.no_snapshot(name)} There is no file {name} either{self.where_files_are()}."
                )
        self.stdout.write(f"Restored {name}. To undo it: {places.command('manage', 'restore', before)}")
        unapplied = unapplied_migrations(connection)
        if unapplied:
            self.stdout.write(
                f"Migrations that it has not: {len(unapplied)}. To apply them: {places.command('manage', 'migrate')}"
            )

    @staticmethod
    def where_files_are():
        return (
            "" if places.place() == "native" else f": this sees the files of the project's folder, {places.ROOT}, alone"
        )
