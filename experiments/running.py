"""The commands that run studies."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.progress import progress_for
from dcg_econ.experiments.results import Results, counts
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


def compare(old: Results, new: Results) -> tuple[list[str], int, bool]:
    """A line for each cell that differs or cannot be compared, how many were compared, and whether all are the same."""
    lines, compared = [], 0
    there = {cell["name"]: (cell, status) for cell, status in new.states}
    for cell, status in old.states:
        other, now = there.get(cell["name"], (None, None))
        if status.state != DONE or other is None or now is None or now.state != DONE:
            lines.append(f"{cell['name']}: {status.state} before, {MISSING if now is None else now.state} now")
            continue
        compared += 1
        first = old.store.frames(cell["id"], status.manifest)
        second = new.store.frames(other["id"], now.manifest)
        worst = [text for name, frame in first.items() if (text := _difference(name, frame, second.get(name)))]
        lines += [f"{cell['name']}: {text}" for text in worst]
    return lines, compared, compared > 0 and not lines


def _difference(name: str, first, second) -> str:
    """How two frames differ, or nothing."""
    import numpy as np

    if second is None or list(first) != list(second) or len(first) != len(second):
        return f"{name}: other rows or columns"
    if first.equals(second):
        return ""
    gaps = {}
    for column in first:
        a, b = first[column], second[column]
        if a.equals(b):
            continue
        if a.dtype.kind != "f":
            gaps[column] = np.inf
        else:
            scale = np.nanmax(np.abs(a.to_numpy())) or 1.0
            gaps[column] = float(np.nanmax(np.abs(a.to_numpy() - b.to_numpy())) / scale)
    column = max(gaps, key=lambda key: gaps[key])
    return f"{name}: {len(gaps)} columns differ, most `{column}`, by {gaps[column]:.2g} of its largest value"


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
