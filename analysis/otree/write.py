"""Panels in the shape of an oTree export, so that scripts written for the laboratory read simulated sessions too.

Columns as in oTree 6's per-app file, in its order: participant.code, participant._is_bot, player.id_in_group, player.role,
player.<field>, player.payoff, group.<field>, group.id_in_subsession, subsession.round_number, session.code; and
session.config.<name>, which oTree has in its wide file only.
"""

import hashlib
import string
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from dcg_econ.analysis.export import kind_of
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.otree.columns import (
    BOOLEANS,
    COUNTS,
    FIRST,
    GROUP,
    NAMED,
    OTREE_COLUMNS,
    PARAMETERS,
    SESSION,
)
from dcg_econ.analysis.points import PARAMETERS as SWEPT

LENGTH = 8  # characters of an oTree code
LETTERS = string.ascii_lowercase + string.digits
HUMAN = "human"
MODELS = ("participant.", "player.", "group.", "subsession.", "session.", "session.config.")
# What every export has, in its order; a column without a default stands for what the panel says.
BUILT_IN = {
    "participant.id_in_session": None,
    "participant.code": None,
    "participant.label": None,
    "participant._is_bot": None,
    "participant._index_in_pages": 1,  # through its one page: scripts that keep who has finished keep the simulated too
    "participant._max_page_index": 1,
    "participant._current_app_name": None,
    "participant._current_page_name": "",
    "participant.time_started_utc": "",
    "participant.visited": 1,
    "participant.mturk_worker_id": "",
    "participant.mturk_assignment_id": "",
    "participant.payoff": None,
    "player.id_in_group": None,
    "player.role": "",
    "player.payoff": None,
    "group.id_in_subsession": 1,
    "subsession.round_number": None,
    "session.code": None,
    "session.label": "",
    "session.mturk_HITId": "",
    "session.mturk_HITGroupId": "",
    "session.comment": "",
    "session.is_demo": 0,
}


def to_otree(panel: pd.DataFrame) -> pd.DataFrame:
    """One row per session x round x participant with oTree's column names; the panel's order is kept.

    An oTree session is one session of one cell. Codes are eight letters and digits, made from the cell, the session and
    the participant: the same panel gives the same codes, and no two participants share one; a panel that `read_otree` made
    keeps its codes, and columns the names they had. Rounds and groups count from 1, as oTree's do. Simulated agents are
    bots (1), people are not (0). Booleans are 1/0 and missing values empty strings, as oTree writes them. `treat_*`
    columns are left out: session.config.treatment says it. `attrs` hold labels by the new names; `read_otree` gives the
    panel back, and from a CSV file too, but for labels (a codebook beside it has them) and booleans other than `converged`
    and `complete`, which stay 1/0.

    Raises ValueError for a column that lacks, and where a participant would have a round twice.
    """
    require_columns(panel, ["treatment", "session", "round", "participant"])
    target = _targets(panel)
    out = {target[name]: panel[name] for name in target}
    out |= _identities(panel) | _counted(panel)
    bots = panel["agent_type"].ne(HUMAN) if "agent_type" in panel else pd.Series(True, panel.index)
    out["participant._is_bot"] = bots.astype(int)
    if "mechanism" in panel:
        out["participant._current_app_name"] = _filled(out, "participant._current_app_name", panel["mechanism"])
    if "payoff" in panel:
        by = [out["session.code"], out["participant.code"]]
        out["participant.payoff"] = _filled(out, "participant.payoff", panel["payoff"].groupby(by).transform("sum"))
    if swept := panel.attrs.get(SWEPT):
        out[PARAMETERS] = pd.Series(" ".join(swept), panel.index)
    out |= {name: _filled(out, name, value) for name, value in BUILT_IN.items() if value is not None}
    table = pd.DataFrame({name: _written(out[name].reindex(panel.index)) for name in _order(out)}, index=panel.index)
    _check(table)
    labels = panel.attrs.get("variable_labels", {})
    table.attrs["variable_labels"] = {target.get(name, name): text for name, text in labels.items()}
    table.attrs[BOOLEANS] = [new for name, new in target.items() if kind_of(panel[name]) == "yes/no (1/0)"]
    return table


def _targets(panel: pd.DataFrame) -> dict[str, str]:
    """Panel column -> export column, for all that are written as they are."""
    read: Mapping[str, str] = panel.attrs.get(OTREE_COLUMNS, {})
    config = {"mechanism", "cell", *(panel.attrs.get(SWEPT) or ())}
    found = {}
    for name in map(str, panel):
        if name.startswith("treat_"):
            continue
        model = "session.config" if name in config else "group" if name in GROUP else "player"
        found[name] = read.get(name) or NAMED.get(name) or f"{model}.{name}"
    return found


def _identities(panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Codes, labels and numbers of sessions and participants; those that the panel has, else made."""
    config = ["treatment", *(name for name in ("mechanism", "cell", *(panel.attrs.get(SWEPT) or ())) if name in panel)]
    keys = [panel[name].map(_key) for name in (*config, "session")]
    sessions = pd.Series("|", panel.index).str.cat(keys, sep="|")
    people = sessions.str.cat(panel["participant"].map(_key), sep="|")
    made = {"session_code": sessions.map(_codes(list(sessions.unique())))}
    made["participant_code"] = people.map(_codes(list(people.unique())))
    codes = {name: panel[name].fillna(made[name]) if name in panel else made[name] for name in made}
    session, person = codes["session_code"], codes["participant_code"]
    numbers = _numbers(session, person)
    seats = numbers
    if "group" in panel:
        seats = _numbers(session + "|" + panel["round"].map(_key) + "|" + panel["group"].map(_key), person)
    known = {"participant_id_in_session": numbers, "id_in_group": seats}
    ids = {name: panel[name].fillna(made) if name in panel else made for name, made in known.items()}
    return {
        "participant.code": person,
        "participant.label": panel["participant"].where(panel["participant"].map(str) != person),
        "participant.id_in_session": ids["participant_id_in_session"].astype(int),
        "player.id_in_group": ids["id_in_group"].astype(int),
        "session.code": session,
    }


def _counted(panel: pd.DataFrame) -> dict[str, pd.Series]:
    """Rounds and groups from 1, with the panel's first number where that is not 0; the number of the session."""
    found = {SESSION: panel["session"]}
    for name, column in COUNTS.items():
        if name not in panel:
            continue
        number = panel[name].astype(float)
        from_one = not (OTREE_COLUMNS in panel.attrs or number.min() == 0 or number.empty)
        found[column] = (number + (0 if from_one else 1)).astype("Int64")
        if from_one:
            found[FIRST.format(name)] = pd.Series(1, panel.index)
    return found


def _filled(out: Mapping[str, pd.Series], name: str, value: object) -> pd.Series:
    """The column as the panel has it, `value` where it has nothing."""
    default = value if isinstance(value, pd.Series) else pd.Series(value, out["session.code"].index)
    if name not in out:
        return default
    return out[name].astype(object).where(out[name].notna(), default).infer_objects()


def _order(columns: Iterable[str]) -> list[str]:
    def place(name: str) -> tuple[int, int]:
        model = max(i for i, prefix in enumerate(MODELS) if name.startswith(prefix))
        known = list(BUILT_IN)
        return model, known.index(name) if name in BUILT_IN else len(known)

    return sorted(columns, key=place)


def _check(table: pd.DataFrame) -> None:
    twice = table.duplicated(["session.code", "participant.code", "subsession.round_number"])
    if twice.any():
        label, number = table.loc[twice, ["participant.label", "subsession.round_number"]].iloc[0]
        raise ValueError(
            f"participant `{label}` would have round {number} of a session twice: name the swept columns in "
            'panel.attrs["parameters"], or give the sessions distinct numbers with stack_panels(...)'
        )


def _key(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _numbers(within: pd.Series, people: pd.Series) -> pd.Series:
    """1, 2, ... for the people of each session or group, in the order in which they first stand in the panel."""
    first = pd.DataFrame({"within": within, "person": people}).drop_duplicates()
    first["number"] = first.groupby("within", sort=False).cumcount() + 1
    known = first.set_index(["within", "person"])["number"]
    return pd.Series(known.reindex(pd.MultiIndex.from_arrays([within, people])).to_numpy(), within.index)


def _codes(keys: Sequence[str]) -> dict[str, str]:
    """A code for each key by hashing; the salt moves on, the same way every time, until no two are alike."""
    salt = 0
    while True:
        codes = {key: _code(key, salt) for key in keys}
        if len(set(codes.values())) == len(codes):
            return codes
        salt += 1


def _code(key: str, salt: int) -> str:
    number = int.from_bytes(hashlib.sha256(f"{salt}{key}".encode()).digest()[:8], "big")
    letters = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


def _written(column: pd.Series) -> pd.Series:
    """Booleans as 1/0; a column with missing values holds empty strings there."""
    if kind_of(column) == "yes/no (1/0)":
        column = column.astype(object).map({True: 1, False: 0}).astype("Int64")
    return column.astype(object).where(column.notna(), "") if column.isna().any() else column
