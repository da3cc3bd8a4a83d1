import datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from core import dumps, places, snapshots


class Command(BaseCommand):
    help = (
        "Keeps a copy of the development database, which `restore` brings back. Sessions that are idle are ended; their "
        "programs connect again."
    )
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("name", nargs="?", help="Its name. Defaults to the time.")
        parser.add_argument("--file", type=Path, help="Write the database to this file instead.")

    def handle(self, *, name, file, **options):
        snapshots.check_place()
        if file:
            self.check_file(file, name)
        name = name or datetime.datetime.now().astimezone().strftime(snapshots.TIME)
        with snapshots.server() as server:
            if file:
                dumps.dump(server, file.resolve())
            else:
                server.take(name)
        self.stdout.write(f"To bring it back: {places.command('manage', 'restore', str(file or name))}")

    @staticmethod
    def check_file(file, name):
        if name:
            raise CommandError("Give a name, or a --file.")
        if file.exists():
            raise CommandError(f"{file} is there already: choose another name, or delete it.")
        if not file.parent.is_dir():
            raise CommandError(f"There is no folder {file.parent}.")
        if places.place() != "native" and not file.resolve().is_relative_to(places.ROOT):
            raise CommandError(
                f"{file} would stay in the container: choose a file in the project's folder, {places.ROOT}."
            )
