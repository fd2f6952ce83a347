"""A weighted regression in arrays, ready for any kind of standard error: coefficients, residuals and sums by cluster.

(1)  y = Z b + D c + e,  weights w,  clusters g = 1..G.

Z holds what is read, D nuisance dummies. With X = [Z, D] the normal equations give b; by Frisch, Waugh and Lovell the same
b and e come from y and Z with D partialled out, which keeps the matrices that other packages see narrow. Everything is
multiplied by sqrt(w) once, so that sums over rows are weighted sums.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

SINGULAR = (
    1e-10  # a pivot below this share of its diagonal: the gram has squared the data's rounding, 1e-16, up to 1e-13
)
ESTIMABLE = 1e-6  # a coefficient is a function of the fitted values when its row of the projector is a unit vector


@dataclass(frozen=True, eq=False)
class Regression:
    """Regression (1). `y` (n,), `z` (n, k), `dummies` (n, m), `weights` (n,) above zero, `groups` (n,) codes 0..G-1, and
    `names` of the k columns of `z`. X must have full rank.
    """

    y: np.ndarray
    z: np.ndarray
    dummies: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]

    @property
    def k(self) -> int:
        """Columns that are read."""
        return self.z.shape[1]

    @cached_property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.groups.max()) + 1

    @cached_property
    def correction(self) -> float:
        """G/(G-1) (n-1)/(n-K) of CRV1, dummies counted in K."""
        n, columns = self.x.shape
        return self.clusters / (self.clusters - 1) * (n - 1) / (n - columns)

    @cached_property
    def x(self) -> np.ndarray:
        """sqrt(w) X, (n, K), rows sorted by cluster."""
        return (np.hstack([self.z, self.dummies]) * np.sqrt(self.weights)[:, None])[self._order]

    @cached_property
    def target(self) -> np.ndarray:
        """sqrt(w) y, (n,), in the same order."""
        return (self.y * np.sqrt(self.weights))[self._order]

    @cached_property
    def gram(self) -> np.ndarray:
        """X'wX, (K, K)."""
        return self.x.T @ self.x

    @cached_property
    def inverse(self) -> np.ndarray:
        """Of the gram, (K, K); the columns are put on one scale first."""
        scale = np.sqrt(np.diag(self.gram))
        return np.linalg.inv(self.gram / np.outer(scale, scale)) / np.outer(scale, scale)

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Of all columns, (K,); refined once, since the gram has squared the condition number."""
        first = self.inverse @ (self.x.T @ self.target)
        return first + self.inverse @ (self.x.T @ (self.target - self.x @ first))

    @cached_property
    def residuals(self) -> np.ndarray:
        """sqrt(w) e, (n,), in the order of `x`."""
        return self.target - self.x @ self.coefficients

    @cached_property
    def r_squared(self) -> float:
        """Share of the weighted variance of y that is explained."""
        deviation = self.y - np.average(self.y, weights=self.weights)
        return float(1.0 - (self.residuals**2).sum() / (self.weights * deviation**2).sum())

    def partialled(self) -> tuple[np.ndarray, np.ndarray]:
        """sqrt(w) times y and Z without the dummies' part, (n,) and (n, k), in the order of `x`."""
        z, d = self.x[:, : self.k], self.x[:, self.k :]
        both = np.column_stack([self.target, z])
        if d.shape[1]:
            both = both - d @ np.linalg.solve(d.T @ d, d.T @ both)
        return both[:, 0], both[:, 1:]

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Sums of rows (n, ...) in the order of `x` within each cluster, (G, ...)."""
        return np.add.reduceat(rows, self._starts, axis=0)

    @cached_property
    def sorted_groups(self) -> np.ndarray:
        """The cluster of each row of `x`."""
        return self.groups[self._order]

    @cached_property
    def jackknife(self) -> np.ndarray:
        """The read coefficients without each cluster in turn, (G, k); NaN where the rest does not tell one."""
        moments = self.x.T @ self.target
        ends = [*self._starts[1:], len(self.target)]
        found = np.empty((self.clusters, self.k))
        for g, (start, end) in enumerate(zip(self._starts, ends, strict=True)):
            own = self.x[start:end]
            found[g] = _solved(self.gram - own.T @ own, moments - own.T @ self.target[start:end], self.k)
        return found

    @cached_property
    def own_clusters(self) -> np.ndarray:
        """In how many clusters each column of `z` varies or differs from zero, (k,)."""
        return (self.sums(np.abs(self.x[:, : self.k])) > 0).sum(0)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.groups, kind="stable")

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.searchsorted(self.groups[self._order], np.arange(self.clusters))


def regression_of(y: pd.Series, x: pd.DataFrame, read: list[str], weights: pd.Series, groups: pd.Series) -> Regression:
    """From a frame of regressors: the columns `read` are reported, the others are nuisance."""
    others = [name for name in x if name not in read]
    codes = pd.factorize(groups)[0]
    return Regression(
        y.to_numpy(float),
        x[read].to_numpy(float),
        x[others].to_numpy(float),
        weights.to_numpy(float),
        codes,
        tuple(read),
    )


def _solved(gram: np.ndarray, moments: np.ndarray, k: int) -> np.ndarray:
    """The first k coefficients of normal equations; where these are singular, those that they still tell."""
    try:
        factor = np.linalg.cholesky(gram)
        if (np.diag(factor) ** 2 > SINGULAR * np.diag(gram)).all():
            return np.linalg.solve(gram, moments)[:k]
    except np.linalg.LinAlgError:
        pass
    inverse = np.linalg.pinv(gram, rcond=SINGULAR, hermitian=True)
    projector = (inverse @ gram)[:k]
    told = np.abs(projector - np.eye(k, len(gram))).max(axis=1) < ESTIMABLE
    return np.where(told, (inverse @ moments)[:k], np.nan)
