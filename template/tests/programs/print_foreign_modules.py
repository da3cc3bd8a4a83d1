"""Prints which of the modules that are named are not Python's own."""

import sys

print(*sorted(set(sys.argv[1:]) - sys.stdlib_module_names))
