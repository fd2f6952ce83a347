"""The two layouts of an oTree export (5 and 6) as one: a row per participant and round, columns as in the per-app file.

Per app:           participant.code, player.<field>, group.<field>, subsession.round_number, session.code
All apps (wide):   the same participant.* and session.*, session.config.<name>, and <app>.<round>.player.<field> ...

oTree writes booleans as 1/0 and what is missing as nothing. Codes and labels stay text, whatever they look like ("007",
"1e234567"); any other column whose values all are numbers is one.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from dcg_econ.analysis.escape import unguarded
from dcg_econ.analysis.export import GUARDED
from dcg_econ.analysis.names import nearest

Source: TypeAlias = str | Path | pd.DataFrame

WIDE = re.compile(r"(?P<app>[^.]+)\.(?P<round>\d+)\.(?P<field>(?:player|group|subsession)\..+)")
NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?|inf)")
WHOLE = re.compile(r"[+-]?\d+")
LONG = re.compile(r"[+-]?\d{19,}")  # a code, no number: more digits than 64 bits hold
TEXT = re.compile(
    r"participant\.(?:code|label|agent_type|time_started_utc|_current_\w+|mturk_\w+)|player\.role"
    r"|session\.(?:code|label|comment|mturk_\w+)|session\.config\.(?:name|treatment|cell|mechanism|parameters)"
)
KEYS = ("participant.code", "player.id_in_group", "group.id_in_subsession", "subsession.round_number", "session.code")
PAGES = "on oTree's data page choose one app's file or all apps (wide), as CSV"


def read_rows(source: Source, app: str | None) -> tuple[pd.DataFrame, str]:
    """The export's rows with per-app column names, and the app's name (empty where a per-app frame does not say).

    `app` picks one app of a wide file. Raises ValueError for another kind of file, an app that is not there, and a
    participant who has a round twice.
    """
    table = _table(source)
    found = {match.string: match for match in map(WIDE.fullmatch, map(str, table)) if match}
    name = app or ("" if isinstance(source, pd.DataFrame) else Path(source).stem)
    if found:
        name = _app(app, [match["app"] for match in found.values()])
        table = _long(table, {k: v for k, v in found.items() if v["app"] == name})
    for column in KEYS:
        if column not in table:
            raise ValueError(f"no oTree export of an app: no column `{column}`{nearest(column, table)}; {PAGES}")
    rows = pd.DataFrame({column: typed(table[column], bool(TEXT.fullmatch(column))) for column in table})
    rows = rows.reset_index(drop=True)
    if rows.empty:
        raise ValueError(
            f"the export has no rows{f' of app `{name}`' if name else ''}: has a session been made? {PAGES}"
        )
    _check_keys(rows)
    return rows, name


def session_rows(source: Source) -> pd.DataFrame:
    """One row per session of a wide export, indexed by its code: the session.config columns that per-app files lack."""
    table = _table(source)
    if "session.code" not in table:
        raise ValueError(f"`sessions` has no column `session.code`: give the wide export; {PAGES}")
    names = [name for name in table if str(name).startswith("session.")]
    rows = pd.DataFrame({name: typed(table[name], bool(TEXT.fullmatch(name))) for name in names})
    rows = rows.drop_duplicates()
    twice = rows["session.code"].duplicated()
    if twice.any():
        raise ValueError(f"`sessions` says two different things of session {rows.loc[twice, 'session.code'].iloc[0]}")
    return rows.set_index("session.code")


def labels_beside(source: Source) -> Mapping[str, str]:
    """Labels by export column: those in a frame's `attrs`, or in `<name>_codebook.csv` that `write_csv` left beside."""
    if isinstance(source, pd.DataFrame):
        return source.attrs.get("variable_labels", {})
    book = _codebook(source)
    return {} if book is None else dict(zip(book["variable"], book["label"], strict=True))


def _codebook(source: str | Path) -> pd.DataFrame | None:
    """The codebook that `write_csv` left beside a file, if it did; the apostrophes that guard spreadsheets are gone."""
    path = Path(source)
    beside = path.with_name(f"{path.stem}_codebook.csv")
    if not beside.is_file():
        return None
    book = pd.read_csv(beside, dtype=str, keep_default_na=False, encoding="utf-8").map(unguarded)
    return book if {"variable", "label", "type"} <= set(book) else None


def typed(column: pd.Series, text: bool) -> pd.Series:
    """The column with empty cells as missing values: text, or numbers where all that is there are numbers."""
    if pd.api.types.is_numeric_dtype(column) and not text:
        return column.astype(float) if column.isna().any() else column
    codes, levels = pd.factorize(column.to_numpy(object))  # missing: -1, the last of what follows
    strings = [*(_as_text(level) if text else str(level) for level in levels), ""]
    there = [value for value in strings if value]
    if text or not all(NUMBER.fullmatch(value) and not LONG.fullmatch(value) for value in there):
        found = np.array([value or None for value in strings], dtype=object)
        return pd.Series(found[codes], column.index, dtype="str", name=column.name)
    gaps = "" in strings[:-1] or -1 in codes or not there
    if not gaps and all(WHOLE.fullmatch(value) for value in there):
        return pd.Series(np.array([int(value or 0) for value in strings])[codes], column.index, name=column.name)
    return pd.Series(np.array([float(value or "nan") for value in strings])[codes], column.index, name=column.name)


def _as_text(value: object) -> str:
    """A label that a frame holds as a number, as it stood in the file: 3.0 in a column with gaps was 3."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _table(source: Source) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    try:
        table = pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{Path(source).name} is no CSV file in UTF-8 ({error}); {PAGES}") from error
    book = _codebook(source)
    if book is None or len(book) != table.shape[1]:
        return table
    table.columns = pd.Index([unguarded(name) for name in table])
    for name in book.loc[book["type"] == GUARDED, "variable"]:
        table[name] = table[name].map(unguarded)
    return table


def _app(app: str | None, names: list[str]) -> str:
    apps = list(dict.fromkeys(names))
    if app is None and len(apps) > 1:
        raise ValueError(f'the file holds several apps: {", ".join(apps)}; give app=OTreeApp("{apps[0]}"), say')
    if app is not None and app not in apps:
        raise ValueError(f"the file has no app `{app}`{nearest(app, apps)}; give the app's `name`")
    return app or apps[0]


def _long(table: pd.DataFrame, columns: Mapping[str, re.Match]) -> pd.DataFrame:
    """Rounds below each other; a participant whose session never had the app, or the round, has no row."""
    shared = [name for name in table if str(name).startswith(("participant.", "session."))]
    parts = []
    for number in sorted({int(match["round"]) for match in columns.values()}):
        own = {name: match["field"] for name, match in columns.items() if int(match["round"]) == number}
        part = table[[*shared, *own]].rename(columns=own)
        if "player.id_in_group" in part:
            empty = part["player.id_in_group"].isna() | part["player.id_in_group"].eq("")
            part = part[~empty]
        parts.append(part.assign(**{"subsession.round_number": number}))
    rows = pd.concat(parts, ignore_index=True)
    order = {code: place for place, code in enumerate(table["session.code"].unique())}
    keys = pd.DataFrame({"session": rows["session.code"].map(order), "round": rows["subsession.round_number"]})
    return rows.loc[keys.sort_values(["session", "round"], kind="stable").index]  # as in the per-app file


def _check_keys(rows: pd.DataFrame) -> None:
    for column in KEYS:
        if rows[column].isna().any():
            raise ValueError(
                f"`{column}` is empty in row {int(rows[column].isna().to_numpy().argmax()) + 1} of the app"
            )
    keys = ["session.code", "participant.code", "subsession.round_number"]
    twice = rows.duplicated(keys)
    if twice.any():
        session, code, number = rows.loc[twice, keys].iloc[0]
        raise ValueError(
            f"participant {code} of session {session} has round {number} twice: the file seems to be joined with "
            "itself; drop_duplicates() it, or give one export"
        )
