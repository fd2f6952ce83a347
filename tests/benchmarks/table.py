"""The benchmarks' table: build/benchmarks/*.json into build/benchmarks.md, and between the README's markers.

python -m tests.benchmarks.table
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"
HEAD = ("work", "here", "first call", "peer", "there", "times as fast", "limit", "share of the limit", "note")


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them, three digits."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    unit, size = next(((u, s) for s, u in ((1, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= s), ("ns", 1e-9))
    return f"{seconds / size:.0f} {unit}" if seconds >= 100 * size else f"{seconds / size:.3g} {unit}"


def times(ratio: float | None) -> str:
    """A ratio with as many digits as it has."""
    return "" if ratio is None else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def cells(row: dict[str, Any]) -> list[str]:
    """One line of the table."""
    bound = row["bound"]
    limit = "" if bound is None else f"{row['limit']}: {duration(bound)}"
    share = "" if bound is None else f"{100 * bound / row['here']:.0f} %"
    return [
        row["work"],
        duration(row["here"]),
        duration(row["cold"]),
        row["peer"] or "",
        duration(row["there"]),
        times(row["times"]),
        limit,
        share,
        row["note"],
    ]


def table(found: dict[str, Any]) -> str:
    """One run's table in Markdown, with the machine in words."""
    from tabulate import tabulate

    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    absent = [name for name, version in machine["packages"].items() if not version]
    words = f"{_words(found)}, Python {machine['python']}, {packages}."
    missing = f" Not installed, and left out: {', '.join(absent)}." if absent else ""
    rows = [cells(row) for group in found["rows"].values() for row in group]
    return f"{words}{missing}\n\n{tabulate(rows, HEAD, 'github', disable_numparse=True)}\n"


def _words(found: dict[str, Any]) -> str:
    threads = found["threads"]
    return f"{found['machine']['processor']}, {threads} thread{'s' * (threads > 1)} for everyone"


def headline(found: dict[str, Any]) -> str:
    """The README's table: work, here, peer, there, ratio, share of the limit; without first calls and notes."""
    from tabulate import tabulate

    kept = [0, 1, 3, 4, 5, 6, 7]
    rows = [[cells(row)[i] for i in kept] for group in found["rows"].values() for row in group]
    words = f"{_words(found)}, warm:"
    return f"{words}\n\n{tabulate(rows, [HEAD[i] for i in kept], 'github', disable_numparse=True)}\n"


def within(text: str, part: str) -> str:
    """`text` with what stands between the markers replaced; raises ValueError where they are missing."""
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"no {BEGIN} ... {END} in README.md")
    return f"{before}{BEGIN}\n{part}{END}{after}"


def main() -> None:
    runs = [json.loads(path.read_text()) for path in sorted((ROOT / "build" / "benchmarks").glob("*.json"))]
    if not runs:
        raise SystemExit("no results in build/benchmarks: run `make bench`")
    text = "\n".join(table(found) for found in runs)
    (ROOT / "build" / "benchmarks.md").write_text(text)
    readme = ROOT / "README.md"
    readme.write_text(within(readme.read_text(), headline(runs[0])))
    print(
        f"{sum(len(rows) for found in runs for rows in found['rows'].values())} rows in build/benchmarks.md and README.md"
    )


if __name__ == "__main__":
    main()
