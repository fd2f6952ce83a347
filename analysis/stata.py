"""What Stata allows: names of 32 characters, labels of 80, and its value types."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

LONGEST_NAME, LONGEST_LABEL = 32, 80
LARGEST_LONG = 2_147_483_620  # beyond it Stata keeps its missing values
LARGEST_DOUBLE = 8.988e307
EXACT = 2**53  # up to here a double holds every whole number
CLIPPED = "Infinite or too large numbers set to missing:"
RESERVED = {
    *("_all", "_b", "_coef", "_cons", "_n", "_N", "_pi", "_pred", "_rc", "_skip", "_se"),
    *("byte", "double", "float", "if", "in", "int", "long", "str", "strL", "using", "with"),
}


def stata_names(names: Sequence[str]) -> dict[str, str]:
    """Legal and unique names, the same for the same columns: legal ones stay, others are cleaned, cut and numbered."""
    taken = {name for name in names if _legal(name)}
    found = {}
    for name in names:
        found[name] = name if _legal(name) else _free(_cleaned(name), taken)
        taken.add(found[name])
    return found


def stata_labels(names: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by new name, at most 80 characters; a replaced name stands at the end in square brackets."""
    found = {}
    for old, new in names.items():
        was = f"[{old}]" if old != new else ""
        room = LONGEST_LABEL - len(was) - bool(was)
        text = labels.get(old, "")
        text = text if len(text) <= room else text[: max(room - 1, 0)].rstrip() + "…"
        found[new] = f"{text} {was}".strip() if len(was) < LONGEST_LABEL else was[: LONGEST_LABEL - 1] + "…"
    return found


def stata_column(column: pd.Series) -> tuple[pd.Series, int]:
    """The column in a type that Stata has, and how many numbers it had to set to missing."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if column.isna().all():
        return pd.Series(np.nan, column.index, dtype=float), 0
    if kind == "boolean":
        numbers = column.astype(object).map({True: 1.0, False: 0.0})
        return (numbers.astype("int8"), 0) if column.notna().all() else (numbers.astype(float), 0)
    if kind == "integer":
        return _whole(column), 0
    if kind in ("floating", "mixed-integer-float", "decimal"):
        values = column.astype(object).where(column.notna(), np.nan).astype(float)
        lost = values.abs() > LARGEST_DOUBLE
        return values.mask(lost), int(lost.sum())
    return column.astype(object).where(column.notna(), "").map(str), 0


def _whole(column: pd.Series) -> pd.Series:
    largest = max(abs(int(column.max())), abs(int(column.min())))
    if largest > EXACT:
        return column.astype(object).where(column.notna(), "").map(str)
    if largest > LARGEST_LONG or column.isna().any():
        return column.astype(object).where(column.notna(), np.nan).astype(float)
    return column.astype("int32")


def _legal(name: str) -> bool:
    pattern = rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}"
    return bool(re.fullmatch(pattern, name)) and name not in RESERVED and not re.fullmatch(r"str\d+", name)


def _cleaned(name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_]", "_", str(name)) or "v"
    if not re.match(r"[A-Za-z_]", text):
        text = f"v_{text}"
    text = text[:LONGEST_NAME]
    return text if _legal(text) else f"{text}_"[-LONGEST_NAME:]


def _free(name: str, taken: set[str]) -> str:
    """`name`, or the first of name_2, name_3, ... within the length that nobody has."""
    number, tried = 1, name
    while tried in taken:
        number += 1
        tail = f"_{number}"
        tried = name[: LONGEST_NAME - len(tail)] + tail
    return tried
