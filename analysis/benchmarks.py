"""What a treatment's welfare is compared with besides other treatments: columns of the panel, on the same draws."""

import pandas as pd

from dcg_econ.analysis.sentences import ROUNDING
from dcg_econ.analysis.style import mechanism_name

NASH, SECOND_BEST, FIRST_BEST = "nash", "second_best", "first_best"
COLUMNS = {NASH: "nash_welfare", SECOND_BEST: "second_best_welfare", FIRST_BEST: "first_best"}
PRINTED = {NASH: "Nash", SECOND_BEST: "second best", FIRST_BEST: "first best"}
LINDAHL = "lindahl_welfare"  # a column beside the others, and no name to compare with: a treatment may be called so
# In a panel's `attrs`: the kind of the mechanism that its Nash is the equilibrium of; "" where each has its own.
REFERENCE = "reference"
BOUND_NOTE = (
    "Second best: the trading rule of Myerson and Satterthwaite (1983) on the same draws. It bounds the expected surplus of "
    "play without regret; on finitely many draws a treatment may come out above it by chance, and one with regret at any rate."
)


def is_known(days: pd.DataFrame, benchmark: str) -> bool:
    """Whether the benchmark's welfare is known on some market day."""
    column = COLUMNS[benchmark]
    return column in days and bool(days[column].notna().any())


def nash_treatments(days: pd.DataFrame) -> list[str]:
    """The treatments that reach the panel's Nash welfare on every market day: those that play it."""
    near = (days["welfare"] - days[COLUMNS[NASH]]).abs() <= ROUNDING * days["first_best"].abs()
    same = near.groupby(days["treatment"], sort=False, observed=True).all()
    return list(same.index[same])


def nash_of(days: pd.DataFrame) -> str:
    """Whose equilibrium Nash is, as in " of voluntary contributions"; empty where there is no doubt.

    Where treatments play several mechanisms it is that of the study's own: the one named in `attrs`, else the one whose
    treatment plays it. Where each mechanism is compared with an equilibrium of its own, there is no doubt either.
    """
    kinds = set(days["mechanism"].unique()) if "mechanism" in days else set()
    if len(kinds) < 2 or COLUMNS[NASH] not in days or days.attrs.get(REFERENCE) == "":
        return ""
    own = set(days.loc[days["treatment"].isin(nash_treatments(days)), "mechanism"])
    named = days.attrs.get(REFERENCE) or (next(iter(own)) if len(own) == 1 else "")
    if len(own) > 1 and not named:
        return ""
    return f" of {mechanism_name(named)}" if named else " of the study's own mechanism"
