"""Panels out: CSV with a codebook, and Stata. A file is written whole under a temporary name and then renamed."""

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from dcg_econ.analysis.stata import CLIPPED, LONGEST_LABEL, stata_column, stata_labels, stata_names

UNDATED = datetime(2000, 1, 1)  # the date in every .dta, so that the same panel gives the same bytes


def write_csv(panel: pd.DataFrame, path: str | Path) -> Path:
    """Writes the panel as CSV, and `<name>_codebook.csv` (variable, label, type) beside it; returns the panel's path.

    UTF-8, unquoted where possible, numbers with all their digits, booleans as 1/0, missing and infinite values empty.
    Labels come from `panel.attrs["variable_labels"]`.
    """
    path = Path(path)
    plain = pd.DataFrame({name: _plain(panel[name]) for name in panel}, index=panel.index)
    codebook = pd.DataFrame(
        [{"variable": name, "label": _labels(panel).get(name, ""), "type": kind_of(panel[name])} for name in panel],
        columns=["variable", "label", "type"],
    )
    whole(path, lambda target: plain.to_csv(target, index=False, lineterminator="\n"))
    _write_codebook(codebook, path)
    return path


def write_stata(panel: pd.DataFrame, path: str | Path) -> Path:
    """Writes the panel as .dta (Stata 14 and newer) with variable labels and a codebook beside it; returns the path.

    A name that Stata does not allow (longer than 32 characters, other signs than letters, digits and underscores, a
    reserved word) is replaced, the same way for the same columns, and the variable's label ends in the old one, in square
    brackets; the codebook CSV (variable, stata_name, label, type) has every name and label uncut. Booleans become bytes
    0/1, whole numbers longs (doubles beyond two thousand million, text beyond 2^53), other numbers doubles; missing and
    infinite numbers become missing, missing text empty. The data label counts the numbers lost so.
    """
    path = Path(path)
    names = stata_names(list(panel))
    columns, clipped = {}, 0
    for old, new in names.items():
        columns[new], lost = stata_column(panel[old])
        clipped += lost
    frame = pd.DataFrame(columns, index=panel.index)
    labels = stata_labels(names, _labels(panel))
    note = f"{CLIPPED} {clipped}" if clipped else "dcg_econ panel"
    codebook = pd.DataFrame(
        [
            {"variable": old, "stata_name": new, "label": _labels(panel).get(old, ""), "type": kind_of(panel[old])}
            for old, new in names.items()
        ],
        columns=["variable", "stata_name", "label", "type"],
    )

    def write(target: Path) -> None:
        frame.to_stata(
            target,
            write_index=False,
            version=118,
            variable_labels=labels,
            data_label=note[:LONGEST_LABEL],
            time_stamp=UNDATED,
        )

    whole(path, write)
    _write_codebook(codebook, path)
    return path


def kind_of(column: pd.Series) -> str:
    """What a codebook says of a column: yes/no, integer, number, text, or empty."""
    if column.isna().all():
        return "empty"
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred == "boolean":
        return "yes/no (1/0)"
    if inferred == "integer":
        return "integer"
    return "number" if inferred in ("floating", "mixed-integer-float", "decimal") else "text"


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with a temporary name in the folder of `path` and renames what it wrote: all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        target = Path(folder) / path.name
        write(target)
        os.replace(target, path)


def _write_codebook(codebook: pd.DataFrame, path: Path) -> None:
    beside = path.with_name(f"{path.stem}_codebook.csv")
    whole(beside, lambda target: codebook.to_csv(target, index=False, lineterminator="\n"))


def _labels(panel: pd.DataFrame) -> Mapping[str, str]:
    return panel.attrs.get("variable_labels", {})


def _plain(column: pd.Series) -> pd.Series:
    """Booleans as 1/0, with or without missing ones; whole numbers with missing ones without a decimal point."""
    kind = kind_of(column)
    if kind == "yes/no (1/0)":
        return column.astype(object).map({True: 1, False: 0}).astype("Int64")
    if kind == "integer" and not pd.api.types.is_integer_dtype(column):
        return column.astype("Int64")
    if pd.api.types.is_float_dtype(column):
        return column.astype(float).replace([np.inf, -np.inf], np.nan)
    return column
