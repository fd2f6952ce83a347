"""The wild cluster bootstrap of t: the null imposed, the residuals of a cluster flipped together.

For coefficient j and the null b_j = b0, let q be x_j with the other columns partialled out, and u(b0) the residuals of the
restricted fit. With one weight v_g a cluster (Rademacher's +-1, or Webb's six points) a draw has

(1)  t*(v) = sum_g v_g s_g / sqrt(c sum_g (sum_h K_gh v_h)^2),
     s_g = q_g'u_g,   K_gh = [g = h] s_g - q_g'X_g A^-1 X_h'u_h,   A = X'X,   c = G/(G-1) (n-1)/(n-K)

and p is the share of draws with |t*| >= |t|. Since u(b0) = u(0) - b0 q, s and K are linear in b0: numerator and squared
denominator are polynomials in b0, so the interval, the b0 with p > 0.05, costs no further matrices. With few clusters all
2^G Rademacher weights are taken, and p is exact. Sources: Cameron, Gelbach & Miller (2008); Roodman, MacKinnon, Nielsen &
Webb (2019) for the algebra; Webb (2023) for the six points.
"""

import abc
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.covariance import COLUMNS, LEVEL, AbstractCovariance, too_few
from dcg_econ.analysis.regression import Regression

EIGHT = 8  # clusters below which Rademacher's 2^(G-1) distinct draws are too coarse for a p of 0.05
TIES = 1e-9  # relative: |t*| of the weights that are all one is |t| but for rounding
HALVINGS = 30  # of a bracket: 1e-9 of its width
WIDEST = 2.0**20  # standard errors from the estimate beyond which an interval is called unbounded


class AbstractWeights(abc.ABC):
    """A law of the weights of clusters, with mean zero and variance one."""

    @abc.abstractmethod
    def sample(self, clusters: int, draws: int, seed: int) -> tuple[np.ndarray, bool]:
        """Weights (B, G), and whether they are all that there are."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Its name."""


@dataclass(frozen=True)
class Rademacher(AbstractWeights):
    """+1 or -1; all combinations where they are no more than `draws`."""

    @property
    def label(self) -> str:
        return "Rademacher"

    def sample(self, clusters: int, draws: int, seed: int) -> tuple[np.ndarray, bool]:
        if clusters <= 62 and 2 ** (clusters - 1) <= draws:  # v and -v give one |t*|
            half = itertools.product((1.0, -1.0), repeat=clusters - 1)
            return np.array([(1.0, *rest) for rest in half]), True
        return np.random.default_rng(seed).choice((-1.0, 1.0), (draws, clusters)), False


@dataclass(frozen=True)
class Webb(AbstractWeights):
    """Webb's six points, +-sqrt(1/2), +-1, +-sqrt(3/2): more distinct draws where clusters are very few."""

    @property
    def label(self) -> str:
        return "Webb's six-point"

    def sample(self, clusters: int, draws: int, seed: int) -> tuple[np.ndarray, bool]:
        points = np.sqrt([0.5, 1.0, 1.5])
        return np.random.default_rng(seed).choice(np.concatenate([-points, points]), (draws, clusters)), False


@dataclass(frozen=True)
class WildBootstrap(AbstractCovariance):
    """The restricted wild cluster bootstrap-t (1). `draws` weights from `seed`; `weights` is the law (default: Webb's
    below eight clusters, else Rademacher's). `se` and `t` are CRV1's; p and the interval are the bootstrap's, and an
    interval that no null value ends is infinite on that side.
    """

    draws: int = 9999
    seed: int = 0
    weights: AbstractWeights | None = None

    def __post_init__(self):
        if self.draws < 19:
            raise ValueError(f"draws={self.draws}: a p value of 0.05 needs 19 draws at the least; 9999 is usual")

    @property
    def label(self) -> str:
        return "wild bootstrap"

    def rule(self, df: str) -> str:
        law = f"{self.weights.label} weights" if self.weights else f"Rademacher weights, Webb's below {EIGHT} clusters"
        return (
            f"CRV1; p values and 95% intervals by the wild cluster bootstrap of t with the null imposed ({law}; "
            f"{self.draws:,d} draws, or all there are; seed {self.seed}), in place of Student's t on {df} degrees of freedom "
            "(clusters - 1)"
        )

    def inference(self, fit: Regression) -> pd.DataFrame:
        law = self.weights or (Webb() if fit.clusters < EIGHT else Rademacher())
        v, whole = law.sample(fit.clusters, self.draws, self.seed)
        rows = []
        for j in range(fit.k):
            nulls = _Nulls.of(fit, j, v, whole)
            b, se = nulls.b, nulls.se
            found = (nulls.p(0.0), nulls.end(-1.0), nulls.end(1.0)) if se > 0 else (np.nan, b, b)
            rows.append((b, se, b / se if se > 0 else np.nan, *found))
        return pd.DataFrame(rows, columns=list(COLUMNS), index=list(fit.names))

    def caution(self, clusters: int) -> str:
        return too_few(self, clusters)


@dataclass(frozen=True, eq=False)
class _Nulls:
    """t*(v) for every null value: numerator n0 - b0 n1, squared denominator d0 - 2 b0 d1 + b0^2 d2, each (B,)."""

    n: tuple[np.ndarray, np.ndarray]
    d: tuple[np.ndarray, np.ndarray, np.ndarray]
    whole: bool
    b: float
    se: float

    @classmethod
    def of(cls, fit: Regression, j: int, v: np.ndarray, whole: bool) -> "_Nulls":
        rest = np.delete(np.arange(fit.x.shape[1]), j)
        others, column = fit.x[:, rest], fit.x[:, j]
        both = np.column_stack([column, fit.target])
        both = both - others @ np.linalg.solve(others.T @ others, others.T @ both)
        q, u = both[:, 0], both[:, 1]
        lever = fit.sums(q[:, None] * fit.x) @ fit.inverse  # (G, K)
        numerators, roots = [], []
        for residual in (u, q):
            s = fit.sums(q * residual)
            k = np.diag(s) - lever @ fit.sums(fit.x * residual[:, None]).T
            numerators.append(v @ s)
            roots.append(v @ k.T * np.sqrt(fit.correction))
        products = ((0, 0), (0, 1), (1, 1))
        squares = [(roots[a] * roots[c]).sum(axis=1) for a, c in products]
        b = (q @ u) / (q @ q)
        se = np.sqrt(fit.correction * (fit.sums(q * (u - b * q)) ** 2).sum()) / (q @ q)  # CRV1's, without cancellation
        return cls(tuple(numerators), tuple(squares), whole, float(b), float(se))

    def p(self, null: float) -> float:
        """Share of draws at least as far out as the estimate; drawn weights count the estimate as one of them."""
        top = np.abs(self.n[0] - null * self.n[1])
        bottom = np.sqrt(np.maximum(self.d[0] - 2 * null * self.d[1] + null**2 * self.d[2], 0.0))
        far = top >= bottom * abs(self.b - null) / self.se * (1.0 - TIES)
        return float(far.mean() if self.whole else (1 + far.sum()) / (1 + len(far)))

    def end(self, side: float) -> float:
        """The last null value on one side of the estimate that is not rejected."""
        inside, reach = self.b, 2.0
        while self.p(self.b + side * reach * self.se) > 1 - LEVEL:
            inside, reach = self.b + side * reach * self.se, 2 * reach
            if reach > WIDEST:
                return side * np.inf
        outside = self.b + side * reach * self.se
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.p(middle) > 1 - LEVEL else (inside, middle)
        return outside
