"""The results of a study, read from its folder alone: by any later version, wherever and whenever they were computed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from dcg_econ.experiments.panel import join, parameter, parameter_columns
from dcg_econ.experiments.provenance import peak_memory, provenance
from dcg_econ.experiments.specification import Specification, stored
from dcg_econ.experiments.store import DONE, FAILED, MISSING, Status, Store, StoreError, to_json, write_bytes

if TYPE_CHECKING:
    from dcg_econ.experiments.plan import Cell


class Results:
    """The cells of the study that last ran in a store, or of a study that is at hand."""

    def __init__(self, store: Store, specification: Specification | None = None, cells: Sequence[Cell] | None = None):
        self.store = store
        self._specification = specification
        self._cells = None if cells is None else listed(cells)

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.store.plan()["cells"] if self._cells is None else self._cells

    @property
    def specification(self) -> Specification:
        """As it was run. What a later version has added is at its default, what it has dropped is left out."""
        return stored(self.store.plan()["specification"]) if self._specification is None else self._specification

    @cached_property
    def states(self) -> list[tuple[dict[str, Any], Status]]:
        """Each planned cell with its state, as of the first look."""
        return [(cell, self.store.finished(cell["name"], cell["id"])) for cell in self.cells]

    def frames(self, name: str) -> list[pd.DataFrame]:
        """The frame `name` of every finished cell that has one, in the order of the plan."""
        found = (self.store.frames(cell["id"], s.manifest, [name]) for cell, s in self.states if s.state == DONE)
        return [frames[name] for frames in found if name in frames]

    def panel(self) -> pd.DataFrame:
        """All finished cells in one panel."""
        return join(self.frames("panel"), self.specification)

    def status(self) -> pd.DataFrame:
        """One row per cell: cell, treatment, parameters, status, sessions, unconverged, seconds, warnings, error."""
        return pd.DataFrame([_row(cell, status) for cell, status in self.states])

    def run(self) -> dict[str, Any]:
        """Provenance and seconds of the last run, where there was one."""
        return self.store.plan()["run"]

    def commits(self) -> list[str]:
        """The commits under which the finished cells were computed."""
        done = [s.manifest for _, s in self.states if s.state == DONE]
        return sorted({str(manifest.get("commit", "none")) for manifest in done})

    def facts(self) -> dict[str, Any]:
        """What cells left for the report besides frames."""
        return {k: v for _, s in self.states if s.state == DONE for k, v in s.manifest.get("facts", {}).items()}


def begin(store: Store, specification: Specification, cells: Sequence[Cell], own_classes: Sequence[str]) -> str:
    """Writes the plan of a run before its first cell; a sentence where another study's plan was there."""
    replaced, seconds, plan = "", 0.0, specification.model_dump()
    try:
        old = store.plan()
    except StoreError:
        old = None
    if old is not None and old["specification"] == json.loads(to_json(plan)):
        seconds = float(old["run"].get("seconds", 0.0))
    elif old is not None:
        kept = store.keep_plan()
        replaced = (
            f"panel and report were of another specification, kept as {kept}: they are replaced, its cells are not"
        )
    run = provenance() | {"seconds": seconds}
    store.write_plan({"specification": plan, "own_classes": list(own_classes), "cells": listed(cells), "run": run})
    return replaced


def finish(store: Store, specification: Specification, cells: Sequence[Cell], seconds: float) -> Results:
    """Adds the time to the plan, and writes the whole panel and the table of cells beside the cells."""
    plan, results = store.plan(), Results(store, specification, cells)
    plan["run"]["seconds"] = round(float(plan["run"]["seconds"]) + seconds, 1)
    plan["run"]["peak_memory_mb"] = peak_memory()
    store.write_plan(plan)
    panel, folder = results.panel(), store.folder
    write_bytes(folder / "panel.parquet", panel.to_parquet(index=False))
    write_bytes(folder / "panel.csv", panel.to_csv(index=False, lineterminator="\n").encode())
    write_bytes(folder / "cells.csv", results.status().to_csv(index=False, lineterminator="\n").encode())
    return results


def listed(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """What a plan says of its cells."""
    return [{"name": cell.name, "id": cell.id, **_about(cell.document)} for cell in cells]


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    point = {name: parameter(value) for name, value in parameter_columns(document.get("parameters", {})).items()}
    return {"treatment": document.get("treatment", document["task"]), "parameters": point}


def _row(cell: Mapping[str, Any], status: Status) -> dict[str, Any]:
    kept = status.manifest
    row = {"cell": cell["name"], "treatment": cell["treatment"], **cell["parameters"], "status": status.state}
    warnings = "; ".join(map(str, kept.get("warnings", []))) if status.state == DONE else ""
    return row | {
        "sessions": int(kept.get("sessions", 0)),
        "unconverged": int(kept.get("unconverged", 0)),
        "seconds": float(kept.get("seconds", float("nan"))),
        "warnings": warnings,
        "error": str(kept.get("error", "")) if status.state == FAILED else "",
    }


def counts(status: pd.DataFrame) -> str:
    """How many cells are done, failed, missing, and hold sessions that did not converge, in a sentence."""
    states = status["status"].value_counts()
    bad = status[status["unconverged"] > 0]
    text = ", ".join(f"{int(states.get(state, 0))} {word}" for state, word in ((DONE, "done"), (FAILED, "failed")))
    missing = f", {int(states[MISSING])} missing" if MISSING in states else ""
    sessions = f"{int(bad['unconverged'].sum())} of {int(status['sessions'].sum())} sessions did not converge"
    where = f" (in {len(bad)} cells)" if len(bad) else ""
    return f"{len(status)} cells: {text}{missing}; {sessions}{where}"
