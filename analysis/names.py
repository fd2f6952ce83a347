"""Columns that must be there, and the nearest name to one that is not."""

import difflib
from collections.abc import Iterable

import pandas as pd


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: str = "panel") -> None:
    """Raises ValueError that names the missing columns of `frame` and the nearest present ones."""
    for column in columns:
        if column not in frame:
            raise ValueError(f"the {what} has no column `{column}`{nearest(column, frame.columns)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as "; did you mean `price`?", or the list of what is known."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1) or [item for item in known if str(name) in item]
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known)}"
