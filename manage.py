#!/usr/bin/env python
"""`python manage.py …`, as tutorials type it, from the project's folder: app/manage.py does the work."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent / "app")

if __name__ == "__main__":
    import manage

    manage.main()
