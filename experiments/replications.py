"""Classic results, computed again: runs `papers/<slug>/replicate.py` and holds what it finds against `expected.toml`.

A program defines `replicate()`, which returns each number under its row's name, and for derived rows `independent()`,
which finds the same numbers without this package. It is run as it stands, in this process.
"""

from __future__ import annotations

import math
import runpy
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import dcg_econ
from dcg_econ.analysis.tables import Table, number_text
from dcg_econ.experiments.datafiles import SpecificationError
from dcg_econ.experiments.expected import EXPECTED, PROGRAM, Expected, Row, read_expected
from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.progress import AbstractProgress, progress_for
from dcg_econ.experiments.store import write_bytes, write_text

OK, DIFFERS, MISSING, FAILED = "ok", "DIFFERS", "MISSING", "FAILED"
TITLE = "Results of the literature, computed again"
DIGITS = ".6g"
RESULTS = Path("results") / "replications"


@dataclass(frozen=True)
class Checked:
    """One row of the table: what was expected, what was found here and, where derived, by another method."""

    paper: str
    row: Row
    here: float
    independent: float
    verdict: str
    remark: str = ""

    @property
    def difference(self) -> float:
        return self.here - self.row.value


def replicated_anew(folder: Path | None, every: bool, fast: bool, out: Path | None, quiet: bool) -> bool:
    """`dcg-econ replicate`: whether everything came out as before, or as published."""
    if sum((folder is not None, every, fast)) != 1:
        raise SpecificationError("give one of: a folder of results, a folder of papers/, --all, --fast")
    if folder is not None and not is_paper(folder):
        from dcg_econ.experiments.running import replicate_study

        return replicate_study(folder, out, quiet)
    checked = replicated([folder] if folder is not None else papers(fast), progress_for(quiet))
    table = replication_table(checked)
    print(table)
    for path in write_table(table, out or RESULTS):
        print(f"wrote {path}")
    bad = [each for each in checked if each.verdict != OK]
    for each in bad:
        print(f"{each.paper}, {each.row.name}: {each.verdict}: {each.remark or 'see the table'}", file=sys.stderr)
    return not bad


def papers_folder() -> Path:
    """`papers/` of the checkout; raises `SpecificationError` where the package is installed without one."""
    folder = Path(dcg_econ.__file__).resolve().parent.parent / "papers"
    if not folder.is_dir():
        raise SpecificationError(
            "the replications lie in papers/ of the repository, which is not installed with the package: clone it and "
            "run `dcg-econ replicate --all` there, or name a folder: `dcg-econ replicate papers/SLUG`"
        )
    return folder


def is_paper(folder: Path) -> bool:
    """Whether a folder holds expectations."""
    return (folder / EXPECTED).is_file()


def papers(fast: bool) -> list[Path]:
    """The folders of all replications, or of the fast ones, by name."""
    found = sorted(path.parent for path in papers_folder().glob(f"*/{EXPECTED}"))
    return [folder for folder in found if not fast or read_expected(folder).fast]


def replicated(folders: Iterable[Path], progress: AbstractProgress) -> list[Checked]:
    """Every row of every paper, checked. What raises becomes rows that have failed; the next paper goes on."""
    folders = list(folders)
    expected = {folder: read_expected(folder) for folder in folders}  # all of them before the first runs
    prepare()
    checked: list[Checked] = []
    with progress:
        progress.start(0, len(folders))
        for folder, wanted in expected.items():
            start = time.monotonic()
            rows = _checked(folder, wanted)
            checked += rows
            good = sum(row.verdict == OK for row in rows)
            progress.cell(folder.name, f"{good} of {len(rows)} rows ok, {time.monotonic() - start:.0f} s")
    return checked


def _checked(folder: Path, wanted: Expected) -> list[Checked]:
    try:
        found, independent = _run(folder / PROGRAM, any(row.kind == "derived" for row in wanted.rows))
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(folder / PROGRAM)]
        remark = f"{type(error).__name__}: {error}" + (f" ({PROGRAM}, line {lines[-1]})" if lines else "")
        return [Checked(wanted.title, row, math.nan, math.nan, FAILED, remark) for row in wanted.rows]
    rows = [_row(wanted.title, row, found, independent) for row in wanted.rows]
    extra = sorted({*found, *independent} - {row.name for row in wanted.rows})
    if extra:
        rows[-1] = Checked(
            wanted.title, wanted.rows[-1], rows[-1].here, rows[-1].independent, FAILED,
            f"{PROGRAM} returns {', '.join(extra)}, which {EXPECTED} does not expect: add a row or leave it out",
        )  # fmt: skip
    return rows


def _run(program: Path, derived: bool) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not program.is_file():
        raise SpecificationError(f"{program} is missing")
    names = runpy.run_path(str(program), run_name="replication")
    lacking = [name for name in ("replicate", "independent")[: 1 + derived] if name not in names]
    if lacking:
        raise SpecificationError(f"{program} defines no {lacking[0]}()")
    return names["replicate"](), names["independent"]() if derived else {}


def _row(paper: str, row: Row, found: Mapping[str, Any], independent: Mapping[str, Any]) -> Checked:
    here, other = (float(values.get(row.name, math.nan)) for values in (found, independent))
    if row.name not in found:
        return Checked(paper, row, here, other, MISSING, f"replicate() returns no {row.name}")
    if not abs(here - row.value) <= row.tolerance:
        return Checked(paper, row, here, other, DIFFERS)
    if row.kind == "derived" and row.name not in independent:
        return Checked(paper, row, here, other, MISSING, f"independent() returns no {row.name}, and it is derived")
    if row.kind == "derived" and not abs(other - row.value) <= row.tolerance:
        return Checked(paper, row, here, other, DIFFERS, f"by the independent method it is {other:{DIGITS}}")
    return Checked(paper, row, here, other, OK)


def replication_table(checked: Iterable[Checked]) -> Table:
    """result | published | here | difference | tolerance | verdict, one row a number."""
    checked = list(checked)
    frame = pd.DataFrame(
        {
            "paper": [each.paper for each in checked],
            "result": [each.row.result for each in checked],
            "published": [each.row.value for each in checked],
            "kind": [each.row.kind for each in checked],
            "independent": [each.independent for each in checked],
            "here": [each.here for each in checked],
            "difference": [each.difference for each in checked],
            "tolerance": [each.row.tolerance for each in checked],
            "verdict": [each.verdict for each in checked],
            "source": [each.row.source for each in checked],
            "reason": [each.row.reason for each in checked],
            "remark": [each.remark for each in checked],
        }
    )
    printed = pd.DataFrame(
        {
            "Result": [f"{each.paper}: {each.row.result}" for each in checked],
            "Published": [
                number_text(each.row.value, DIGITS) + (" (derived)" if each.row.kind == "derived" else "")
                for each in checked
            ],
            "Here": [number_text(each.here, DIGITS) for each in checked],
            "Difference": [number_text(each.difference, ".1e") for each in checked],
            "Tolerance": [number_text(each.row.tolerance, ".1e") for each in checked],
            "Verdict": [each.verdict for each in checked],
        },
        dtype=object,
    )
    good = sum(each.verdict == OK for each in checked)
    notes = (
        f"{good} of {len(checked)} within tolerance.",
        "Published: the number or the formula stands in the source. (derived): it was worked out here, and a second "
        "method that does not use the package finds it too. Sources and reasons for tolerances are in "
        f"{EXPECTED} of each folder.",
        *(f"{each.paper}, {each.row.name}: {each.remark}" for each in checked if each.remark),
    )
    return Table(frame, TITLE, notes, name="replications", printed=printed)


def write_table(table: Table, folder: Path) -> list[Path]:
    """replications.md, .tex, .html, and .csv with sources, reasons and all digits."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {".md": table.to_markdown(), ".tex": table.to_latex(), ".html": table.to_html()}
    for suffix, text in texts.items():
        write_text(folder / f"replications{suffix}", text)
    write_bytes(folder / "replications.csv", table.to_frame().to_csv(index=False, lineterminator="\n").encode())
    return [folder / f"replications{suffix}" for suffix in (*texts, ".csv")]
