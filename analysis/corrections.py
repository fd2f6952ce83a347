"""Corrections for the number of hypotheses in a family: Holm's, and Romano and Wolf's step-down over resampled sessions.

Holm (1979) needs nothing but the p values. Romano and Wolf (2005, 2016) take the law of the smallest p value from the data,
so that hypotheses whose estimates move together cost less. Sessions are resampled jointly over the family: with the null
imposed, session s gets one sign e_s in every hypothesis that it enters,

(1)  t*_h = t statistic of e_s (d_hs - d0_h),  d_hs the session's difference, d0_h the null (0, or the nearer margin),

for independent sides the deviations of both from their common mean under the null. A draw's t*_h is made a p*_h by
the law of its own test, so that one-sided, two-sided and equality claims stand on one scale, and for p_(1) <= ... <= p_(m)

(2)  adjusted p_(j) = max over i <= j of the share of draws with min over k >= i of p*_(k) at most p_(i).

All 2^S signs are taken where these are at most `draws`. An adjusted p is never below its own raw p; a hypothesis that could
not be tested keeps its place: it adds its Bonferroni share, the raw p.
"""

import abc
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.inference import SessionTerms

SAME = 1e-9  # relative: p values of one arrangement computed twice


@dataclass(frozen=True, eq=False)
class Claim:
    """A hypothesis as a correction sees it: raw p (NaN where it was not tested), the null difference, the side ("two-sided",
    "greater", "less"), the degrees of freedom, and what the sessions add."""

    p: float
    null: float | int = 0.0
    side: str = "two-sided"
    df: float | int = np.nan
    terms: SessionTerms | None = None


class AbstractCorrection(abc.ABC):
    """A way to adjust the p values of one family."""

    @abc.abstractmethod
    def adjust(self, family: Sequence[Claim]) -> np.ndarray:
        """Adjusted p values in the family's order, NaN for what was not tested."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Its name, as printed."""

    @property
    @abc.abstractmethod
    def rule(self) -> str:
        """How it adjusts, for the notes of a table."""


@dataclass(frozen=True)
class Holm(AbstractCorrection):
    """Holm's step-down; what was not tested counts as p = 1."""

    @property
    def label(self) -> str:
        return "Holm"

    @property
    def rule(self) -> str:
        return "adjusted by Holm's method for the number of hypotheses declared in the family"

    def adjust(self, family: Sequence[Claim]) -> np.ndarray:
        from statsmodels.stats.multitest import multipletests

        p = np.array([item.p for item in family])
        return np.where(np.isnan(p), np.nan, multipletests(np.where(np.isnan(p), 1.0, p), method="holm")[1])


@dataclass(frozen=True)
class RomanoWolf(AbstractCorrection):
    """Romano and Wolf's step-down (2), by sign flips of whole sessions (1): at most `draws` of them, from `seed`."""

    draws: int = 9999
    seed: int = 0

    def __post_init__(self):
        if self.draws < 99:
            raise ValueError(
                f"draws={self.draws}: a family's smallest p value needs 99 draws at the least; 9999 is usual"
            )

    @property
    def label(self) -> str:
        return "Romano-Wolf"

    @property
    def rule(self) -> str:
        return (
            "adjusted by Romano and Wolf's step-down within the family, sessions' signs flipped jointly over its hypotheses "
            f"(all ways, or {self.draws:,d} draws, seed {self.seed})"
        )

    def adjust(self, family: Sequence[Claim]) -> np.ndarray:
        tested = [i for i, item in enumerate(family) if item.terms is not None and not np.isnan(item.p)]
        adjusted = np.full(len(family), np.nan)
        if not tested:
            return adjusted
        raw = np.array([family[i].p for i in tested])
        signs = self._signs([family[i] for i in tested])
        drawn = np.stack([_drawn_p(family[i], signs) for i in tested])  # (m, B); the first draw is the data
        lost = (len(family) - len(tested)) * raw
        adjusted[tested] = np.maximum(raw, np.minimum(1.0, _step_down(drawn) + lost))
        return _monotone(adjusted, raw, tested)

    def _signs(self, family: Sequence[Claim]) -> pd.DataFrame:
        """Signs (B, sessions), all +1 first: the data's own arrangement."""
        sessions = sorted({name for item in family for side in _sides(item) for name in side.index})
        if len(sessions) <= 62 and 2 ** len(sessions) <= self.draws:
            rows = np.array(list(itertools.product((1.0, -1.0), repeat=len(sessions))))
            return pd.DataFrame(rows, columns=sessions)
        rows = np.random.default_rng(self.seed).choice((-1.0, 1.0), (self.draws + 1, len(sessions)))
        rows[0] = 1.0
        return pd.DataFrame(rows, columns=sessions)


HOLM = Holm()
CORRECTIONS: dict[str, AbstractCorrection] = {"holm": HOLM, "romano_wolf": RomanoWolf()}  # as specifications name them


def _sides(item: Claim) -> tuple[pd.Series, ...]:
    return item.terms.values() if item.terms is not None else ()


def _drawn_p(item: Claim, signs: pd.DataFrame) -> np.ndarray:
    """The p value of (1) in each draw, by the law of the test."""
    from scipy import stats

    sides = list(_sides(item))
    sides[0] = sides[0] - item.null
    if len(sides) == 2:
        centre = np.concatenate(sides).mean()
        (own, own_error), (base, base_error) = (_mean_and_error(side, signs, centre) for side in sides)
        mean, error = own - base, np.hypot(own_error, base_error)
    else:
        mean, error = _mean_and_error(sides[0], signs, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, mean / error, np.sign(mean) * np.inf)
    t = np.nan_to_num(t, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if item.side == "two-sided":
        return 2 * stats.t.sf(np.abs(t), item.df)
    return stats.t.sf(t if item.side == "greater" else -t, item.df)


def _mean_and_error(values: pd.Series, signs: pd.DataFrame, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the flipped deviations, by draw; squares keep their sum whatever the signs."""
    deviations = values.to_numpy() - centre
    n = len(deviations)
    mean = signs[values.index].to_numpy() @ deviations / n
    variance = np.maximum((deviations**2).sum() - n * mean**2, 0.0) / (n - 1)
    return mean, np.sqrt(variance / n)


def _step_down(drawn: np.ndarray) -> np.ndarray:
    """Equation (2) before its running maximum; the first column is the data's own arrangement."""
    order = np.argsort(drawn[:, 0], kind="stable")
    least = np.minimum.accumulate(drawn[order][::-1], axis=0)[::-1]  # min over the hypotheses from this one on
    share = (least <= drawn[order, :1] * (1 + SAME)).mean(axis=1)
    found = np.empty(len(order))
    found[order] = np.maximum.accumulate(share)
    return found


def _monotone(adjusted: np.ndarray, raw: np.ndarray, tested: Sequence[int]) -> np.ndarray:
    """No adjusted p below that of a hypothesis with a smaller raw p."""
    order = [tested[i] for i in np.argsort(raw, kind="stable")]
    adjusted[order] = np.maximum.accumulate(adjusted[order])
    return adjusted
