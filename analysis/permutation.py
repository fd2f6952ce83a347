"""Tests that need no law of errors: permutations of session means, and exact rank tests.

Under the null that a treatment changes nothing in any session, the sign of a session's difference (sessions in pairs), or
which sessions had the treatment (independent sessions), is as good as drawn. All arrangements are taken where they are few
enough, so that p is exact; else `draws` of them, the data's own counted as one. Wilcoxon's signed ranks and Mann and
Whitney's ranks are the same on ranks. All by scipy. Sources: Fisher (1935); Wilcoxon (1945); Mann & Whitney (1947).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from dcg_econ.analysis.effects_print import p_text
from dcg_econ.analysis.results import AbstractResult
from dcg_econ.analysis.sessions import Sessions, session_values
from dcg_econ.analysis.tables import Table, number_text

DRAWS = 19_999
SIDES = ("two-sided", "greater", "less")


@dataclass(frozen=True, eq=False)
class SessionTest(AbstractResult):
    """A test on the values of sessions: the mean difference in the outcome's unit, the test's statistic and p value,
    whether p is exact, and how many arrangements it rests on (0 for a tabulated law)."""

    sessions: Sessions
    test: str
    alternative: str
    estimate: float
    statistic: float
    p: float
    exact: bool
    arrangements: int
    null: str

    def to_frame(self) -> pd.DataFrame:
        """One row, unrounded."""
        both = self.sessions
        row = {"outcome": both.outcome, "treatment": both.treatment, "against": both.against, "estimate": self.estimate}
        row |= {"test": self.test, "alternative": self.alternative, "statistic": self.statistic, "p": self.p}
        row |= {"exact": self.exact, "arrangements": self.arrangements, "paired": both.paired}
        row |= {"sessions": len(both.own), "sessions_against": len(both.base)}
        return pd.DataFrame([row]).set_index("treatment")

    def table(self) -> Table:
        """The test with what it rests on."""
        both = self.sessions
        cells = [["Mean difference", number_text(self.estimate)], ["Statistic", number_text(self.statistic)]]
        cells += [[f"p value ({self.alternative})", p_text(self.p)]]
        many = f", over {self.arrangements:,d} arrangements" if self.arrangements else ""
        kind = f"exact{many}" if self.exact else f"by {self.arrangements:,d} drawn arrangements and the data's own"
        notes = (both.basis, f"The p value is {kind}; no degrees of freedom. Null: {self.null}.")
        printed = pd.DataFrame(cells, columns=["", "Value"], dtype=object)
        return Table(self.to_frame(), f"{self.test}: {both.claim}", notes, name="session_test", printed=printed)


def permutation_test(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    alternative: str = "two-sided",
    draws: int = DRAWS,
    seed: int = 0,
    paired: bool | None = None,
    parameters: Sequence[str] | None = None,
) -> SessionTest:
    """Permutation test of the difference of session means; `alternative` is "two-sided", "greater" or "less".

    Sessions that both treatments have are flipped in pairs, others are dealt out anew; `paired`, `parameters` and errors
    as in `session_values`. Exact where there are at most `draws` arrangements, else drawn with `seed`.
    """
    return permuted(session_values(panel, outcome, treatment, against, parameters, paired), alternative, draws, seed)


def permuted(both: Sessions, alternative: str = "two-sided", draws: int = DRAWS, seed: int = 0) -> SessionTest:
    """`permutation_test` of sessions that are at hand."""
    from scipy import stats

    _check(alternative)
    found = stats.permutation_test(
        (both.own.to_numpy(), both.base.to_numpy()),
        lambda x, y, axis=-1: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="samples" if both.paired else "independent",
        vectorized=True,
        n_resamples=draws,
        alternative=alternative,
        rng=np.random.default_rng(seed),
    )
    count = len(found.null_distribution)
    test = f"{'Sign-flip' if both.paired else 'Permutation'} test of session means"
    null = "the treatment changes nothing in any session"
    exact = _arrangements(both) <= draws
    return SessionTest(both, test, alternative, both.difference, found.statistic, found.pvalue, exact, count, null)


def rank_test(
    panel: pd.DataFrame,
    outcome: str,
    treatment: str,
    against: str,
    alternative: str = "two-sided",
    draws: int = DRAWS,
    seed: int = 0,
    paired: bool | None = None,
    parameters: Sequence[str] | None = None,
) -> SessionTest:
    """Wilcoxon's signed-rank test of paired session means, or Mann and Whitney's of independent ones, exact.

    Arguments and errors as in `permutation_test`. Ties and zero differences have no tabulated law: then the ranks are
    permuted, all ways where these are at most `draws`.
    """
    return ranked(session_values(panel, outcome, treatment, against, parameters, paired), alternative, draws, seed)


def ranked(both: Sessions, alternative: str = "two-sided", draws: int = DRAWS, seed: int = 0) -> SessionTest:
    """`rank_test` of sessions that are at hand."""
    from scipy import stats

    _check(alternative)
    own, base = both.own.to_numpy(), both.base.to_numpy()
    sizes = np.abs(both.gaps) if both.paired else np.concatenate([own, base])
    tied = len(np.unique(sizes)) < len(sizes) or (both.paired and bool((sizes == 0).any()))
    method = stats.PermutationMethod(n_resamples=draws, rng=np.random.default_rng(seed)) if tied else "exact"
    if both.paired:
        gaps = both.gaps
        if not gaps.any():
            raise ValueError(f"`{both.outcome}` is the same in every session of both: ranks tell nothing")
        test, null = "Wilcoxon signed-rank test", "differences within sessions are symmetric about zero"
        found = stats.wilcoxon(gaps, method=method, alternative=alternative)
    else:
        test, null = "Mann-Whitney test", "values of both treatments have one law"
        found = stats.mannwhitneyu(own, base, method=method, alternative=alternative)
    count = min(_arrangements(both), draws) if tied else 0
    exact = not tied or _arrangements(both) <= draws
    return SessionTest(both, test, alternative, both.difference, found.statistic, found.pvalue, exact, count, null)


def _check(alternative: str) -> None:
    if alternative not in SIDES:
        raise ValueError(f"alternative `{alternative}` is not one of {', '.join(SIDES)}")


def _arrangements(both: Sessions) -> int:
    """How many there are."""
    return 2 ** len(both.own) if both.paired else comb(len(both.own) + len(both.base), len(both.own))
