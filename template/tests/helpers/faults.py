"""The table of faults: which tests each row has, and what came of them."""

import re

from helpers.engine import TEMPLATE

ROW = re.compile(r"^\| (.+?) \| (.+?) \| (`.+`) \|$", re.MULTILINE)


def rows():
    """[(fault, expected, [what the ids of its tests begin with])], as faults.md has them."""
    found = ROW.findall((TEMPLATE / "faults.md").read_text())
    return [
        (fault, expected, [f"tests/{name}" for name in re.findall("`(.+?)`", tests)])
        for fault, expected, tests in found
    ]


def is_listed(nodeid):
    return any(nodeid.startswith(name) for _, _, names in rows() for name in names)


def table(reports):
    """The table's lines, from pytest's reports {"passed" or another outcome: [report]}; a row without a test says so."""
    yield "| fault | expected | rounds | result |"
    yield "| --- | --- | --- | --- |"
    for fault, expected, names in rows():
        outcomes, rounds = {}, 0
        for outcome, ones in reports.items():
            for report in ones:
                if any(report.nodeid.startswith(name) for name in names) and (
                    report.when == "call" or outcome != "passed"
                ):
                    outcomes[outcome] = outcomes.get(outcome, 0) + 1
                    rounds += dict(report.user_properties).get("rounds", 1)
        said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "not run"
        yield f"| {fault} | {expected} | {rounds} | {said} |"
