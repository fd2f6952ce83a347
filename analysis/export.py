"""Panels out: CSV with a codebook, and Stata. A file is written whole under a temporary name and then renamed."""

import csv
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from dcg_econ.analysis.escape import guarded, unguarded
from dcg_econ.analysis.stata import CLIPPED, LONGEST_LABEL, stata_column, stata_labels, stata_names

GUARDED = "text; an apostrophe in front guards cells that a spreadsheet would run"
UNDATED = datetime(2000, 1, 1)  # the date in every .dta, so that the same panel gives the same bytes


def write_csv(panel: pd.DataFrame, path: str | Path) -> Path:
    """Writes the panel as CSV, and `<name>_codebook.csv` (variable, label, type) beside it; returns the panel's path.

    UTF-8, unquoted where possible, numbers with all their digits, booleans as 1/0, missing and infinite values empty.
    Text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a line break, and is no number) has
    an apostrophe in front, in cells and heads alike; the codebook's type says in which columns, and `read_csv` takes it
    away again. Labels come from `panel.attrs["variable_labels"]`.
    """
    path = Path(path)
    plain = pd.DataFrame({name: _plain(panel[name]) for name in panel}, index=panel.index)
    safe = spreadsheet_safe(plain)
    kinds = {name: kind_of(panel[name]) for name in panel}
    kinds |= {name: GUARDED for i, name in enumerate(panel) if not safe.iloc[:, i].equals(plain.iloc[:, i])}
    codebook = pd.DataFrame(
        [{"variable": name, "label": _labels(panel).get(name, ""), "type": kinds[name]} for name in panel],
        columns=["variable", "label", "type"],
    )
    whole(path, lambda target: _to_csv(safe, target))
    _write_codebook(codebook, path)
    return path


def read_csv(path: str | Path) -> pd.DataFrame:
    """A panel as `write_csv` wrote it: apostrophes gone, text as text and numbers as numbers by the codebook beside it,
    missing cells missing, labels in `attrs["variable_labels"]`.

    Raises FileNotFoundError without the codebook, ValueError where the two do not belong together.
    """
    path = Path(path)
    book = pd.read_csv(_beside(path), dtype=str, keep_default_na=False, encoding="utf-8")
    book = book.map(unguarded)
    words = {i: str for i, kind in enumerate(book["type"]) if kind in ("text", GUARDED)}
    panel = pd.read_csv(path, dtype=words, keep_default_na=False, na_values=[""], encoding="utf-8", header=0)
    panel.columns = pd.Index([unguarded(str(name)) for name in panel])
    if list(panel) != list(book["variable"]):
        raise ValueError(f"{_beside(path).name} is not the codebook of {path.name}: their columns differ")
    for i in words:
        panel.isetitem(i, panel.iloc[:, i].map(unguarded, na_action="ignore"))
    labels = zip(book["variable"], book["label"], strict=True)
    panel.attrs["variable_labels"] = {name: label for name, label in labels if label}
    return panel


def spreadsheet_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before every text, heads among them, that a spreadsheet would take for a formula."""
    safe = frame.copy()
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype):
            words = {cell for cell in column if isinstance(cell, str)}
            risky = {cell: guarded(cell) for cell in words if guarded(cell) != cell}
            if risky:
                safe.isetitem(i, [risky.get(cell, cell) if isinstance(cell, str) else cell for cell in column])
    return safe.rename(columns=lambda name: guarded(name) if isinstance(name, str) else name)


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
    whole(_beside(path), lambda target: _to_csv(spreadsheet_safe(codebook), target))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_codebook.csv")


def _to_csv(frame: pd.DataFrame, target: Path) -> None:
    """Text is quoted where a carriage return would end the row: the csv module before 3.13 does not see to it."""
    text = frame.select_dtypes(["object", "string", "category"])
    returns = any("\r" in str(cell) for i in range(text.shape[1]) for cell in text.iloc[:, i])
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    frame.to_csv(target, index=False, lineterminator="\n", quoting=quoting, encoding="utf-8")


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
