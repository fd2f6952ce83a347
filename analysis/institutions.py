"""Institutions side by side: what each makes of the same public good when players learn and in its Nash equilibrium.

A row is a mechanism; where several treatments learn in one, or parameters are swept, a row is a treatment at a point, so that
nothing is averaged over them. Both tables hold the same frame and print different parts of it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import LINDAHL
from dcg_econ.analysis.inference import Estimate, mean_per_day, ratio
from dcg_econ.analysis.institutions_print import outcome_cells, outcome_notes, payment_cells, payment_notes
from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.points import PARAMETERS, at_point, parameters_of, point_text, points_of, swept_parameters
from dcg_econ.analysis.style import mechanism_name, treatment_label
from dcg_econ.analysis.tables import Table

LOSS = 1e-6  # of first best: a player who loses less than this by taking part has lost nothing
EXACT = 1e-6  # of first best: largest regret of an analytic treatment that counts as Nash without being called so
WORST = "worst_gain"
NOTHING = Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0)
PLAYS = ("learned", "nash")


def has_institutions(panel: pd.DataFrame) -> bool:
    """Whether a panel is of public goods with a Lindahl benchmark: then its report has these tables."""
    needed = {"mechanism", "agent_type", LINDAHL}
    return needed <= set(panel.columns) and bool(panel[LINDAHL].notna().any())


def institutions_table(panel: pd.DataFrame, parameters: Sequence[str] | None = None) -> Table:
    """Efficiency of each institution, learned, in Nash and beside Lindahl and first best, its level, and regret.

    `to_frame()` has `learned`, `nash`, `lindahl`, `first_best` (shares of first best); `level_*` (units of the good),
    `surplus_*` (money per round), `least_gain_*` (money), `losing_rounds_*` (share of rounds), each for `learned` and
    `nash`, the means with `_se`, `_low`, `_high`; `regret_mean`, `regret_max` (shares of first best) and counts of learned
    sessions. Nash is the mechanism's analytic treatment whose name says so, else one without regret. Raises ValueError
    where a column is missing or every session failed.
    """
    frame = institutions_frame(panel, parameters)
    labels = panel.attrs.get("variable_labels", {})
    title = "Institutions: efficiency, level of the good, and regret"
    notes = outcome_notes(frame, labels)
    return Table(frame, title, notes, name="institutions", printed=outcome_cells(frame))


def payments_table(panel: pd.DataFrame, parameters: Sequence[str] | None = None) -> Table:
    """Budget surplus of each institution, and who loses by taking part, learned and in Nash; frame and errors as above.

    Raises ValueError where the panel has neither `budget_surplus` nor `gain`.
    """
    frame = institutions_frame(panel, parameters)
    if not {"surplus_learned", "least_gain_learned"} & set(frame):
        require_columns(panel, ["budget_surplus"])
    labels = panel.attrs.get("variable_labels", {})
    title = "Institutions: budget, and gains over keeping the endowment"
    return Table(frame, title, payment_notes(frame, labels), name="payments", printed=payment_cells(frame))


def institutions_frame(panel: pd.DataFrame, parameters: Sequence[str] | None = None) -> pd.DataFrame:
    """The numbers of both tables, indexed by mechanism, with the printed `institution` and the names of the treatments."""
    require_columns(panel, ["mechanism", "agent_type", LINDAHL])
    every = _days(panel, parameters)
    days, swept = sound_days(every), parameters_of(every)
    if days.empty:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    rows = []
    for point in points_of(every, swept):
        here = at_point(every, swept, point)
        here.attrs = {**every.attrs, PARAMETERS: ()}
        flags = session_flags(here)
        for kind, names in _plays(panel, here, flags):
            own = {play: _sound(days, swept, point, name) for play, name in names.items()}
            label = _label(kind, names["learned"], _is_shared(panel, kind))
            where = f", {point_text(swept, point)}" if point else ""
            row: dict[str, object] = {
                "mechanism": kind,
                "institution": label + where,
                "learned_treatment": names["learned"],
            }
            row |= {"nash_treatment": names["nash"]} | dict(zip(swept, point, strict=True))
            rows.append(row | _numbers(own) | _flags(flags, names["learned"]))
    if not rows:
        raise ValueError("no treatment is learned or Nash, so there is nothing to set side by side")
    return pd.DataFrame(rows).set_index("mechanism")


def _days(panel: pd.DataFrame, parameters: Sequence[str] | None) -> pd.DataFrame:
    """Market days with the gain of the player who gains least, and whether it loses; a session without numbers has none."""
    swept, more = swept_parameters(panel, parameters), []
    if "gain" in panel:
        keys = ["treatment", *swept, "session", "round"]
        worst = panel.groupby(keys, sort=False, observed=True, dropna=False)["gain"].transform("min")
        attrs, panel, more = panel.attrs, panel.assign(**{WORST: worst}), [WORST]
        panel.attrs = attrs
    days = market_days(panel, keep=more, parameters=swept)
    return days.assign(losing=(days[WORST] < -LOSS * days["first_best"]).astype(float)) if more else days


def _plays(panel: pd.DataFrame, here: pd.DataFrame, flags: pd.DataFrame) -> list[tuple[str, dict[str, str | None]]]:
    """For each mechanism its learned treatments, each with the Nash of that mechanism, None where there is none."""
    learned = set(panel.loc[panel["agent_type"] == "learned", "treatment"])
    found: list[tuple[str, dict[str, str | None]]] = []
    for kind in dict.fromkeys(here["mechanism"]):
        names = list(dict.fromkeys(here.loc[here["mechanism"] == kind, "treatment"]))
        nash = _nash([name for name in names if name not in learned], flags["regret_max"])
        own = [name for name in names if name in learned] or ([None] if nash is not None else [])
        found += [(str(kind), {"learned": name, "nash": nash}) for name in own]
    return found


def _nash(names: Sequence[str], regret: pd.Series) -> str | None:
    called = [name for name in names if "nash" in str(name).lower().split("_")]
    exact = [name for name in names if regret[name] <= EXACT]
    return next(iter([*called, *exact]), None)


def _is_shared(panel: pd.DataFrame, kind: str) -> bool:
    """Whether several treatments learn in one mechanism."""
    own = panel[(panel["mechanism"] == kind) & (panel["agent_type"] == "learned")]
    return own["treatment"].nunique() > 1


def _label(kind: str, learned: str | None, shared: bool) -> str:
    name = mechanism_name(kind)
    label = name[:1].upper() + name[1:]
    return f"{label}: {treatment_label(learned)}" if shared and learned is not None else label


def _sound(days: pd.DataFrame, swept: Sequence[str], point: tuple, name: str | None) -> pd.DataFrame:
    here = at_point(days, swept, point)
    return here[here["treatment"] == name] if name is not None else here.head(0)


def _numbers(own: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Efficiency, benchmarks, level, money and gains; NaN where nobody played or the column is missing."""
    found: dict[str, float] = {}
    for play in PLAYS:
        found |= _spread(play, ratio(own[play], "welfare", "first_best") if len(own[play]) else NOTHING)
    some = own["learned"] if len(own["learned"]) else own["nash"]
    found["lindahl"] = ratio(some, LINDAHL, "first_best").value if len(some) else np.nan
    found["first_best"] = 1.0
    columns = {"level": "level", "surplus": "budget_surplus", "losing_rounds": "losing"}
    for name, column in columns.items():
        for play in PLAYS:
            if column in own[play]:
                found |= _spread(f"{name}_{play}", mean_per_day(own[play], column) if len(own[play]) else NOTHING)
    if WORST in some:
        found |= {f"least_gain_{play}": float(own[play][WORST].min()) for play in PLAYS}
    return found


def _spread(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_se": estimate.se, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _flags(flags: pd.DataFrame, name: str | None) -> dict[str, float]:
    """Regret and counts of the learned sessions; none where nobody learned."""
    if name is None:
        return {"regret_mean": np.nan, "regret_max": np.nan, "sessions": 0, "unconverged": 0, "failed": 0}
    row = flags.loc[name]
    counts = {count: int(row[count]) for count in ("sessions", "unconverged", "failed")}
    return {"regret_mean": float(row["regret_mean"]), "regret_max": float(row["regret_max"])} | counts
