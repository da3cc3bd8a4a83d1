import shutil
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management.commands.startapp import Command as StartappCommand


class Command(StartappCommand):
    help = f"{StartappCommand.help} Without a directory, the app is made in app/ beside the others."

    def handle(self, **options):
        name, target = options["name"], options["directory"]
        if target is None:
            target = settings.BASE_DIR / name
            target.mkdir(exist_ok=True)
            options["directory"] = str(target)
        try:
            super().handle(**options)
        finally:
            if target != options["directory"] and not any(Path(target).iterdir()):
                Path(target).rmdir()  # Django refused the name
        format_files(Path(target))


def format_files(folder):
    """Django formats what it makes with black, if that is there; this project has ruff, whose hook would refuse the rest."""
    ruff = shutil.which("ruff")
    if ruff:
        for arguments in (["check", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]):
            subprocess.run([ruff, *arguments, folder], check=False)  # noqa: S603 no shell, and a path of ours
