"""The commands that run studies."""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.progress import progress_for
from dcg_econ.experiments.results import Results, counts
from dcg_econ.experiments.sources import keep_source
from dcg_econ.experiments.specification import load
from dcg_econ.experiments.store import DONE, MISSING, Store, StoreError, check_folder
from dcg_econ.experiments.where import Where


def run_study(
    name: str, folder: Path, where: Where, short: bool, quiet: bool, retries: int, checkpoint_every: float
) -> bool:
    """Runs a study and writes its report; whether a cell failed."""
    specification = load(name)
    if short:
        specification = specification.short()
    check_folder(folder)
    prepare()
    from dcg_econ.experiments.report import write_study_report
    from dcg_econ.experiments.study import Study

    study = Study.of(specification, folder)
    with progress_for(quiet) as progress:
        ran = study.execute(progress, where.connect(retries), retries, checkpoint_every)
    keep_source(name, folder)
    for line in filter(None, [ran.replaced, *(f"set aside {line}" for line in ran.aside)]):
        _say(line)
    status = ran.results.status()
    for row in status[status["error"] != ""].itertuples():
        _say(f"  {row.cell}: {row.error}")
    for row in status[status["unconverged"] > 0].itertuples():
        _say(f"  {row.cell}: {row.warnings}")
    _say(counts(status))
    _say(f"report: {write_study_report(ran.results)}")
    return bool((status["status"] != DONE).any())


def replicate_study(folder: Path, again: Path | None, quiet: bool) -> bool:
    """Runs the stored study in another, new folder and says cell by cell whether the frames are the same; whether all are."""
    old = Results(Store(folder))
    own = old.store.plan().get("own_classes", [])
    if own:
        raise StoreError(
            f"the study uses classes of its own program ({', '.join(own)}): run that with another folder, and compare"
        )
    again = again or folder.resolve().with_name(f"{folder.resolve().name}-again")
    if again.exists() and (not again.is_dir() or any(again.iterdir())):
        raise StoreError(f"{again} is there already; name a new folder with --out")
    prepare()
    from dcg_econ.experiments.study import Study

    study = Study.of(old.specification, again)
    with progress_for(quiet) as progress:
        ran = study.execute(progress, nullcontext())
    lines, compared, same = compare(old, ran.results)
    for line in lines:
        _say(line)
    _say(f"{compared} cells compared: " + ("the same, bit for bit" if same else "NOT the same"))
    return same


class Difference(NamedTuple):
    """How a cell differs: in words, and the largest gap as a share of the column's largest value (infinite where rows,
    columns, text or states differ)."""

    cell: str
    text: str
    size: float


def compare(old: Results, new: Results) -> tuple[list[str], int, bool]:
    """A line for each cell that differs or cannot be compared, how many were compared, and whether all are the same."""
    found, compared = differences(old, new)
    return [f"{each.cell}: {each.text}" for each in found], compared, compared > 0 and not found


def differences(old: Results, new: Results) -> tuple[list[Difference], int]:
    """Every difference between the cells of two results, and how many cells were compared."""
    found, compared = [], 0
    there = {cell["name"]: (cell, status) for cell, status in new.states}
    for cell, status in old.states:
        other, now = there.get(cell["name"], (None, None))
        if status.state != DONE or other is None or now is None or now.state != DONE:
            text = f"{status.state} before, {MISSING if now is None else now.state} now"
            found.append(Difference(cell["name"], text, math.inf))
            continue
        compared += 1
        first = old.store.frames(cell["id"], status.manifest)
        second = new.store.frames(other["id"], now.manifest)
        for name, frame in first.items():
            text, size = _difference(name, frame, second.get(name))
            if text:
                found.append(Difference(cell["name"], text, size))
    return found, compared


def _difference(name: str, first, second) -> tuple[str, float]:
    """How two frames differ, or nothing."""
    import numpy as np

    if second is None or list(first) != list(second) or len(first) != len(second):
        return f"{name}: other rows or columns", math.inf
    if first.equals(second):
        return "", 0.0
    gaps = {}
    for column in first:
        a, b = first[column], second[column]
        if a.equals(b):
            continue
        if a.dtype.kind != "f" or b.dtype.kind != "f" or not (a.isna() == b.isna()).all():
            gaps[column] = math.inf
        else:
            scale = np.nanmax(np.abs(a.to_numpy())) or 1.0
            gaps[column] = float(np.nanmax(np.abs(a.to_numpy() - b.to_numpy())) / scale)
    column = max(gaps, key=lambda key: gaps[key])
    most = f"{name}: {len(gaps)} columns differ, most `{column}`, by {gaps[column]:.2g} of its largest value"
    return most, gaps[column]


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
