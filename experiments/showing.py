"""The commands that show a study or its results, and hand the panel on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dcg_econ.experiments.results import Results, counts
from dcg_econ.experiments.store import DONE, Store, StoreError

if TYPE_CHECKING:
    from dcg_econ.experiments.plan import Cell


def described(name: str) -> str:
    """A study in words and lines, before it runs."""
    from dcg_econ.experiments.plan import cells_of
    from dcg_econ.experiments.specification import ROUNDS, load

    s = load(name)
    cells = cells_of(s)
    lines = [s.title, s.question, ""]
    what = s.mechanism or s.calibration.model_dump()  # type: ignore[union-attr]
    lines += ["mechanism: " + ", ".join(f"{key} = {value}" for key, value in what.items())]
    rounds = f", {s.rounds or ROUNDS} rounds" if s.mechanism else ""
    lines += [f"{s.sessions} sessions{rounds}, seed {s.seed}, {s.precision}"]
    lines += [f"training: {', '.join(f'{k} = {v}' for k, v in s.training.model_dump().items())}"]
    lines += [f"tolerances: regret {s.tolerances.regret:g} of first best", f"outcomes: {', '.join(s.outcomes)}", ""]
    lines += ["treatments:"]
    for t in s.treatments:
        changes = "".join(f", {k} = {v}" for k, v in t.training.items())
        own = f", mechanism {t.mechanism}" if t.mechanism else ""
        estimator = t.estimator or _estimators(t.name, cells)
        lines.append(f"  {t.name:<24} {t.conduct}{own}, {t.protocol}, {estimator}, {t.objective}{changes}")
    if s.grid:
        lines += ["grid:", *(f"  {key}: {values}" for key, values in s.grid.items())]
    if s.hypotheses:
        lines += [f"hypotheses (p values adjusted within families: {s.correction}):"]
        for h in s.hypotheses:
            claim = f"equal within {h.margin:g}" if h.margin else h.alternative
            lines.append(f"  {h.name}: {h.outcome}, {h.treatment} against {h.against}: {claim} (family {h.family})")
    lines += [f"{len(cells)} cells:", *(f"  {cell.name:<50} {cell.hash}" for cell in cells[:200])]
    return "\n".join([*lines, *([f"  and {len(cells) - 200} more"] if len(cells) > 200 else [])])


def _estimators(treatment: str, cells: Sequence[Cell]) -> str:
    """What suits the mechanism, where the specification left the estimator to it."""
    own = [cell.document["estimator"]["kind"] for cell in cells if cell.document.get("treatment") == treatment]
    return " or ".join(dict.fromkeys(own))


def status_lines(folder: Path) -> Iterator[str]:
    """The state of every cell, and the counts. Changes nothing: a run may be at work."""
    results = Results(Store(folder))
    status = results.status()
    for row in status.itertuples():
        detail = row.error or row.warnings
        seconds = f"{row.seconds:8.1f} s" if row.status == "ok" else " " * 10
        yield f"{row.status:<8}{seconds}  {row.cell}" + (f": {detail[:160]}" if detail else "")
    for line in results.store.aside:
        yield f"damaged  {line}"
    planned = {cell["id"] for cell in results.cells}
    others = [p for p in (Path(folder) / "cells").glob("*") if p.name not in planned and not p.name.startswith(".")]
    if others:
        yield f"{len(others)} cells of earlier specifications or versions are kept beside these"
    yield counts(status)


def exported(folder: Path, to: Path, otree: bool) -> tuple[list[Path], str]:
    """Writes the panel of a results folder to a file, by its suffix; the files written, and what was left out."""
    from dcg_econ.analysis.export import write_csv, write_stata

    if to.suffix not in (".csv", ".dta") or (otree and to.suffix != ".csv"):
        raise StoreError(f"{to}: give a name that ends in .csv" + ("" if otree else " or .dta"))
    if not to.parent.is_dir():
        raise StoreError(f"{to.parent} is no folder; make it first")
    results = Results(Store(folder))
    panel = results.panel()
    if panel.empty:
        raise StoreError(f"{folder} holds no finished cell: {counts(results.status())}")
    if otree:
        from dcg_econ.analysis.otree import to_otree

        to_otree(panel).to_csv(to, index=False, lineterminator="\n")
        return [to], incomplete(results)
    written = write_csv(panel, to) if to.suffix == ".csv" else write_stata(panel, to)
    return [written, written.with_name(f"{written.stem}_codebook.csv")], incomplete(results)


def incomplete(results: Results) -> str:
    """What a panel or report of these results is without; nothing where all cells are whole."""
    status = results.status()
    if (status["status"] == DONE).all():
        return ""
    damaged = "".join(f"\ndamaged: {line}" for line in results.store.aside)
    return f"not all cells are in it: {counts(status)}{damaged}"
