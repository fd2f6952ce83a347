"""One number a session: what permutation tests, rank tests, effect sizes and power are made of.

A session's value is its mean over the rounds with a finite outcome; for efficiency its own E welfare / E first best. On a
grid it is the mean over the points that both sides have, each alike, of the sessions that have them all. Sessions that both
treatments have share their draws and are compared in pairs; where no session number is in both, the sides are independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS
from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.panels import KEYS, market_days, treatments_of
from dcg_econ.analysis.points import parameters_of
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.units import outcome_label

ALIASES = {"payoff": "mean_payoff"}
ROUNDING = 1e-10  # of the largest value: a smaller difference within a session is the arithmetic's, and has no sign


@dataclass(frozen=True, eq=False)
class Sessions:
    """Values by session of `treatment` (`own`) and `against` (`base`), indexed alike where `paired`; label and unit."""

    own: pd.Series
    base: pd.Series
    paired: bool
    outcome: str
    treatment: str
    against: str
    label: str
    unit: str

    @property
    def difference(self) -> float:
        """Mean of the treatment's sessions minus mean of the other's."""
        return float(self.own.mean() - self.base.mean())

    @property
    def gaps(self) -> np.ndarray:
        """Differences within sessions; for paired ones only."""
        return (self.own - self.base).to_numpy()

    @property
    def counted(self) -> str:
        """How many sessions there are, in words."""
        if self.paired:
            return f"{len(self.own)} sessions that both have, in pairs"
        return f"{len(self.own)} and {len(self.base)} independent sessions"

    @property
    def claim(self) -> str:
        """What is compared, in words."""
        return f"{self.label}: {treatment_label(self.treatment)} minus {treatment_label(self.against)}"

    @property
    def basis(self) -> str:
        """The note on what a value is."""
        how = (
            "a session's E welfare / E first best"
            if self.outcome == "efficiency"
            else "a session's mean over its rounds"
        )
        unit = f" ({self.unit})" if self.unit else ""
        return f"One value a session: {how}{unit}; on a grid, over the points alike. {_sentence(self.counted)}."


def session_values(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    parameters: Sequence[str] | None = None,
    paired: bool | None = None,
) -> Sessions:
    """The sessions' values of an outcome under `treatment` and `against` (a treatment; for efficiency also nash, second_best
    or first_best, on the treatment's own rounds).

    `paired` is by default whether the two share sessions; False keeps sessions apart whose numbers are alike by chance,
    as in human and learned sessions. Raises ValueError for an unknown name, an outcome with several values a round, or
    fewer than two sessions.
    """
    name = ALIASES.get(outcome, outcome)
    keep = [name] if name in panel and name not in KEYS else []
    days = market_days(panel, keep=keep, parameters=parameters)
    if name not in days or not pd.api.types.is_numeric_dtype(days[name]):
        raise ValueError(f"the panel has no numeric outcome `{outcome}` with one value a round{nearest(name, days)}")
    known = treatments_of(days)
    benchmarks = list(COLUMNS) if name == "efficiency" else []
    for role, given, names in (("treatment", treatment, known), ("against", against, [*known, *benchmarks])):
        if given not in names:
            raise ValueError(f"{role}: the panel has no treatment `{given}`{nearest(given, names)}")
    own_days, swept = days[days["treatment"] == treatment], parameters_of(days)
    sides = [_values(side, swept, name) for side in (own_days, _other(days, own_days, against))]
    shared = sides[0].columns.intersection(sides[1].columns)
    own, base = (side[shared].mean(axis=1, skipna=False).dropna() for side in sides)
    common = own.index.intersection(base.index)
    paired = bool(len(common)) if paired is None else paired
    if paired:
        own, base = own[common], base[common]
        size = max(1e-300, own.abs().max(), base.abs().max())
        base = base.where((own - base).abs() > ROUNDING * size, own)
    if len(shared) == 0 or min(len(own), len(base)) < 2:
        what = "shared sessions" if paired else "sessions a side"
        raise ValueError(
            f"{len(own)} and {len(base)} {what} with `{outcome}` at every point: a test needs two; run more sessions"
            + (", or give paired=False" if paired else "")
        )
    label, unit = outcome_label(name, panel.attrs.get("variable_labels", {}))
    return Sessions(own, base, paired, name, treatment, against, label, unit)


def _other(days: pd.DataFrame, own: pd.DataFrame, against: str) -> pd.DataFrame:
    if against in set(days["treatment"]):
        return days[days["treatment"] == against]
    if COLUMNS[against] not in own:
        raise ValueError(f"`{COLUMNS[against]}` is missing: compare with a treatment")
    return own.assign(welfare=own[COLUMNS[against]])


def _values(days: pd.DataFrame, swept: Sequence[str], name: str) -> pd.DataFrame:
    """Sessions x grid points, NaN where a session lacks a point."""
    columns = ["welfare", "first_best"] if name == "efficiency" else [name]
    days = days[np.isfinite(days[columns].astype(float)).all(axis=1)]
    grouped = days.groupby(["session", *swept], observed=True, dropna=False)[columns]
    found = grouped.mean()
    values = found["welfare"] / found["first_best"].where(found["first_best"] > 0) if len(columns) > 1 else found[name]
    return values.unstack(list(swept)) if swept else values.to_frame()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
