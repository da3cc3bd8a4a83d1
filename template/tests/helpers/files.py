"""The project's files, read as their own programs read them."""

import ast
import json
import re

import yaml

from helpers.engine import ROOT, run


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!reset", lambda loader, node: [])


def read_yaml(path):
    return yaml.load((ROOT / path).read_text(), Loader)


def read_json(path):
    """JSON whose comments are whole lines."""
    return json.loads(re.sub(r"^\s*//.*$", "", (ROOT / path).read_text(), flags=re.MULTILINE))


def tracked():
    """The files that git knows, with those that are new."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
    return sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file())


def interpolations(value):
    """The variables of a compose file with what stands behind their names: {NAME: {":-default"}}."""
    found = {}
    for name, rest in re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", json.dumps(value)):
        if not rest.startswith(":+"):  # which asks whether it has a value
            found.setdefault(name, set()).add(rest)
    return found


def arguments_of_build():
    """The defaults of the Dockerfile's ARGs."""
    lines = [line.split()[1:] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG ")]
    return dict(argument.split("=") for line in lines for argument in line if "=" in argument)


def variables_of_settings():
    """The environment variables that settings.py reads, as env…("NAME") or os.environ.get("NAME")."""
    calls = [node for node in ast.walk(ast.parse((ROOT / "app/app/settings.py").read_text())) if is_call(node)]
    names = [call.args[0].value for call in calls if call.args and isinstance(call.args[0], ast.Constant)]
    return {name for name in names if isinstance(name, str) and name.isupper()}


def is_call(node):
    function = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return function.startswith("env") or function == "os.environ.get"


def pins(path):
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / path).read_text(), flags=re.MULTILINE))


def shell_blocks(path):
    """The commands of a Markdown file's ```sh blocks, a line each."""
    text = (ROOT / path).read_text() if (ROOT / path).exists() else ""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]
