"""The table of computation: which cells ran, how long, and what went wrong."""

from collections.abc import Sequence

import pandas as pd

from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.tables import MISSING, Table, number_text

SHOWN = 40  # rows on the page; cells.csv has all
ERROR = 160  # characters of an error on the page
ORDER = {"failed": 0, "missing": 1}
COLUMNS = ("status", "sessions", "unconverged", "seconds", "warnings", "error")


def cells_table(cells: pd.DataFrame, parameters: Sequence[str] = ()) -> Table:
    """Cells with status, sessions, seconds, warnings and errors, failed ones first, at most 40 of them printed."""
    require_columns(cells, ["cell", "status"], "frame of cells")
    frame = cells.set_index("cell")
    status = frame["status"].astype(str)
    unconverged = pd.to_numeric(frame["unconverged"], errors="coerce").fillna(0) if "unconverged" in frame else 0
    rank = status.map(ORDER).fillna(pd.Series(3, frame.index) - (pd.Series(unconverged, frame.index) > 0))
    rank = rank.where(status.isin([*ORDER, "ok"]), 0)
    frame = frame.iloc[rank.to_numpy().argsort(kind="stable")]
    names = [name for name in COLUMNS if name in frame and not _blank(frame[name])]
    top = frame[names].head(SHOWN)
    printed = pd.DataFrame({"Cell": [str(name) for name in top.index]}, dtype=object)
    for name in names:
        printed[name.capitalize()] = [_cell(name, value) for value in top[name]]
    notes = [
        "Seconds: wall clock, compilation included. Failed cells come first, then those with unconverged sessions."
    ]
    if len(frame) > SHOWN:
        notes.append(
            f"{SHOWN} of {len(frame):,d} cells are printed; the other {len(frame) - SHOWN:,d} stand in tables/cells.csv."
        )
    if "error" in names:
        notes.append("Errors: the first line, cut where it is long; in full in tables/cells.csv.")
    return Table(
        frame, "Computation by cell", tuple(notes), name="cells", printed=printed, text=("Status", "Warnings", "Error")
    )


def _cell(name: str, value: object) -> str:
    if name == "error":
        lines = str(value or "").strip().splitlines()
        text = lines[0] if lines else MISSING
        return text if len(text) <= ERROR else text[: ERROR - 1] + "…"
    if name == "seconds":
        return number_text(value, ",.1f")
    if name in ("sessions", "unconverged") and isinstance(value, float) and value == value:
        return f"{value:,.0f}"
    return number_text(value) if str(value) else MISSING


def _blank(column: pd.Series) -> bool:
    return bool((column.isna() | (column.astype(str) == "")).all())
