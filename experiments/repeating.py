"""What the main script of a replication package does: run again, compare, and make tables and figures."""

from __future__ import annotations

import hashlib
import math
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.progress import progress_for
from dcg_econ.experiments.report import write_study_report
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.running import differences
from dcg_econ.experiments.store import FAILED, PLAN, PLAN_WORDS, Store, StoreError
from dcg_econ.experiments.study import Study

CHECKSUMS, RESULTS = "checksums.sha256", "results"
SAME, DIFFERENT, WRONG = 0, 1, 2


def check(home: Path, folder: Path, tolerance: float, quiet: bool) -> int:
    """Compares the files with their checksums, runs the study again in `folder`, and compares cell by cell."""
    changed = unlike(home)
    for line in changed:
        print(line)
    print(f"{CHECKSUMS}: " + (f"{len(changed)} files are not as they were" if changed else "every file is as it was"))
    same = reproduce(home, folder, tolerance, quiet, pages=False)
    return same or (DIFFERENT if changed else SAME)


def reproduce(home: Path, folder: Path, tolerance: float, quiet: bool, pages: bool = True) -> int:
    """Runs the study again in `folder`, goes on where that was interrupted, and compares cell by cell."""
    old = _stored(home)
    if old is None:
        return WRONG
    prepare()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PLAN, PLAN_WORDS):
        if (home / RESULTS / name).is_file() and not (folder / name).exists():
            shutil.copyfile(home / RESULTS / name, folder / name)
    study = Study.of(old.specification, folder)
    with progress_for(quiet) as progress:
        ran = study.execute(progress, nullcontext())
    if pages:
        print(f"report, tables and figures: {write_study_report(ran.results).parent}")
    return _compared(old, ran.results, tolerance)


def report(home: Path, folder: Path) -> int:
    """Makes report, tables and figures from the stored results."""
    old = _stored(home)
    if old is None:
        return WRONG
    prepare()
    from dcg_econ.analysis import write_report
    from dcg_econ.experiments.report import material_of

    print(f"report, tables and figures: {write_report(material_of(old), folder).parent}")
    return SAME


def checksums(home: Path) -> str:
    """A line for each file of the package, as `sha256sum --check` reads them."""
    files = sorted(path for path in home.rglob("*") if path.is_file() and path != home / CHECKSUMS)
    return "".join(f"{_sha256(path)}  {path.relative_to(home).as_posix()}\n" for path in files)


def unlike(home: Path) -> list[str]:
    """The files of the package that are missing or have changed since it was made; further ones are nobody's business."""
    path = home / CHECKSUMS
    if not path.is_file():
        return [f"{CHECKSUMS} is missing"]
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        file = home / name
        if not file.is_file():
            found.append(f"missing  {name}")
        elif _sha256(file) != digest:
            found.append(f"changed  {name}")
    return found


def _stored(home: Path) -> Results | None:
    try:
        found = Results(Store(home / RESULTS))
        return found if found.states else None
    except StoreError as error:
        print(error, file=sys.stderr)
        return None


def _compared(old: Results, new: Results, tolerance: float) -> int:
    """Says how the cells compare. A cell that failed here as it failed there is the same."""
    failed = _failed_alike(old, new)
    found, compared = differences(old, new)
    found = [each for each in found if each.cell not in failed]
    for each in found:
        print(f"{each.cell}: {each.text}")
    also = f", and {len(failed)} failed as before" if failed else ""
    if compared and not found:
        print(f"{compared} cells compared{also}: the same, bit for bit")
        return SAME
    largest = max((each.size for each in found), default=math.inf)
    size = (
        f"largest difference {largest:.3g} of a column's largest value" if math.isfinite(largest) else "not comparable"
    )
    passed = compared > 0 and largest <= tolerance
    print(f"{compared} cells compared{also}: NOT the same, {size}" + (" (within the tolerance)" if passed else ""))
    return SAME if passed else DIFFERENT


def _failed_alike(old: Results, new: Results) -> set[str]:
    errors = [
        {cell["name"]: status.manifest.get("error") for cell, status in results.states if status.state == FAILED}
        for results in (old, new)
    ]
    return {name for name, error in errors[0].items() if errors[1].get(name) == error}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
