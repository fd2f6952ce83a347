"""Human data: an oTree export as a panel, one row per session x round x participant, like that of a simulated study."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.otree import who
from dcg_econ.analysis.otree.apps import AbstractApp, OTreeApp, Rows
from dcg_econ.analysis.otree.columns import (
    BOOLEANS,
    COUNTS,
    FIRST,
    OTREE_COLUMNS,
    PARAMETERS,
    SESSION,
    TREATMENT,
    YES_NO,
    panel_names,
)
from dcg_econ.analysis.otree.layout import Source, labels_beside, read_rows
from dcg_econ.analysis.otree.money import AbstractMoney, AsExported
from dcg_econ.analysis.otree.units import AbstractUnit, BySession
from dcg_econ.analysis.points import PARAMETERS as SWEPT

SUMS = ("welfare", "first_best", "nash_welfare")  # over the groups of a session's round
MONEY = ("payoff", *SUMS, "price", "competitive_price")
FIXED = ("cell", "session", "round", "group", "participant", "role", "mechanism", "treatment")
LAST = ("payoff", *SUMS, "complete", "agent_type", "id_in_group", "participant_code", "session_code")
LABELS = {
    "session": "Session",
    "round": "Round (from 0)",
    "group": "Group in the session (from 0)",
    "participant": "Participant",
    "role": "Role",
    "mechanism": "Mechanism",
    "treatment": "Treatment",
    "payoff": "Payoff, {money}",
    "welfare": "Surplus of the session's complete groups, {money} per round",
    "first_best": "First-best surplus of the session's complete groups, {money} per round",
    "nash_welfare": "Surplus of the session's complete groups in the Nash equilibrium, {money} per round",
    "complete": "All of the group came and decided",
    "agent_type": "Agent",
    "id_in_group": "Number in the group (from 1)",
    "participant_code": "oTree's code of the participant",
    "session_code": "oTree's code of the session",
}


def read_otree(
    source: Source,
    app: AbstractApp | None = None,
    *,
    treatment: str | Mapping[str, str] | None = None,
    sessions: Source | None = None,
    unit: AbstractUnit | None = None,
    money: AbstractMoney | None = None,
    parameters: Sequence[str] | None = None,
    participant: str = "participant.label",
) -> pd.DataFrame:
    """The panel of one app of an oTree export (versions 5 and 6): a per-app file or all apps (wide), path or frame.

    `app`: `PublicGoodsApp`, `BargainingApp` or `DoubleAuctionApp`, which add welfare and first best, or any other as an
    `OTreeApp`; it picks one of several apps. `treatment`: a column of the export ("session.config.name",
    "player.framing") or a name for each session code; by default session.config.treatment. `sessions`: the wide export,
    for a per-app file, which has no session.config columns. `unit`: `BySession()` or `ByGroup()`, the panel's `session`.
    `money`: `AsExported()`, `Money("points")` or `Exchange("EUR")`. `parameters`: config fields that are a grid's.
    `participant`: the column for names; "participant.code" keeps labels out of the panel, which may name people.

    Rounds and groups count from 0, as in simulated panels. Who never opened the start link has no row (`attrs` counts them:
    "never_arrived"). A payoff of 0 in a group that did not finish is oTree's default and becomes missing. `complete`: all of
    the group came and reported; `welfare`, `first_best` and `nash_welfare` are sums over a session's complete groups of the
    round, missing where there is none: `panel[panel["complete"]]` has only what was played. `agent_type` is "human"; of bots
    what `to_otree` wrote, else "bot". A label that is empty, or that two of a session share, gives way to the code. MTurk
    accounts are never read. Labels come from a codebook beside the file where `write_csv` left one.

    Raises ValueError, which names column and remedy, for another kind of file, an app, column or treatment that is not
    there, a participant with a round twice, points of different worth, and payoffs that the app's numbers do not give.
    """
    rows, name = read_rows(source, app.name if app else None)
    app, known_money, money = app or OTreeApp(name), money is not None, money or AsExported()
    rows = who.with_sessions(rows, sessions)
    column, treated = who.treatments(rows, treatment)
    rates, arrived, group = money.rates(rows), who.came(rows), who.groups(rows, app)
    told = {TREATMENT, "group.complete"} if column == TREATMENT else {"group.complete"}
    names = panel_names([c for c in rows if c not in told])
    panel = rows[list(names)].rename(columns=names).assign(treatment=treated, agent_type=who.agents(rows))
    panel = panel.assign(
        participant=who.people(rows, participant),
        complete=who.complete(rows, _reports(rows, names, app), group),
        **_counts(rows, unit or BySession()),
    )
    if "mechanism" not in panel:
        panel["mechanism"] = app.mechanism or app.name or "otree"
    panel["role"] = panel["role"].fillna("player") if "role" in panel else "player"
    if "payoff" in panel:
        panel["payoff"] = panel["payoff"].astype(float).where(panel["complete"] | panel["payoff"].ne(0))
    for flag in {*YES_NO, *(names[c] for c in _booleans(source) if c in names)}:
        if flag in panel and panel[flag].notna().all():
            panel[flag] = panel[flag].astype(bool)
    panel = _with_outcomes(panel, app, names, group)
    in_money = [c for c in (*MONEY, *app.money) if c in panel]
    if rates is not None:
        panel[in_money] = panel[in_money].mul(rates, axis=0)
    swept = _parameters(rows, names, parameters)
    empty = [c for c in panel if c.startswith(("participant_", "session_")) and panel[c].isna().all()]
    panel = _ordered(panel[arrived].drop(columns=empty).reset_index(drop=True))
    back = {new: old for old, new in names.items()} | {"treatment": column}
    labels = {names.get(k, k): text for k, text in labels_beside(source).items() if text}
    labels = {k: text for k, text in labels.items() if not (known_money and k in in_money)}
    panel.attrs = {
        "variable_labels": _labels(panel, app, money.unit, labels),
        SWEPT: swept,
        OTREE_COLUMNS: {new: old for new, old in back.items() if new in panel},
        "never_arrived": int(rows.loc[~arrived, "participant.code"].nunique()),
    }
    return panel


def _booleans(source: Source) -> Sequence[str]:
    return source.attrs.get(BOOLEANS, ()) if isinstance(source, pd.DataFrame) else ()


def _reports(rows: pd.DataFrame, names: Mapping[str, str], app: AbstractApp) -> list[str]:
    """The export columns that the app's reports stand in."""
    back = {new: old for old, new in names.items()}
    found = [back.get(name, name) for name in app.reports]
    for name in found:
        if name not in rows:
            raise ValueError(
                f"the export has no field `{name}` of {type(app).__name__}{nearest(name, back)}; name it in the app, or "
                "choose another app"
            )
    return found


def _counts(rows: pd.DataFrame, unit: AbstractUnit) -> dict[str, pd.Series]:
    """Session, round and group numbers from 0, or as `to_otree` found them."""
    keys = unit.keys(rows)
    written = isinstance(unit, BySession) and SESSION in rows and rows[SESSION].notna().all()
    counts = {"session": rows[SESSION].astype(int) if written else pd.Series(pd.factorize(keys)[0], rows.index)}
    for name, column in COUNTS.items():
        first = FIRST.format(name)
        counts[name] = (rows[column] - 1 + (rows[first].fillna(0) if first in rows else 0)).astype("int64")
    return counts | {"session": counts["session"].astype("int64")}


def _with_outcomes(panel: pd.DataFrame, app: AbstractApp, names: Mapping[str, str], group: pd.Series) -> pd.DataFrame:
    """The app's columns, by row; sums over the complete groups of a treatment x session x round for welfare."""
    whole = panel["complete"]
    if not whole.any():
        return panel
    found = app.outcomes(Rows(panel[whole], group[whole], names))
    if set(SUMS) & set(found):
        _check_groups(panel, group)
    day = [panel[key] for key in ("treatment", "session", "round")]
    first = ~group.where(whole).duplicated() & whole
    for name, values in found.items():
        values = values.reindex(panel.index)
        if name in SUMS:
            values = values.where(first).groupby(day).transform("sum", min_count=1)
        elif name in panel and not whole.all():
            values = values.where(whole, panel[name])
        panel[name] = values
    return panel


def _check_groups(panel: pd.DataFrame, group: pd.Series) -> None:
    several = panel["treatment"].groupby(group).transform("nunique") > 1
    if several.any():
        row = panel[several].iloc[0]
        raise ValueError(
            f"group {row['group'] + 1} of session {row['session_code']} has players of several treatments in round "
            f"{row['round'] + 1}, and welfare belongs to all of a group: give a `treatment` of groups or sessions"
        )


def _parameters(rows: pd.DataFrame, names: Mapping[str, str], given: Sequence[str] | None) -> list[str]:
    written = rows[PARAMETERS].dropna().unique() if PARAMETERS in rows else ()
    if given is None:
        return list(dict.fromkeys(name for text in written for name in text.split()))
    found = [names.get(name, name) for name in given]
    for name in found:
        if name not in names.values():
            raise ValueError(f"no column `{name}` for `parameters`{nearest(name, names.values())}")
    return found


def _ordered(panel: pd.DataFrame) -> pd.DataFrame:
    for name in panel["treatment"].unique():
        panel[f"treat_{name}"] = panel["treatment"].eq(name).astype(float)
    start, end = [c for c in FIXED if c in panel], [c for c in LAST if c in panel]
    end += [c for c in panel if str(c).startswith(("participant_", "treat_")) and c not in end]
    middle = [c for c in panel if c not in start and c not in end]
    return panel[[*start, *middle, *end]].copy()


def _labels(panel: pd.DataFrame, app: AbstractApp, unit: str, written: Mapping[str, str]) -> dict[str, str]:
    texts = LABELS | dict(app.labels)
    plain = {name: str(name).replace("_", " ").capitalize() for name in panel}
    plain |= {name: f"{plain[name]}, {{money}}" for name in app.money if name in plain}
    plain |= {f"treat_{name}": f"Treatment: {name.replace('_', ' ')}" for name in panel["treatment"].unique()}
    filled = {name: texts.get(name, plain[name]).replace("{money}", unit) for name in panel}
    return filled | {name: text for name, text in written.items() if name in filled}
