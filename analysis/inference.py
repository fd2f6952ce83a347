"""Estimates clustered by session: the sessions are the independent draws, so each enters once.

For session sums A_s and B_s the estimate is the ratio of expectations R = sum_s A_s / sum_s B_s, and with
u_s = A_s - R B_s its standard error is (1)  sqrt(S / (S - 1) * sum_s u_s^2) / sum_s B_s,  on S - 1 degrees of freedom.
With B_s = 1 (1) is the standard error of a mean. A difference of ratios adds the terms u_s / sum B session by session,
so treatments that share their sessions are compared in pairs. This equals weighted least squares of A/B on a constant
with weights B and HC1 errors (Cochran 1977, chapter 6). Sides that share no session are independent: Welch's error
and degrees of freedom. A mean over grid points averages the terms of a session, which is one cluster at all points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error clustered by session: value, se, 95% interval, df = sessions - 1 (or Welch's), sessions.

    With one session `se`, `low` and `high` are NaN: one draw shows no variation.
    """

    value: float
    se: float
    low: float
    high: float
    df: int | float
    sessions: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the 95% interval lies on one side of zero."""
        return bool(self.low > 0 or self.high < 0)

    def p(self, alternative: str = "two-sided") -> float:
        """p value of no difference by Student's t; "greater" and "less" are the claim's side. NaN without an error."""
        if alternative == "two-sided":
            return float(np.minimum(1.0, 2 * self._above(abs(self.value))))
        return self._above(self.value if alternative == "greater" else -self.value)

    def p_equal(self, margin: float) -> float:
        """p value of a difference of `margin` or more, by two one-sided t tests (TOST); NaN without an error."""
        return float(np.maximum(self._above(self.value + margin), self._above(margin - self.value)))

    def _above(self, distance: float) -> float:
        """P(T > distance / se); without variation all or nothing."""
        from scipy import stats

        if np.isnan(self.se):
            return np.nan
        if self.se == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / self.se, self.df))

    def scaled(self, factor: float) -> "Estimate":
        """The estimate in another unit (100 for per cent)."""
        low, high = sorted((factor * self.low, factor * self.high))
        return Estimate(factor * self.value, abs(factor) * self.se, low, high, self.df, self.sessions)


UNKNOWN = Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0)  # where there is nothing to estimate from


def mean_per_day(days: pd.DataFrame, column: str) -> Estimate:
    """Mean of `column` over market days, its standard error clustered by session."""
    return ratio(days.assign(_one=1.0), column, "_one")


def ratio(days: pd.DataFrame, numerator: str, denominator: str) -> Estimate:
    """Sum of `numerator` over sum of `denominator` over all market days, clustered by session."""
    value, terms = _linearised(days, numerator, denominator)
    return _estimate(value, terms)


def ratio_difference(days: pd.DataFrame, against: pd.DataFrame, numerator: str, denominator: str) -> Estimate:
    """Difference of two ratios over the sessions that both have, paired by session.

    Raises ValueError if no session is in both.
    """
    common = set(days["session"]) & set(against["session"])
    if not common:
        raise ValueError(
            "the two treatments share no session: give them the same session numbers, or compare to `nash`"
        )
    value, terms = _linearised(days[days["session"].isin(common)], numerator, denominator)
    base, base_terms = _linearised(against[against["session"].isin(common)], numerator, denominator)
    return _estimate(value - base, terms - base_terms)


def mean_difference(
    pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]], numerator: str, denominator: str
) -> tuple[Estimate, bool]:
    """Mean over grid points of the difference of two ratios, and whether it is paired by session; see `session_terms`."""
    terms = session_terms(pairs, numerator, denominator)
    return terms.estimate(), terms.paired


def session_terms(
    pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]], numerator: str, denominator: str
) -> "SessionTerms":
    """What each session adds to the mean over grid points of the difference of two ratios.

    `pairs` holds (treatment's days, other's days) per point; each point counts alike. Sessions that both sides have at
    every point are paired; where there is none the sides are taken as independent. Raises ValueError where a session of
    neither kind is whole.
    """
    sides = [[side for side, _ in pairs], [side for _, side in pairs]]
    whole = [set.intersection(*(set(days["session"]) for days in side)) for side in sides]
    common = whole[0] & whole[1]
    if not all(whole):
        raise ValueError("no session is whole at every grid point")
    (own, own_terms), (base, base_terms) = (
        _average(side, common or sessions, numerator, denominator) for side, sessions in zip(sides, whole, strict=True)
    )
    return SessionTerms(own, own_terms, base, base_terms, bool(common))


@dataclass(frozen=True, eq=False)
class SessionTerms:
    """A difference own - base with its linearised terms by session, which sum to zero on each side."""

    own: float
    own_terms: pd.Series
    base: float
    base_terms: pd.Series
    paired: bool

    def estimate(self) -> Estimate:
        """The difference with its error: of the pairs, or Welch's."""
        value = self.own - self.base
        if self.paired:
            return _estimate(value, self.own_terms - self.base_terms)
        return _welch(value, _estimate(self.own, self.own_terms), _estimate(self.base, self.base_terms))

    def values(self) -> tuple[pd.Series, ...]:
        """Numbers by session whose mean is the difference and whose standard error is the estimate's: one series of
        differences where paired, else one of each side."""
        if self.paired:
            return (self.own - self.base + len(self.own_terms) * (self.own_terms - self.base_terms),)
        sides = ((self.own, self.own_terms), (self.base, self.base_terms))
        return tuple(value + len(terms) * terms for value, terms in sides)


def session_ratios(days: pd.DataFrame, numerator: str, denominator: str) -> pd.Series:
    """Sum of `numerator` over sum of `denominator` within each session, indexed by session."""
    sums = days.groupby("session", observed=True)[[numerator, denominator]].sum()
    return sums[numerator] / sums[denominator]


def _average(points: Sequence[pd.DataFrame], sessions: set, numerator: str, denominator: str):
    """Mean of the ratios over the points, and its terms by session."""
    found = [_linearised(days[days["session"].isin(sessions)], numerator, denominator) for days in points]
    values, terms = zip(*found, strict=True)
    return float(np.mean(values)), sum(terms) / len(terms)


def _linearised(days: pd.DataFrame, numerator: str, denominator: str) -> tuple[float, pd.Series]:
    sums = days.groupby("session", observed=True)[[numerator, denominator]].agg(lambda column: column.sum(skipna=False))
    total = sums[denominator].sum(skipna=False)
    total = total if total > 0 else np.nan  # no share of a first best of nothing, or less
    value = sums[numerator].sum(skipna=False) / total
    return float(value), (sums[numerator] - value * sums[denominator]) / total


def _estimate(value: float, terms: pd.Series) -> Estimate:
    from scipy import stats

    sessions = len(terms)
    if sessions < 2:
        return Estimate(value, np.nan, np.nan, np.nan, sessions - 1, sessions)
    se = float(np.sqrt(sessions / (sessions - 1) * (terms**2).sum(skipna=False)))
    width = float(stats.t.ppf(0.5 + LEVEL / 2, sessions - 1)) * se
    return Estimate(value, se, value - width, value + width, sessions - 1, sessions)


def _welch(value: float, own: Estimate, base: Estimate) -> Estimate:
    """Difference of two independent estimates, Satterthwaite's degrees of freedom."""
    from scipy import stats

    sessions = own.sessions + base.sessions
    parts = np.array([own.se**2, base.se**2])
    if not np.isfinite(parts).all():
        return Estimate(value, np.nan, np.nan, np.nan, sessions - 2, sessions)
    se = float(np.sqrt(parts.sum()))
    df = float(parts.sum() ** 2 / (parts**2 / [own.df, base.df]).sum()) if se > 0 else float(own.df + base.df)
    width = float(stats.t.ppf(0.5 + LEVEL / 2, df)) * se
    return Estimate(value, se, value - width, value + width, df, sessions)
