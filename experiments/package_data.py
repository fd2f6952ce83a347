"""The data of a replication package: every frame as CSV and Parquet, and a codebook of every column."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dcg_econ.analysis.export import kind_of, write_csv
from dcg_econ.analysis.pages import markdown_text
from dcg_econ.experiments.definitions import CELLS, HISTORY
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.store import DONE

VALUES = 12  # different texts of a column that the codebook lists
NOTES = {
    "panel": "one row per session x round x participant: what every table and test is computed from",
    "history": "one row per session and record of its training",
    "cells": "one row per cell: state, sessions, seconds, warnings, error",
}


class Dataset(NamedTuple):
    """A frame that the package holds: its name, rows, and what it is."""

    name: str
    rows: int
    notes: str


def write_data(found: Results, panel: pd.DataFrame, folder: Path) -> list[Dataset]:
    """Writes NAME.csv and NAME.parquet for each frame, and codebook.csv and codebook.md; what was written."""
    folder.mkdir()
    frames = {"panel": panel} | _others(found) | {"cells": found.status()}
    labels = dict(panel.attrs.get("variable_labels", {}))
    rows = []
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        with tempfile.TemporaryDirectory() as temporary:  # its own codebook is not wanted: there is one for all
            write_csv(frame, Path(temporary) / f"{name}.csv").replace(folder / f"{name}.csv")
        known = labels | (HISTORY if name == "history" else CELLS if name == "cells" else {})
        rows += [_entry(name, column, frame[column], known) for column in frame]
    codebook = pd.DataFrame(rows)
    codebook.to_csv(folder / "codebook.csv", index=False, lineterminator="\n")
    (folder / "codebook.md").write_text(_words(codebook), encoding="utf-8", newline="\n")
    return [Dataset(name, len(frame), NOTES.get(name, "made by one cell or more")) for name, frame in frames.items()]


def _others(found: Results) -> dict[str, pd.DataFrame]:
    """What cells left besides their panels, each frame of all cells together."""
    names = {name for _, s in found.states if s.state == DONE for name in s.manifest["files"]} - {"panel"}
    made = {}
    for name in sorted(names):
        frames = [frame.copy(deep=False) for frame in found.frames(name)]
        for frame in frames:
            frame.attrs = {}
        made[name] = pd.concat(frames, ignore_index=True)
    return made


def _entry(file: str, column: str, values: pd.Series, labels: Mapping[str, str]) -> dict[str, Any]:
    kind = kind_of(values)
    low = high = listed = ""
    if kind in ("number", "integer"):
        low, high = (f"{float(edge):.6g}" for edge in (values.min(), values.max()))
    elif kind == "text":
        texts = list(dict.fromkeys(str(value) for value in values.dropna()))
        listed = "; ".join(texts[:VALUES]) + (f"; {len(texts) - VALUES} more" if len(texts) > VALUES else "")
    elif kind.startswith("yes/no"):
        listed = "1 yes; 0 no"
    return {
        "file": file,
        "variable": column,
        "label": labels.get(column, column.replace("_", " ").capitalize()),
        "type": kind,
        "missing": _empty(values),
        "minimum": low,
        "maximum": high,
        "values": listed,
    }


def _empty(values: pd.Series) -> int:
    """How many cells of a column are empty in the CSV file."""
    if pd.api.types.is_float_dtype(values):
        return int((~np.isfinite(values)).sum())
    return int((values.isna() | (values.astype(str) == "")).sum())


def _words(codebook: pd.DataFrame) -> str:
    parts = [
        "# Codebook",
        "Missing values are empty in the CSV files, as are infinite ones; the Parquet files keep both.",
    ]
    for name, own in codebook.groupby("file", sort=False):
        shown = own.drop(columns="file").astype(str).map(markdown_text)
        table = shown.to_markdown(index=False, disable_numparse=True)
        parts += [f"## {name}.csv, {name}.parquet", table]
    return "\n\n".join(parts) + "\n"
