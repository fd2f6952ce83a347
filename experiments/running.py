"""The commands that run studies."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.progress import progress_for
from dcg_econ.experiments.results import Results, counts
from dcg_econ.experiments.specification import Specification, load
from dcg_econ.experiments.store import Store, StoreError, check_folder


class Where(NamedTuple):
    """Where cells are computed: here, on so many local workers, or by a scheduler that exists."""

    workers: int | None = None
    scheduler: str | None = None
    scheduler_file: Path | None = None
    connected: Any = None  # a Dask client

    def client(self, retries: int) -> Any:
        """A context manager of a Dask client, or of None for this process."""
        from dcg_econ.experiments.runner import local_client, remote_client

        if self.workers and (self.scheduler or self.scheduler_file):
            raise StoreError("--workers starts workers here, --scheduler uses those elsewhere: give one of them")
        if self.workers:
            return local_client(self.workers, retries)
        if self.scheduler or self.scheduler_file:
            return remote_client(self.scheduler, self.scheduler_file)
        return nullcontext(self.connected)


def run_study(
    name: str, folder: Path, where: Where, short: bool, quiet: bool, retries: int, checkpoint_every: float
) -> bool:
    """Runs a study and writes its report; whether a cell failed."""
    specification = load(name)
    if short:
        specification = specification.short()
    check_folder(folder)
    prepare()
    from dcg_econ.experiments.report import make_report
    from dcg_econ.experiments.study import Study

    study = Study.of(specification, folder)
    with progress_for(quiet) as progress:
        ran = study.execute(progress, where.client(retries), retries, checkpoint_every)
    for line in ran.aside:
        _say(f"set aside {line}")
    status = study.status()
    for row in status[status["error"] != ""].itertuples():
        _say(f"  {row.cell}: {row.error}")
    for row in status[status["unconverged"] > 0].itertuples():
        _say(f"  {row.cell}: {row.warnings}")
    _say(counts(status))
    _say(f"report: {make_report(folder)}")
    return bool((status["status"] != "ok").any())


def replicate_study(folder: Path, again: Path, quiet: bool) -> bool:
    """Runs the stored study in another folder and says cell by cell whether the panel is the same; whether all are."""
    old = Results(Store(folder))
    specification: Specification = old.specification()
    if folder.resolve() == again.resolve():
        raise StoreError(f"{again} is the folder itself; name another with --out")
    prepare()
    from dcg_econ.experiments.study import Study

    study = Study.of(specification, again)
    with progress_for(quiet) as progress:
        study.execute(progress, nullcontext())
    lines, same = compare(old, Results(Store(again)))
    for line in lines:
        _say(line)
    _say("the same, bit for bit" if same else "NOT the same")
    return same


def compare(old: Results, new: Results) -> tuple[list[str], bool]:
    """A line for each cell that differs: where, and by how much at most; and whether none does."""
    lines, same = [], True
    there = {cell["name"]: (cell, status) for cell, status in new.states()}
    for cell, status in old.states():
        _, other = there.get(cell["name"], (None, None))
        if status.state != "ok" or other is None or other.state != "ok":
            state = "missing" if other is None else other.state
            same = same and status.state == state
            lines.append(f"{cell['name']}: {status.state} before, {state} now")
            continue
        first = old.store.frames(cell["id"], status.manifest)
        second = new.store.frames(there[cell["name"]][0]["id"], other.manifest)
        worst = [text for name, frame in first.items() if (text := _difference(name, frame, second.get(name)))]
        same = same and not worst
        lines += [f"{cell['name']}: {text}" for text in worst]
    return lines, same


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
