"""What was measured, as a table, as a picture, and beside what was measured before."""

import datetime
import json
import os
import platform
import statistics
from pathlib import Path

from rows import ROOT, ROWS, call

HERE = Path(__file__).resolve().parent
RESULTS, WORSE = HERE / "results.json", 1.2
STYLE = "text{font:13px system-ui,sans-serif;fill:#57606a}.ours{fill:#0b7285}.other{fill:#8b949e55}"


class Result:
    """
    Of one row. figures and parts: {name: (values of ours, values of the other)}; about: when, where and how it was measured.
    """

    def __init__(self, row, about, figures, parts):
        self.row, self.about, self.figures, self.parts = row, about, figures, parts

    def label(self, figure):
        title = ROWS[self.row].title
        return title if figure in ("seconds", "MB") else f"{title}: {figure}"

    def lines(self):
        """Of the table: a label, what it is compared with, two medians, and the cells."""
        for figure, (ours, other) in self.figures.items():
            aim, name = ROWS[self.row].aims.get(figure), ROWS[self.row].contestants[1]
            cells = [self.label(figure), spread(ours), f"{name}: {spread(other)}", f"{ratio(ours, other):.2f}"]
            yield [*cells, f"≤ {aim}" if aim else "–"]

    def part_lines(self):
        for part, (ours, other) in self.parts.items():
            yield [ROWS[self.row].title, part, spread(ours), spread(other)]


def about(rounds):
    """When, of what, and on which machine."""
    engine = call("docker", "version", "--format={{.Server.Version}}")
    compose = call("docker", "compose", "version", "--short")
    commit = call("git", "rev-parse", "--short", "HEAD", cwd=ROOT)
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").open() if "model name" in line), "")
    machine = f"{os.cpu_count()} cores {model or platform.machine()}, Linux {platform.release()}"
    return f"{datetime.date.today()}, commit {commit}, {machine}, Docker {engine}, Compose {compose}, {rounds} rounds"


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})" if values else "–"


def ratio(ours, other):
    return statistics.median(ours) / statistics.median(other)


def markdown(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def table(results):
    lines = [line for result in results for line in result.lines()]
    text = markdown(["wait", "ours", "compared with", "ratio", "aim"], lines)
    if parts := [line for result in results for line in result.part_lines()]:
        text += "\n\n" + markdown(["part of", "part", "ours", "compared with"], parts)
    conditions = {}
    for result in results:
        conditions.setdefault(result.about, []).append(result.row)
    measured = (f"{', '.join(names)}: {about}." for about, names in conditions.items())
    return f"{text}\n\nMedians (minimum–maximum), in seconds unless said.\n" + "\n".join(measured)


def picture(results):
    """Bars of ours, where the other's are one long, as SVG."""
    bars, y = [], 30
    for result in results:
        for figure, (ours, other) in result.figures.items():
            label, name = result.label(figure).replace("`", ""), ROWS[result.row].contestants[1]
            bars.append(
                f'<text x="10" y="{y}">{label}, beside {name}</text>'
                f'<rect x="10" y="{y + 7}" width="500" height="12" class="other"/>'
                f'<rect x="10" y="{y + 7}" width="{min(ratio(ours, other), 1.2) * 500:.0f}" height="12" class="ours"/>'
                f'<text x="620" y="{y + 17}">{statistics.median(ours):.2f} : {statistics.median(other):.2f}</text>'
            )
            y += 42
    size = f'viewBox="0 0 740 {y}" width="740"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(bars)}</svg>\n'


def saved():
    """{row: Result}, in the order of the rows."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {name: Result(name, **found[name]) for name in ROWS if name in found}


def save(results):
    """What was measured replaces what is there; the other rows stay."""
    everything = saved() | {result.row: result for result in results}
    ordered = [everything[name] for name in ROWS if name in everything]
    content = {
        result.row: {"about": result.about, "figures": result.figures, "parts": result.parts} for result in ordered
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")
    (HERE / "waits.svg").write_text(picture(ordered))
    (HERE / "README.md").write_text(f"# How long you wait\n\n![Our waits as bars](waits.svg)\n\n{table(ordered)}\n")


def compare(results):
    before = saved()
    for result in results:
        for figure, values in result.figures.items():
            said = f"{result.label(figure)}: ratio {ratio(*values):.2f}"
            if result.row not in before or figure not in before[result.row].figures:
                print(f"{said}, measured for the first time")
                continue
            then = ratio(*before[result.row].figures[figure])
            verdict = "WORSE by more than a fifth" if ratio(*values) > then * WORSE else "as before"
            print(f"{said}, saved {then:.2f}: {verdict}")
