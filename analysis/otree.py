"""Panels in the shape of an oTree export, so that scripts written for the laboratory read simulated sessions too.

Columns as in oTree's per-app file: participant.code, participant._is_bot, player.id_in_group, player.role, player.<field>,
player.payoff, group.<field>, group.id_in_subsession, subsession.round_number, session.code, session.config.<name>.
"""

import hashlib
import string
from collections.abc import Sequence

import pandas as pd

from dcg_econ.analysis.export import kind_of
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.points import PARAMETERS

LENGTH = 8  # characters of an oTree code
LETTERS = string.ascii_lowercase + string.digits
GROUP = (
    "price",
    "supply",
    "competitive_price",
    "welfare",
    "first_best",
    "nash_welfare",
    "second_best_welfare",
    "lindahl_welfare",
    "regret",
    "converged",
)
HUMAN = "human"


def to_otree(panel: pd.DataFrame) -> pd.DataFrame:
    """One row per session x round x participant with oTree's column names; the panel's order is kept.

    An oTree session is one session of one cell. Codes are eight letters and digits, made from the cell, the session and
    the participant: the same panel gives the same codes, and no two participants share one. Rounds count from 1, as
    oTree's do. Simulated agents are bots (1), people are not (0). Booleans are 1/0 and missing values empty strings, as
    oTree writes them. `treat_*` columns are left out: session.config.treatment says it.
    """
    require_columns(panel, ["treatment", "session", "round", "participant"])
    config = ["treatment", *_config(panel)]
    keys = [panel[name].map(_key) for name in (*config, "session")]
    sessions = pd.Series("|", panel.index).str.cat(keys, sep="|")
    people = sessions.str.cat(panel["participant"].map(_key), sep="|")
    numbers = _numbers_within(sessions, people)
    rounds = panel["round"].astype(int)
    bots = panel["agent_type"].ne(HUMAN) if "agent_type" in panel else pd.Series(True, panel.index)
    out = {
        "participant.id_in_session": numbers,
        "participant.code": people.map(_codes(list(people.unique()))),
        "participant.label": panel["participant"],
        "participant._is_bot": bots.astype(int),
        "player.id_in_group": numbers,
    }
    if "agent_type" in panel:
        out["participant.agent_type"] = panel["agent_type"]
    for name in ("role", "payoff"):
        if name in panel:
            out[f"player.{name}"] = panel[name]
    used = {*config, "session", "round", "participant", "agent_type", "role", "payoff", *GROUP}
    own = [name for name in panel if name not in used and not str(name).startswith("treat_")]
    out |= {f"player.{name}": panel[name] for name in own}
    out["group.id_in_subsession"] = pd.Series(1, panel.index)
    out |= {f"group.{name}": panel[name] for name in GROUP if name in panel and name not in config}
    out["subsession.round_number"] = rounds + (1 if len(rounds) and rounds.min() == 0 else 0)
    out["session.code"] = sessions.map(_codes(list(sessions.unique())))
    out |= {f"session.config.{name}": panel[name] for name in config}
    return pd.DataFrame({name: _written(column) for name, column in out.items()}, index=panel.index)


def _config(panel: pd.DataFrame) -> list[str]:
    """What a session was configured with besides its treatment."""
    parameters = panel.attrs.get(PARAMETERS) or ()
    return [name for name in dict.fromkeys(("mechanism", "cell", *parameters)) if name in panel]


def _key(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _numbers_within(sessions: pd.Series, people: pd.Series) -> pd.Series:
    """1, 2, ... for the participants of each session, in the order in which they first stand in the panel."""
    first = pd.DataFrame({"session": sessions, "person": people}).drop_duplicates()
    numbers = first.groupby("session", sort=False).cumcount() + 1
    return people.map(dict(zip(first["person"], numbers, strict=True)))


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
