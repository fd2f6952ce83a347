"""Who is who in an export: treatment, agent, label, and who played which round."""

from collections.abc import Mapping

import pandas as pd

from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.otree.apps import AbstractApp
from dcg_econ.analysis.otree.columns import TREATMENT
from dcg_econ.analysis.otree.layout import PAGES, Source, session_rows, typed

HUMAN, BOT = "human", "bot"
IS_BOT, AGENT, SEEN = "participant._is_bot", "participant.agent_type", "participant._index_in_pages"
BUILT_IN = ("player.id_in_group", "player.role", "player.payoff")


def with_sessions(rows: pd.DataFrame, sessions: Source | None) -> pd.DataFrame:
    """The rows with those session columns of the wide export `sessions` that they lack."""
    if sessions is None:
        return rows
    known = session_rows(sessions)
    lost = ~rows["session.code"].isin(known.index)
    if lost.any():
        raise ValueError(
            f"`sessions` has no session {rows.loc[lost, 'session.code'].iloc[0]}: give the wide export of the same data; "
            f"{PAGES}"
        )
    return rows.join(known[[name for name in known if name not in rows]], on="session.code")


def treatments(rows: pd.DataFrame, treatment: str | Mapping[str, str] | None) -> tuple[str, pd.Series]:
    """The export column that says the treatment ("session.config.treatment" for names by session code), and its text."""
    if isinstance(treatment, Mapping):
        column, said = TREATMENT, rows["session.code"].map(dict(treatment))
    else:
        column = TREATMENT if treatment is None else _column(rows, treatment)
        if column not in rows:
            codes = ", ".join(f'"{code}": "..."' for code in rows["session.code"].unique()[:3])
            raise ValueError(
                f"no column `{column}`, and per-app files have no session.config columns: give sessions=<the wide export>, "
                f'treatment="session.config.name" or another column, or names by session, treatment={{{codes}}}'
            )
        said = rows[column]
    said = typed(said, text=True)
    if said.isna().any():
        codes = rows.loc[said.isna(), "session.code"].unique()
        raise ValueError(
            f"no treatment (`{column}`) in session {', '.join(codes[:3])}: give treatment={{code: name}} for all "
            "sessions, or leave these out"
        )
    return column, said


def agents(rows: pd.DataFrame) -> pd.Series:
    """ "human"; of bots the agent that `to_otree` wrote down, else "bot"."""
    if IS_BOT not in rows or rows[IS_BOT].isna().any():
        raise ValueError(f"`{IS_BOT}` is missing: it says who is a person; add it, 0 for people and 1 for bots")
    said = rows[AGENT] if AGENT in rows else pd.Series(None, rows.index, dtype="str")
    return said.fillna(BOT).where(rows[IS_BOT].astype(float).eq(1), HUMAN)


def people(rows: pd.DataFrame, column: str) -> pd.Series:
    """The text in `column` where it is there and one person's in the session, else the participant's code."""
    if column not in rows:
        raise ValueError(f"no column `{column}` for `participant`{nearest(column, rows.columns)}")
    label, code = typed(rows[column], text=True), rows["participant.code"]
    shared = code.groupby([rows["session.code"], label]).transform("nunique") > 1
    return label.where(label.notna() & ~shared, code)


def came(rows: pd.DataFrame) -> pd.Series:
    """Whether the participant ever opened the start link."""
    for column in (SEEN, "participant.visited"):
        if column in rows:
            return rows[column].astype(float).fillna(0) > 0
    return pd.Series(True, rows.index)


def groups(rows: pd.DataFrame, app: AbstractApp) -> pd.Series:
    """A number for every group x round; those of an app without groups are its participants."""
    last = "participant.code" if app.alone else "group.id_in_subsession"
    return rows.groupby(["session.code", "subsession.round_number", last], sort=False).ngroup()


def complete(rows: pd.DataFrame, reports: list[str], group: pd.Series) -> pd.Series:
    """Whether all of the group came and left what `reports` asks for (people something at least)."""
    done = came(rows) & rows[reports].notna().all(axis=1)
    fields = [name for name in rows if name.startswith("player.") and name not in BUILT_IN]
    if fields:
        done &= rows[fields].notna().any(axis=1) | rows[IS_BOT].astype(float).eq(1)
    if "group.complete" in rows:  # as written by `to_otree`, which has no rows of those who never came
        done &= rows["group.complete"].astype(float).eq(1)
    return done.groupby(group).transform("all")


def _column(rows: pd.DataFrame, name: str) -> str:
    if name in rows:
        return name
    close = [column for column in rows if column.rpartition(".")[2] == name]
    if len(close) != 1:
        found = f"; several: {', '.join(close)}" if close else nearest(name, rows.columns)
        raise ValueError(f"no column `{name}` for the treatment{found}")
    return close[0]
