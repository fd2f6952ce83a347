"""Effect sizes on session means, and the effect that so many sessions would find.

(1)  independent sessions: g = J(n1 + n0 - 2) (m1 - m0) / s,  s the pooled standard deviation of session values
(2)  sessions in pairs:    g = J(n - 1) m / s,  m and s of the differences within sessions (often written g_z)

J(v) = Gamma(v/2) / (sqrt(v/2) Gamma((v-1)/2)) takes out the bias of small samples (Hedges 1981). (2) is in units of the
spread of differences, not of levels, so it is not comparable with (1). Intervals invert the noncentral t law of the t
statistic, (3) P(T <= t) = E Phi(t sqrt(q / v) - delta), q chi-square on v degrees of freedom. The minimum detectable effect
is the one at which the t test of its level has the wanted power, by the same law (statsmodels).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.results import AbstractResult
from dcg_econ.analysis.sessions import Sessions, session_values
from dcg_econ.analysis.tables import Table, interval_text, number_text

LEVEL = 0.95
PAIRED = "Hedges' g of paired differences (in standard deviations of a session's difference)"
INDEPENDENT = "Hedges' g (in pooled standard deviations of a session's value)"
FURTHEST = 37.0  # beyond this noncentrality scipy's law underflows, exp(-37^2/2); then (3) takes its place
POINTS = 20_000  # quantiles in (3): the tails of 2.5% rest on 500 of them


@dataclass(frozen=True, eq=False)
class EffectSize(AbstractResult):
    """Hedges' g, (1) or (2), with its 95% interval, the raw difference, and the degrees of freedom of its t law."""

    sessions: Sessions
    g: float
    low: float
    high: float
    difference: float
    spread: float
    df: int

    def to_frame(self) -> pd.DataFrame:
        """One row, unrounded."""
        row: dict[str, object] = {
            "outcome": self.sessions.outcome,
            "treatment": self.sessions.treatment,
            "against": self.sessions.against,
        }
        row |= {"g": self.g, "low": self.low, "high": self.high, "difference": self.difference, "sd": self.spread}
        row |= {"df": self.df, "paired": self.sessions.paired, "sessions": len(self.sessions.own)}
        return pd.DataFrame([row | {"sessions_against": len(self.sessions.base)}]).set_index("treatment")

    def table(self) -> Table:
        """The size, its interval, and what it is measured in."""
        cells = [["Hedges' g", number_text(self.g, ".3f")]]
        cells += [["its 95% interval", interval_text(self.low, self.high, ".3f")]]
        cells += [["Mean difference", number_text(self.difference)], ["Standard deviation", number_text(self.spread)]]
        what = PAIRED if self.sessions.paired else INDEPENDENT
        notes = (
            self.sessions.basis,
            f"{what}; interval by the noncentral t law on {self.df} degrees of freedom "
            f"({'sessions - 1' if self.sessions.paired else 'sessions - 2'}).",
        )
        printed = pd.DataFrame(cells, columns=["", "Value"], dtype=object)
        return Table(self.to_frame(), f"Effect size, {self.sessions.claim}", notes, name="effect_size", printed=printed)


def effect_size(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    paired: bool | None = None,
    parameters: Sequence[str] | None = None,
) -> EffectSize:
    """Hedges' g on session values, (1) for independent sessions, (2) for paired; arguments and errors as in
    `session_values`. Raises ValueError where sessions do not differ."""
    both = session_values(panel, outcome, treatment, against, parameters, paired)
    spread, df, root = spread_of(both)
    d = both.difference / spread
    low, high = (_noncentrality(d * root, df, tail) / root for tail in (0.5 + LEVEL / 2, 0.5 - LEVEL / 2))
    return EffectSize(both, float(_unbiased(df) * d), low, high, both.difference, spread, df)


def spread_of(both: Sessions) -> tuple[float, int, float]:
    """The standard deviation that (1) or (2) divides by, its degrees of freedom, and t / d of the test."""
    if both.paired:
        n, df = len(both.own), len(both.own) - 1
        spread, root = float(both.gaps.std(ddof=1)), float(np.sqrt(n))
    else:
        n1, n0 = len(both.own), len(both.base)
        df = n1 + n0 - 2
        squares = (n1 - 1) * both.own.var(ddof=1) + (n0 - 1) * both.base.var(ddof=1)
        spread, root = float(np.sqrt(squares / df)), float(np.sqrt(n1 * n0 / (n1 + n0)))
    if not spread > 1e-12 * max(both.own.abs().max(), both.base.abs().max()):
        raise ValueError(f"`{both.outcome}` does not vary between sessions: no effect size, and no power to compute")
    return spread, df, root


def _unbiased(df: int) -> float:
    from scipy.special import gammaln

    return float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2)) if df > 1 else np.nan


def _noncentrality(t: float, df: int, tail: float) -> float:
    """The noncentrality under which t is the quantile `tail`."""
    from scipy import optimize, stats

    width = 6 * float(np.sqrt(1 + t**2 / (2 * df)))
    if abs(t) + width < FURTHEST:
        return float(optimize.brentq(lambda delta: stats.nct.cdf(t, df, delta) - tail, t - width, t + width))
    reach = t * np.sqrt(stats.chi2.ppf((np.arange(POINTS) + 0.5) / POINTS, df) / df)
    return float(optimize.brentq(lambda delta: stats.norm.cdf(reach - delta).mean() - tail, -4 * width, 4 * width))


@dataclass(frozen=True, eq=False)
class DetectableEffect(AbstractResult):
    """The least effect that the t test finds with the wanted power: `frame` has a row per number of sessions (of each
    treatment where they are independent), the effect in the outcome's unit and in standard deviations."""

    sessions: Sessions
    frame: pd.DataFrame
    power: float
    level: float
    alternative: str
    spread: float

    def to_frame(self) -> pd.DataFrame:
        """One row per number of sessions, unrounded."""
        return self.frame.copy()

    def table(self) -> Table:
        """Sessions, degrees of freedom and the effect."""
        kind = "paired" if self.sessions.paired else "two-sample"
        notes = (
            f"The effect that a {self.alternative} {kind} t test at the {100 * self.level:g}% level finds with probability "
            f"{self.power:g}, by the noncentral t law on {'sessions - 1' if self.sessions.paired else '2 (sessions - 1)'} "
            f"degrees of freedom; clusters are sessions{'' if self.sessions.paired else ' of each treatment'}.",
            f"Standard deviation {number_text(self.spread)} from the pilot. {self.sessions.basis}",
        )
        labels = {
            "df": "Degrees of freedom",
            "effect": "Minimum detectable effect",
            "standardised": "in std. deviations",
        }
        title = f"Minimum detectable effect, {self.sessions.claim}"
        return Table(self.frame, title, notes, labels=labels, name="detectable_effect")


def minimum_detectable_effect(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    sessions: Sequence[int] | int | None = None,
    power: float = 0.8,
    level: float = 0.05,
    alternative: str = "two-sided",
    paired: bool | None = None,
    parameters: Sequence[str] | None = None,
) -> DetectableEffect:
    """The least effect that `sessions` (default: the panel's) would find; the spread between sessions is the panel's.

    `alternative` is "two-sided", "greater" or "less"; other arguments and errors as in `session_values`.
    """
    both = session_values(panel, outcome, treatment, against, parameters, paired)
    spread, _, _ = spread_of(both)
    own = min(len(both.own), len(both.base))
    counts = whole_numbers(own if sessions is None else sessions)
    rows = []
    for count in counts:
        standardised = _solve(count, both.paired, level, power, alternative)
        df = count - 1 if both.paired else 2 * (count - 1)
        rows.append({"df": df, "effect": spread * standardised, "standardised": standardised})
    frame = pd.DataFrame(rows, index=pd.Index(counts, name="sessions"))
    return DetectableEffect(both, frame, power, level, alternative, spread)


def whole_numbers(sessions: Sequence[int] | int) -> list[int]:
    """Numbers of sessions as a list; raises ValueError below two."""
    counts = [sessions] if isinstance(sessions, int | np.integer) else list(sessions)
    for count in counts:
        if int(count) != count or count < 2:
            raise ValueError(f"sessions={count}: give whole numbers from 2, since one session shows no variation")
    return [int(count) for count in counts]


def analytic_power(standardised: float, count: int, paired: bool, level: float, alternative: str) -> float:
    """Power of the t test at an effect in standard deviations, by the noncentral t law."""
    law, named = _law(paired)
    return float(law.power(standardised, count, alpha=level, alternative=named[alternative]))


def _solve(count: int, paired: bool, level: float, power: float, alternative: str) -> float:
    law, named = _law(paired)
    size = {"nobs": count} if paired else {"nobs1": count}
    found = law.solve_power(effect_size=None, **size, alpha=level, power=power, alternative=named[alternative])
    return abs(float(np.squeeze(found)))


def _law(paired: bool):
    from statsmodels.stats.power import TTestIndPower, TTestPower

    return TTestPower() if paired else TTestIndPower(), {
        "two-sided": "two-sided",
        "greater": "larger",
        "less": "smaller",
    }
