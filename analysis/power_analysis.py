"""Power by simulation: sessions of a pilot drawn anew, with the effect put in.

(1)  d*_s = effect + r_s,  r drawn with replacement from the pilot's deviations from their mean, times sqrt(m / (m - 1)),

for m pilot sessions (of each side where they are independent), so that r has the pilot's unbiased variance. Each draw is
tested by the t test of the pre-analysis plan, paired or Welch's. Beside it stands the noncentral t law's power, which takes
session values as normal; where the two part, sessions are not (learned play is often bimodal). The spread of a small pilot
is itself uncertain, and so is the power that it promises.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.effect_sizes import analytic_power, spread_of, whole_numbers
from dcg_econ.analysis.results import AbstractResult
from dcg_econ.analysis.sessions import Sessions, session_values
from dcg_econ.analysis.tables import Table, number_text

BLOCK = 500  # draws between two reports of progress


@dataclass(frozen=True, eq=False)
class Power(AbstractResult):
    """Power by number of sessions: `frame` has power, its Monte Carlo standard error and the analytic value."""

    sessions: Sessions
    frame: pd.DataFrame
    effect: float
    level: float
    alternative: str
    draws: int
    seed: int
    spread: float

    def to_frame(self) -> pd.DataFrame:
        """One row per number of sessions, unrounded."""
        return self.frame.copy()

    def table(self) -> Table:
        """Power beside the analytic value."""
        both = self.sessions
        kind = "paired t test on sessions - 1" if both.paired else "Welch's t test on Satterthwaite's"
        unit = f" {both.unit}" if both.unit else ""
        notes = (
            f"Share of {self.draws:,d} draws (seed {self.seed}) in which the {self.alternative} {kind} degrees of freedom "
            f"rejects at the {100 * self.level:g}% level, effect {number_text(self.effect)}{unit}; clusters are sessions"
            f"{'' if both.paired else ' of each treatment'}. Analytic: noncentral t with the pilot's standard deviation, "
            f"{number_text(self.spread)}.",
            f"Pilot: {both.basis[:1].lower()}{both.basis[1:]}",
        )
        formats = dict.fromkeys(("power", "mc_se", "analytic"), ".3f")
        labels = {"power": "Power", "mc_se": "Monte Carlo error", "analytic": "Analytic"}
        return Table(self.frame, f"Power, {both.claim}", notes, formats, labels, name="power")


def power(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    *,
    sessions: Sequence[int] | int,
    effect: float,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.05,
    alternative: str = "two-sided",
    paired: bool | None = None,
    parameters: Sequence[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Power:
    """Power to find `effect` (in the outcome's unit) with `sessions`, by drawing the sessions of the pilot `panel` anew.

    `sessions` is one number or several, of each treatment where they are independent. `progress` is called with (draws
    done, draws in all). Other arguments and errors as in `session_values`.
    """
    both = session_values(panel, outcome, treatment, against, parameters, paired)
    spread, _, _ = spread_of(both)
    counts = whole_numbers(sessions)
    random, rows, done = np.random.default_rng(seed), [], 0
    for count in counts:
        hits = 0
        for start in range(0, draws, BLOCK):
            size = min(BLOCK, draws - start)
            hits += int((_p_values(both, effect, count, size, alternative, random) < level).sum())
            done += size
            if progress is not None:
                progress(done, draws * len(counts))
        share = hits / draws
        expected = analytic_power(effect / spread, count, both.paired, level, alternative)
        rows.append({"power": share, "mc_se": np.sqrt(share * (1 - share) / draws), "analytic": expected})
    frame = pd.DataFrame(rows, index=pd.Index(counts, name="sessions"))
    return Power(both, frame, effect, level, alternative, draws, seed, spread)


def _p_values(both: Sessions, effect: float, count: int, draws: int, alternative: str, random) -> np.ndarray:
    from scipy import stats

    if both.paired:
        return stats.ttest_1samp(
            effect + _drawn(both.gaps, draws, count, random), 0.0, axis=1, alternative=alternative
        ).pvalue
    own, base = (_drawn(side.to_numpy(), draws, count, random) for side in (both.own, both.base))
    return stats.ttest_ind(own + effect, base, axis=1, equal_var=False, alternative=alternative).pvalue


def _drawn(values: np.ndarray, draws: int, count: int, random) -> np.ndarray:
    """Equation (1) without the effect, (draws, count)."""
    m = len(values)
    deviations = (values - values.mean()) * np.sqrt(m / (m - 1))
    return deviations[random.integers(m, size=(draws, count))]
