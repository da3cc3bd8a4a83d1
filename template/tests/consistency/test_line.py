"""What is the user's, what serves the user and what proves the template lie apart, and can be seen."""

import fnmatch
import re

import pytest
from helpers.engine import ROOT
from helpers.files import tracked

OUTSIDE = [path for path in tracked() if not path.startswith("template/")]
# The user's script hands over to the proof, README.md says how to delete it, and these workflows go with it.
MAY_NAME_THE_PROOF = [".ci/run", "README.md", ".github/workflows/template-*.yml"]
# Words of the first version, at which a reader whose second language is English stopped.
ODD_WORDS = re.compile(r"\b(mend(s|ed|ing)?|amiss|heed(s|ed|ing)?)\b", re.IGNORECASE)


def text_of(path):
    try:
        return (ROOT / path).read_text()
    except UnicodeDecodeError:
        return ""


def test_nothing_outside_names_the_folder_that_proves_it():
    naming = [path for path in OUTSIDE if "template/" in text_of(path)]
    assert [path for path in naming if not any(fnmatch.fnmatch(path, may) for may in MAY_NAME_THE_PROOF)] == []


def test_the_top_holds_only_what_it_is_meant_to_hold():
    folders = {path.partition("/")[0] for path in tracked() if "/" in path}
    assert folders == {".ci", ".devcontainer", ".github", ".vscode", "app", "deploy", "docs", "environment", "template"}


def test_the_dev_containers_folder_has_configuration_only():
    assert [path for path in OUTSIDE if path.startswith(".devcontainer/")] == [
        ".devcontainer/devcontainer.json",
        ".devcontainer/docker-compose.yml",
    ]


def test_the_version_is_that_of_the_changelog():
    (newest, *_) = re.findall(r"^## (\S+)", text_of("template/CHANGELOG.md"), re.MULTILINE)
    assert text_of("environment/VERSION") == f"Slipway {newest}\n"


@pytest.mark.parametrize("path, most", [("README.md", 100), ("AGENTS.md", 40)])
def test_who_reads_it_has_two_minutes(path, most):
    assert len((ROOT / path).read_text().splitlines()) <= most


def test_the_words_are_plain():
    found = {path: ODD_WORDS.findall(text_of(path)) for path in tracked() if not path.endswith("test_line.py")}
    assert {path: words for path, words in found.items() if words} == {}


def test_markdown_has_one_sentence_a_line():
    two = re.compile(r"[a-z)`*][.!?]\)? +[A-Z*`]")
    for path in (path for path in tracked() if path.endswith(".md")):
        prose = [line for line in text_of(path).splitlines() if not line.lstrip().startswith(("|", "<", "```"))]
        assert [line for line in prose if two.search(re.sub(r"`[^`]*`", "``", line))] == [], path


def test_every_link_leads_to_a_file():
    for path in (path for path in tracked() if path.endswith(".md")):
        for target in re.findall(r"\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)", text_of(path)):
            assert ((ROOT / path).parent / target).exists(), f"{path}: {target}"


def test_every_script_ends_its_lines_as_linux_does_and_can_be_run():
    assert "eol=lf" in text_of(".gitattributes")
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if content.startswith(b"#!"):
            assert b"\r" not in content, path
            assert (ROOT / path).stat().st_mode & 0o100, path


def test_make_it_yours_names_every_file_that_serves():
    """Those of app/core, beside what is the user's there."""
    text = (ROOT / "docs/make-it-yours.md").read_text()
    files = {file.name for file in (ROOT / "app/core").glob("*.py")} - {
        "__init__.py",
        "admin.py",
        "apps.py",
        "models.py",
    }
    commands = {file.stem for file in (ROOT / "app/core/management/commands").glob("[a-z]*.py")}
    assert [name for name in sorted(files) if f"{name}`" not in text] == []
    assert [name for name in sorted(commands) if f"`{name}`" not in text] == []


def test_what_git_ignores_gets_into_no_image():
    ignored = [line.rstrip("/") for line in text_of(".gitignore").splitlines() if line[:1] not in ("#", "!", "")]
    assert ignored and {f"**/{pattern}" for pattern in ignored} <= set(text_of(".dockerignore").splitlines())
