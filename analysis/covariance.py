"""Standard errors for a regression with few independent clusters: each way is an object, given as `vcov`.

With b of `regression`, G clusters, residuals e and scores s_g = sum over cluster g of w x e:

(1)  CRV1  V = G/(G-1) (n-1)/(n-K) A^-1 (sum_g s_g s_g') A^-1,  A = X'wX            Liang & Zeger 1986
(2)  CRV3  V = (G-1)/G sum_g (b_(g) - b)(b_(g) - b)',  b_(g) without cluster g      Bell & McCaffrey 2002

and Student's t on G - 1 degrees of freedom. CRV1 falls short where clusters are few or unequal, since residuals are smaller
than errors; a left-out cluster has no part in its own fit. On balanced sessions with every treatment in each, (2) is the
paired t test on session means. `wild` has a third way, which takes the law of t itself from the data.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.regression import Regression
from dcg_econ.analysis.style import treatment_label

LEVEL = 0.95
FEW = 10  # clusters below which the ways differ by more than noise in tests/acceptance/test_recovery
OWN = 4  # clusters of a treatment by itself: with two of six or eight the default covers 93%, its edge, and with one nothing
COLUMNS = ("b", "se", "t", "p", "low", "high")


class AbstractCovariance(abc.ABC):
    """A way to make standard errors, p values and intervals of a `Regression`."""

    @abc.abstractmethod
    def inference(self, fit: Regression) -> pd.DataFrame:
        """One row per read coefficient, columns b, se, t, p, low, high (95%); NaN where there is nothing to go by."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Its short name, such as "CRV3"."""

    @abc.abstractmethod
    def rule(self, df: str) -> str:
        """How errors, p values and intervals are made, for the notes of a table; `df` is G - 1 in words or figures."""

    @abc.abstractmethod
    def caution(self, clusters: int) -> str:
        """What to beware of with so few clusters, or nothing."""


@dataclass(frozen=True)
class CRV1(AbstractCovariance):
    """The cluster sandwich (1), statsmodels' and Stata's default."""

    @property
    def label(self) -> str:
        return "CRV1"

    def rule(self, df: str) -> str:
        return f"CRV1, the cluster sandwich; {students_t(df)}"

    def inference(self, fit: Regression) -> pd.DataFrame:
        import statsmodels.api as sm

        y, z = fit.partialled()
        kwds = {"groups": fit.sorted_groups, "use_correction": False}
        found = sm.OLS(y, z).fit(cov_type="cluster", cov_kwds=kwds, use_t=True)
        variances = np.maximum(np.diag(found.cov_params()), 0.0)  # of what never varies it is rounding, of either sign
        return by_students_t(fit, np.sqrt(variances * fit.correction))

    def caution(self, clusters: int) -> str:
        return too_few(self, clusters)


@dataclass(frozen=True)
class CRV3(AbstractCovariance):
    """The cluster jackknife (2)."""

    @property
    def label(self) -> str:
        return "CRV3"

    def rule(self, df: str) -> str:
        return f"CRV3, the cluster jackknife; {students_t(df)}"

    def inference(self, fit: Regression) -> pd.DataFrame:
        gaps = fit.jackknife - fit.coefficients[: fit.k]
        return by_students_t(fit, np.sqrt((1.0 - 1.0 / fit.clusters) * (gaps**2).sum(axis=0)))

    def caution(self, clusters: int) -> str:
        del clusters
        return ""


def students_t(df: str) -> str:
    """The rule of Student's t on G - 1 degrees of freedom, in words."""
    return f"p values and 95% intervals by Student's t on {df} degrees of freedom (clusters - 1)"


def by_students_t(fit: Regression, errors: np.ndarray) -> pd.DataFrame:
    """Statistics of the read coefficients from their standard errors (k,), on G - 1 degrees of freedom."""
    from scipy import stats

    b, df = fit.coefficients[: fit.k], fit.clusters - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        t = b / errors
    width = stats.t.ppf(0.5 + LEVEL / 2, df) * errors
    numbers = (b, errors, t, 2 * stats.t.sf(np.abs(t), df), b - width, b + width)
    return pd.DataFrame(dict(zip(COLUMNS, numbers, strict=True)), index=list(fit.names))


def too_few(vcov: AbstractCovariance, clusters: int) -> str:
    """The warning of a way that does not hold its level with few clusters."""
    if clusters >= FEW:
        return ""
    return (
        f"{vcov.label} with {clusters} clusters: below {FEW} its intervals may cover less, or more, often than they say; "
        "the default, vcov=CRV3(), holds its level better there."
    )


DEFAULT = CRV3()


def cautions(vcov: AbstractCovariance, clusters: int, own: Mapping[str, int], table: pd.DataFrame) -> tuple[str, ...]:
    """What to beware of: the way itself, treatments in few clusters (`own`) that others are not in, and missing errors."""
    thin = [name for name, count in own.items() if count < min(OWN, clusters)]
    found = [vcov.caution(clusters)]
    if thin:
        counts = ", ".join(f"{treatment_label(name)} in {own[name]}" for name in thin)
        found.append(
            f"Few clusters of a treatment ({counts}): its standard errors rest on little; see permutation_test."
        )
    if table["se"].isna().any():
        found.append("No standard error (a dash): without one of the clusters the others do not tell the coefficient.")
    return tuple(text for text in found if text)
