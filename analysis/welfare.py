"""Who gains and who loses by treatment: prices, payoffs, shares of the surplus, efficiency, its gap to a benchmark, and bits.

Efficiency is E welfare / E first best (a ratio of expectations over sessions and market days, everyone included).
Standard errors are clustered by session; see `inference` for the formula. On a grid every cell (treatment at a point)
has its own row: nothing is averaged over points.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import (
    BOUND_NOTE,
    COLUMNS,
    FIRST_BEST,
    NASH,
    PRINTED,
    SECOND_BEST,
    is_known,
    nash_of,
    nash_treatments,
)
from dcg_econ.analysis.inference import Estimate, mean_per_day, ratio, ratio_difference
from dcg_econ.analysis.names import nearest, require_columns
from dcg_econ.analysis.panels import market_days, session_flags, sound_days
from dcg_econ.analysis.points import (
    at_point,
    cell_index,
    cells_of,
    distinct,
    in_cell,
    levels,
    parameters_of,
    swept_parameters,
)
from dcg_econ.analysis.style import study_order, treatment_label
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.welfare_print import plural, printed_cells, share_cells, share_notes, welfare_notes

PLAIN = ("price", "revenue", "buyers_payoff", "fringe_payoff")


def welfare_table(
    panel: pd.DataFrame,
    against: str = NASH,
    parameters: Sequence[str] | None = None,
    cells: pd.DataFrame | None = None,
) -> Table:
    """Prices, payoffs and efficiency by cell, with the difference of efficiency to `against`.

    `against` is "nash" (the panel's `nash_welfare`), "second_best" (where the panel has it: then its efficiency and the
    gap to it stand beside any other benchmark), "first_best", or the name of a treatment at the same point.
    `parameters` are the swept columns (default: the panel's). `cells` (cell, treatment, status, parameters) adds rows
    for those that left nothing in the panel. `to_frame()` gives one row per treatment, on a grid per treatment x point:
    each statistic with `_se`, `_low` and `_high`, in the unit of price, money per round, or shares of first best;
    `<role>_share` (E payoff of the role / E welfare), bits (of all messages of a round), regret (share of first best) and
    the counts of sessions. Differences to several benchmarks, and tests of equality: `comparisons_table`. Raises
    ValueError for an unknown benchmark.
    """
    every = market_days(panel, keep=["bits"] if "bits" in panel else [], parameters=parameters)
    days = sound_days(every)
    if days.empty:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    names = [*COLUMNS, *days["treatment"].unique()]
    if against not in names:
        raise ValueError(f"unknown benchmark `{against}`{nearest(against, names)}")
    if against in COLUMNS and (COLUMNS[against] in days or against not in set(days["treatment"])):
        _require(days, against)
    frame = welfare_frame(every, against, cells)
    benchmark = benchmark_name(days, against)
    roles = _roles(panel)
    swept = parameters_of(every)
    labels = panel.attrs.get("variable_labels", {})
    printed = printed_cells(frame, benchmark, swept, labels)
    notes = welfare_notes(frame, against in COLUMNS, benchmark, labels, roles, _one_buyer(panel))
    notes += (BOUND_NOTE,) if f"{SECOND_BEST}_efficiency" in frame else ()
    notes += ("Mean price: over the rounds with trade.",) if not swept and _without_trade(days) else ()
    what = "Efficiency" if swept else "Prices, payoffs and welfare" if "price" in frame else "Payoffs and welfare"
    title = f"{what} by treatment{' and grid point' if swept else ''}, against {benchmark}"
    return Table(frame, title, notes, name="welfare", printed=printed)


def shares_table(
    panel: pd.DataFrame, parameters: Sequence[str] | None = None, cells: pd.DataFrame | None = None
) -> Table:
    """Who gets the surplus: each role's share of it, bits said and regret, a row per cell.

    Arguments and `to_frame()` as in `welfare_table`, which prints the same where few treatments stand at one point; on a
    grid its rows have no room for them. Raises ValueError where every session failed or the panel has no roles.
    """
    require_columns(panel, ["role", "payoff"])
    every = market_days(panel, keep=["bits"] if "bits" in panel else [], parameters=parameters)
    if sound_days(every).empty:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    frame, swept = welfare_frame(every, FIRST_BEST, cells), parameters_of(every)
    notes = share_notes(frame, panel.attrs.get("variable_labels", {}))
    title = f"Shares of the surplus by treatment{' and grid point' if swept else ''}"
    return Table(frame, title, notes, name="shares", printed=share_cells(frame, swept))


def welfare_frame(every: pd.DataFrame, against: str, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """The numbers of `welfare_table` from market days, failed sessions among them; one row per cell."""
    swept = parameters_of(every)
    days, flags = sound_days(every), session_flags(every)
    wanted = cells_of(every, swept)
    lost = [cell for cell in _listed(cells, swept) if cell not in set(wanted)]
    wanted = _ordered([*wanted, *lost], swept)
    rows = [_flat(_statistics(days, swept, cell, against)) for cell in wanted]
    index = cell_index(wanted, swept)
    frame = pd.DataFrame(rows, index=index).join(flags)
    counts = ["sessions", "failed", "unconverged"]
    frame[counts] = frame[counts].fillna(0)
    return frame.astype({name: int for name in counts})


def efficiency(days: pd.DataFrame, treatment: str) -> Estimate:
    """E welfare / E first best of one treatment of `market_days` at one point, clustered by session (a share)."""
    return ratio(days[days["treatment"] == treatment], "welfare", "first_best")


def efficiency_difference(days: pd.DataFrame, treatment: str, against: str) -> Estimate:
    """Efficiency of `treatment` minus that of `against`, on the same market days, clustered by session (a share)."""
    own = days[days["treatment"] == treatment]
    if against in COLUMNS and COLUMNS[against] in days:
        return ratio(own.assign(_gap=own["welfare"] - own[COLUMNS[against]]), "_gap", "first_best")
    return ratio_difference(own, days[days["treatment"] == against], "welfare", "first_best")


def benchmark_name(days: pd.DataFrame, against: str) -> str:
    """Its printed name; the panel's Nash goes by the Nash treatment it belongs to, where that was run."""
    if against == NASH and COLUMNS[NASH] in days:
        special = (name for name in nash_treatments(days) if str(name).startswith(NASH) and name != NASH)
        against = next(special, NASH)
        if against == NASH:
            return PRINTED[NASH] + nash_of(days)
    return PRINTED.get(against) or treatment_label(against)


def _require(days: pd.DataFrame, against: str) -> None:
    require_columns(days, [COLUMNS[against]])
    if not is_known(days, against):
        first = "solve Nash first" if against == NASH else "no bound is known there"
        raise ValueError(
            f"`{COLUMNS[against]}` is missing on every market day: {first}, or compare to first_best or a treatment"
        )


def _listed(cells: pd.DataFrame | None, swept: Sequence[str]) -> list[tuple]:
    if cells is None or cells.empty or not {"treatment", *swept} <= set(cells.columns):
        return []
    return distinct(cells, ["treatment", *swept])


def _ordered(cells: list[tuple], swept: Sequence[str]) -> list[tuple]:
    """Treatments in the study's order, points ascending."""
    order = [
        study_order(cell[0] for cell in cells),
        *(levels(cell[i + 1] for cell in cells) for i in range(len(swept))),
    ]
    ranks = [{value: rank for rank, value in enumerate(values)} for values in order]
    return sorted(cells, key=lambda cell: [rank[value] for rank, value in zip(ranks, cell, strict=True)])


def _statistics(days: pd.DataFrame, swept: Sequence[str], cell: tuple, against: str) -> dict[str, Estimate]:
    own = in_cell(days, swept, cell)
    if own.empty:
        return {}
    known = {*PLAIN, "mean_payoff", *(["seller_payoff"] if "revenue" in own else [])}  # revenue is the seller's payoff
    roles = [name for name in own if name.endswith("_payoff") and name not in known]
    found = {name: mean_per_day(own, name) for name in (*PLAIN, *roles, "welfare_loss") if name in own}
    paid = [name for name in own if name.endswith("_payoff") and name != "mean_payoff"]
    found |= {f"{name.removesuffix('_payoff')}_share": ratio(own, name, "welfare") for name in paid}
    if "bits" in own and np.isfinite(own["bits"]).all():
        found["bits"] = mean_per_day(own, "bits")
    if "price" in found:
        found["price"] = mean_per_day(own[own["price"].notna()], "price")  # a round without trade has none
    found["efficiency"] = ratio(own, "welfare", "first_best")
    found["difference"] = _difference(days, swept, cell, against)
    found["loss"] = ratio(own.assign(_gap=own["welfare"] - own["first_best"]), "_gap", "first_best")
    if is_known(days, SECOND_BEST):
        for name in (NASH, SECOND_BEST):
            if COLUMNS[name] in own:
                found[f"{name}_efficiency"] = ratio(own, COLUMNS[name], "first_best")
        found["second_best_difference"] = efficiency_difference(own, cell[0], SECOND_BEST)
    return found


def _difference(days: pd.DataFrame, swept: Sequence[str], cell: tuple, against: str) -> Estimate:
    here = at_point(days, swept, cell[1:])
    if COLUMNS.get(against) in here or against in set(here["treatment"]):
        return efficiency_difference(here, cell[0], against)
    return Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0)


def _flat(row: dict[str, Estimate]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, estimate in row.items():
        flat |= {name: estimate.value, f"{name}_se": estimate.se}
        flat |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high, "df": estimate.df}
    return flat


def _roles(panel: pd.DataFrame) -> list[str]:
    """Who is in the panel, in the plural where there are several."""
    if "role" not in panel:
        return []
    count = panel.groupby("role", sort=False)["participant"].nunique() if "participant" in panel else {}
    return [plural(role) if count.get(role, 2) > 1 else role for role in dict.fromkeys(panel["role"])]


def _without_trade(days: pd.DataFrame) -> bool:
    return "price" in days and bool(days["price"].isna().any())


def _one_buyer(panel: pd.DataFrame) -> str:
    """The size of one buyer's payoff beside first best, the unit of regret."""
    if not {"role", "payoff"} <= set(panel.columns) or len(swept_parameters(panel)):
        return ""
    buyers = panel[panel["role"] == "buyer"]
    share = buyers["payoff"].mean() / buyers["first_best"].mean()
    return f" One buyer's whole payoff is about {100 * share:.2g}% of first best." if share > 0 else ""
