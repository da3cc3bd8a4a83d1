import contextlib
import shutil
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management.commands.startapp import Command as StartappCommand


class Command(StartappCommand):
    help = f"{StartappCommand.help} Without a directory, the app is made in app/ beside the others."

    def handle(self, **options):
        if options["directory"]:
            super().handle(**options)
            format_files(Path(options["directory"]))
            return
        name = options["name"]
        with contextlib.chdir(settings.BASE_DIR):
            super().handle(**options)
            format_files(Path(name))


def format_files(folder):
    """Django formats what it makes with black, if that is there; here ruff does it, whose hook would refuse the rest."""
    ruff = shutil.which("ruff")
    if ruff:
        for arguments in (["check", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]):
            subprocess.run([ruff, *arguments, folder], check=False)
