"""Who gains and who loses by treatment: prices, payoffs, efficiency and its difference to a benchmark.

Efficiency is E welfare / E first best (a ratio of expectations over sessions and market days, everyone included).
Standard errors are clustered by session; see `inference` for the formula.
"""

import numpy as np
import pandas as pd

from dcg_econ.analysis.inference import Estimate, mean_per_day, ratio, ratio_difference
from dcg_econ.analysis.panels import failed_sessions, market_days, nearest, require_columns, session_flags
from dcg_econ.analysis.style import study_order, treatment_label
from dcg_econ.analysis.tables import MISSING, Table, decimals, in_brackets, interval_text, number_text, small_percent

NASH, FIRST_BEST = "nash", "first_best"
# Differences and standard errors below this share are the arithmetic's rounding, not findings.
ROUNDING = 1e-10
# statistic, column of the market day, printed label, most decimals
MEANS = (
    ("price", "price", "Mean price ($/lb)", 4),
    ("revenue", "revenue", "Seller's revenue ($/day)", 2),
    ("buyers_payoff", "buyers_payoff", "Buyers' payoff ($/day)", 2),
    ("fringe_payoff", "fringe_payoff", "Fringe's payoff ($/day)", 2),
    ("welfare_loss", "welfare_loss", "Welfare loss ($/day)", 3),
)


def welfare_table(panel: pd.DataFrame, against: str = NASH) -> Table:
    """Prices, payoffs and efficiency by treatment, with the difference of efficiency to `against`.

    `against` is "nash" (the panel's `nash_welfare`), "first_best", or the name of a treatment. `to_frame()` gives one
    row per treatment: each statistic with `_se`, `_low` and `_high`, in $/lb, $ per market day, or shares of first
    best; then regret (share of first best) and the counts of sessions. Raises ValueError for an unknown benchmark.
    """
    days = market_days(panel)
    if days["welfare"].notna().sum() == 0:
        raise ValueError("every session failed: the panel has no finite welfare; see the cells' errors")
    flags = session_flags(days)
    days = days[~failed_sessions(days)]
    _check_against(days, against)
    rows = {name: _statistics(days, name, against) for name in study_order(flags.index)}
    frame = pd.DataFrame({name: _flat(row) for name, row in rows.items()}).T.join(flags)
    frame = frame.astype({name: int for name in ("sessions", "failed", "unconverged")})
    frame.index.name = "treatment"
    benchmark = _benchmark(days, against)
    title = f"Prices, payoffs and welfare by treatment, against {benchmark}"
    notes = _notes(frame, against, benchmark, panel)
    return Table(frame, title, notes, name="welfare", printed=_printed(frame, benchmark))


def efficiency(days: pd.DataFrame, treatment: str) -> Estimate:
    """E welfare / E first best of one treatment of `market_days`, clustered by session (a share)."""
    return ratio(days[days["treatment"] == treatment], "welfare", "first_best")


def efficiency_difference(days: pd.DataFrame, treatment: str, against: str) -> Estimate:
    """Efficiency of `treatment` minus that of `against`, on the same market days, clustered by session (a share)."""
    own = days[days["treatment"] == treatment]
    if against == NASH and "nash_welfare" in days:
        return ratio(own.assign(_gap=own["welfare"] - own["nash_welfare"]), "_gap", "first_best")
    if against == FIRST_BEST:
        return ratio(own.assign(_gap=own["welfare"] - own["first_best"]), "_gap", "first_best")
    return ratio_difference(own, days[days["treatment"] == against], "welfare", "first_best")


def _check_against(days: pd.DataFrame, against: str) -> None:
    names = list(days["treatment"].drop_duplicates())
    if against in (FIRST_BEST, *names):
        return
    if against == NASH:
        require_columns(days, ["nash_welfare"])
        if days["nash_welfare"].isna().any():
            raise ValueError(
                "`nash_welfare` is missing on some market days: solve Nash first, or compare to first_best"
            )
        return
    raise ValueError(f"unknown benchmark `{against}`{nearest(against, [NASH, FIRST_BEST, *names])}")


def _statistics(days: pd.DataFrame, treatment: str, against: str) -> dict[str, Estimate]:
    own = days[days["treatment"] == treatment]
    if own.empty:
        return {}
    found = {name: mean_per_day(own, column) for name, column, _, _ in MEANS if column in own}
    found["efficiency"] = efficiency(days, treatment)
    found["difference"] = efficiency_difference(days, treatment, against)
    return found


def _flat(row: dict[str, Estimate]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, estimate in row.items():
        flat |= {name: estimate.value, f"{name}_se": estimate.se}
        flat |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high, "df": estimate.df}
    return flat


def _benchmark(days: pd.DataFrame, against: str) -> str:
    """Its printed name; the panel's Nash goes by the Nash treatment it belongs to, where that was run."""
    if against == NASH:
        far = (days["welfare"] - days["nash_welfare"]).abs() > ROUNDING * days["first_best"].abs()
        same = ~far.groupby(days["treatment"], sort=False, observed=True).any()
        against = next((name for name in same.index[same] if str(name).startswith(NASH)), NASH)
    return {NASH: "Nash", FIRST_BEST: "first best"}.get(against) or treatment_label(against)


def _printed(frame: pd.DataFrame, benchmark: str) -> pd.DataFrame:
    rows: list[list[str]] = []
    for name, _, label, largest in MEANS:
        if name in frame and frame[name].notna().any():
            digits = decimals(frame[f"{name}_se"], largest=largest)
            rows += _pair(label, frame[name], frame[f"{name}_se"], f",.{digits}f")
    for name, label in (
        ("efficiency", "Efficiency (% of first best)"),
        ("difference", f"Gap to {benchmark} (pp)"),
    ):
        values, errors = 100 * frame[name], 100 * frame[f"{name}_se"]
        style = f".{decimals(errors, smallest=3, largest=4)}f"
        rows += _pair(label, values, errors, style)
        low, high = 100 * frame[f"{name}_low"], 100 * frame[f"{name}_high"]
        if name == "difference":
            rows.append(["its 95% interval", *(interval_text(a, b, style) for a, b in zip(low, high, strict=True))])
    for name, label in (("regret_mean", "Regret, mean (%)"), ("regret_max", "Regret, largest (%)")):
        rows.append([label, *(small_percent(value) for value in frame[name])])
    for name in ("sessions", "unconverged", "failed"):
        rows.append([name.capitalize(), *(str(count) for count in frame[name])])
    return pd.DataFrame(rows, columns=["", *(treatment_label(name) for name in frame.index)], dtype=object)


def _pair(label: str, values: pd.Series, errors: pd.Series, style: str) -> list[list[str]]:
    brackets = [in_brackets(error, style) for error in errors]
    lines = [[label, *(number_text(value, style) for value in values)]]
    return lines if set(brackets) == {MISSING} else [*lines, ["", *brackets]]


def _notes(frame: pd.DataFrame, against: str, benchmark: str, panel: pd.DataFrame) -> tuple[str, ...]:
    sessions = (frame["sessions"] - frame["failed"]).astype(int)
    counts = f"{sessions.min()}" if sessions.nunique() == 1 else f"{sessions.min()} to {sessions.max()}"
    errors = (
        f"Standard errors in brackets are clustered by session ({counts} sessions a treatment, Student's t on sessions "
        "- 1 degrees of freedom); the days of a session count as one draw."
        if sessions.max() > 1
        else "One session a treatment: no standard error; run more sessions."
    )
    where = "on the same market days with the same private values"
    where = where if against in (NASH, FIRST_BEST) else "session by session"
    notes = [
        "Efficiency is E welfare / E first best over all market days, everyone included (buyers, fringe, seller); the "
        f"gap, in percentage points (pp), is to {benchmark} {where}. {errors}",
        "Regret is one buyer's expected gain from the best deviation, in per cent of first best: how far the bids are "
        f"from an equilibrium.{_one_buyer(panel)}",
    ]
    if {"buyers_payoff", "fringe_payoff", "revenue"} <= set(frame.columns):
        notes.append("The buyers' and the fringe's payoffs and the seller's revenue add up to the surplus of everyone.")
    if frame["unconverged"].sum():
        notes.append("Unconverged sessions are included in the means.")
    if frame["failed"].sum():
        notes.append("Failed sessions have no finite welfare and enter no mean.")
    if (np.maximum(frame["difference"].abs(), frame["difference_se"]) < ROUNDING).any():
        notes.append("A gap of zero with a standard error of zero: the treatment is the benchmark itself.")
    return tuple(notes)


def _one_buyer(panel: pd.DataFrame) -> str:
    """The size of one buyer's payoff beside first best, the unit of regret."""
    if not {"role", "payoff"} <= set(panel.columns):
        return ""
    buyers = panel[panel["role"] == "buyer"]
    share = buyers["payoff"].mean() / buyers["first_best"].mean()
    return f" One buyer's whole payoff is about {100 * share:.2g}% of first best." if share > 0 else ""
