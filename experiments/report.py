"""From stored results to the report of `dcg_econ.analysis`, whatever version and commit they were computed under."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dcg_econ.analysis import ReportMaterial, write_report
from dcg_econ.analysis.corrections import CORRECTIONS
from dcg_econ.experiments.codec import kinds, short_text, spelled_text
from dcg_econ.experiments.panel import parameter_columns
from dcg_econ.experiments.preanalysis import plain_tree
from dcg_econ.experiments.provenance import provenance
from dcg_econ.experiments.registration import registered
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.specification import Specification
from dcg_econ.experiments.store import StoreError, write_bytes
from dcg_econ.mechanism import AbstractGame, AbstractMechanism


def write_study_report(results: Results, path: Path | None = None) -> Path:
    """Writes report.html with its figures and tables into the results folder, or the page alone to `path`."""
    material = material_of(results)
    if path is None:
        for part in ("figures", "tables"):
            if (results.store.folder / part).is_symlink():
                raise StoreError(f"{results.store.folder / part} is a link; remove it, or name a file for the page")
        return write_report(material, results.store.folder)
    with tempfile.TemporaryDirectory() as temporary:
        page = write_report(material, Path(temporary) / "report")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, page.read_bytes())
    return path


def material_of(results: Results) -> ReportMaterial:
    """Everything that the report of a study is made of."""
    run, specification = results.run(), results.specification
    panel = results.panel()
    plan, unplanned = _registered(results, specification)
    shared: dict[str, Any] = {
        "title": specification.title,
        "question": specification.question,
        "panel": panel,
        "history": _joined(results.frames("history")),
        "field": _joined(results.frames("field")),
        "cells": results.status(),
        "parameters": tuple(parameter_columns(specification.grid)),
        "outcomes": tuple(specification.outcomes),
        "hypotheses": [hypothesis.model_dump() for hypothesis in specification.hypotheses],
        "correction": CORRECTIONS[specification.correction],
        "sessions_planned": specification.sessions,
        "settings": _settings(specification) | {"seconds": f"{run.get('seconds', 0):,.1f}"},
        "versions": _versions(results, run),
        "registered": plan,
        "specification": plain_tree(specification),
    }
    if specification.calibration is None:
        return ReportMaterial(**shared, notes=[*_general_notes(specification), *unplanned])
    from dcg_econ.experiments.fulton_report import fulton_material

    found = shared | fulton_material(results, specification, panel)
    return ReportMaterial(**(found | {"notes": [*found.get("notes", ()), *unplanned]}))


def _registered(results: Results, specification: Specification) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The plan that was registered before the data, or a note that none was."""
    try:
        plan = registered(results.store.folder)
    except StoreError as error:
        return None, [f"The registered plan cannot be compared with the study: {error}."]
    if plan is not None or not specification.hypotheses:
        return plan, []
    return None, [
        "No plan was registered before these data were computed, so nothing here shows what was fixed beforehand."
    ]


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame | None:
    return pd.concat(frames, ignore_index=True) if frames else None


def _settings(specification: Specification) -> dict[str, str]:
    """The specification in flat rows."""
    left_out = {"title", "question", "treatments", "hypotheses", "outcomes"}
    left_out |= set() if specification.hypotheses else {"correction"}
    flat = {}
    for key, value in specification.model_dump(exclude=left_out, exclude_none=True).items():
        for name, entry in value.items() if isinstance(value, dict) else [(None, value)]:
            text = ", ".join(map(short_text, entry)) if key == "grid" else short_text(entry)
            flat[f"{key}.{name}" if name else key] = text
    return flat | {"treatments": ", ".join(t.name for t in specification.treatments)}


def _versions(results: Results, run: dict[str, Any]) -> dict[str, str]:
    """Of the run; with the commits of the cells, and of the report, where they differ."""
    now, commit = provenance(), str(run.get("commit", "none"))
    parts = [run.get(part, {}) for part in ("versions", "hardware", "flags")]
    found = {str(k): str(v) for part in parts for k, v in part.items()} | {"commit": commit}
    commits = results.commits()
    if commits and commits != [commit]:
        found["commits of the cells"] = ", ".join(commits)
    if now["commit"] != commit:
        found["commit of this report"] = now["commit"]
    return found


def _listed_as(key: str, value: Any) -> str:
    """A point of the grid as tables and figures call it."""
    return f"{key.replace('_', ' ').capitalize()} = {short_text(value)}"


def _general_notes(specification: Specification) -> list[str]:
    notes = [
        f"{_listed_as(key, value)}: {spelled_text({k: v for k, v in value.items() if k != 'label'})}."
        for key, values in specification.grid.items()
        for value in values
        if isinstance(value, dict) and "kind" not in value
    ]
    learned = [t.name for t in specification.treatments if t.conduct == "learned"]
    theory, retrained = _has_regret(specification), specification.training.regret is not None
    judged = theory or retrained
    notes.append(
        "All cells are evaluated on the same draws of types, by session and round, wherever their mechanisms draw alike."
    )
    if theory:
        notes.append(
            "The Nash benchmark is the equilibrium of the study's own mechanism at each point of the grid, also where a "
            "treatment plays another; which equilibrium that is, `dcg-econ solve` says."
        )
    if any(isinstance(value, list) for values in specification.grid.values() for value in values):
        notes.append("A value of a parameter such as 3x1 is a list: three entries of 1.")
    if learned and judged:
        notes.append(
            f"A learned session is called converged when its regret is at most {specification.tolerances.regret:g} of first "
            "best; a learned profile with small regret is an approximate equilibrium, not proof of a unique one."
        )
    if learned and retrained:
        notes.append(
            "After talk regret is a lower bound: each player learns on alone against the others as they are, and its gain is "
            "measured on fresh plays; a better reply that it did not find would gain more."
        )
    if learned and not judged:
        notes.append(
            "Regret is not computed in this game, so a learned session is called converged when no training episode failed "
            "at the end: that it learned well is for the comparison with theory to say."
        )
    return notes


def _has_regret(specification: Specification) -> bool:
    """Whether the study's game is one whose regret, and whose equilibrium, the panel may have: not a game of pure talk."""
    kind = (specification.mechanism or {}).get("kind")
    return kind not in kinds(AbstractGame) or kind in kinds(AbstractMechanism)
