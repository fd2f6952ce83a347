"""Gradient signal to noise: how large the mean of a gradient estimator is beside its spread.

    GSNR = |E g|^2 / tr Cov g          (1)

over channel noise, parameters and data held: an aggregate, no mean of ratios by coordinate. Rainforth's SNR is its root;
Liu et al. (2020) take (1) by coordinate. A high one is no praise of a biased estimator: look at the cosine too. Compare
estimators at equal samples and in the same numbers (a speaker's parameters or logits).

|E g|^2 is estimated by |mean|^2 - s^2 / n, s^2 the trace of the sample covariance, since |mean|^2 alone has a floor of
s^2 / n for pure noise. The interval inverts the law of F = n |mean|^2 / s^2: noncentral F, exact for Gaussian isotropic
noise, whose degrees of freedom are matched to the variances of |mean|^2 and s^2 otherwise (Satterthwaite 1946).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import brentq
from scipy.special import ncfdtr

from dcg_econ._errors import InputError, require_finite

LEVEL = 0.95
MOST_FREEDOM = 1e6  # of the denominator; beyond, F is a scaled chi-squared to six digits


class Gsnr(NamedTuple):
    """`value` of (1), cut at zero, with a 95 % interval `low`, `high`; `cosine` of the mean to the exact gradient, if given.

    Without variance all three are inf, or 0 where every sample is zero too: a dead gradient. A mean far below what pure noise
    gives has the interval [0, 0]. The cosine with a vector of zeros is NaN.
    """

    value: float
    low: float
    high: float
    cosine: float | None


class BatchGsnr(NamedTuple):
    """The split of variance over data batches x: tr Cov g = E_x tr Cov(g | x) + tr Cov_x E[g | x].

    `channel_variance`: the first; `batch_variance`: the second, its noise floor removed, cut at zero. `within`:
    E_x |E[g | x]|^2 over the first, the GSNR of a batch held; `fresh`: |E g|^2 over their sum, that of new batches.
    """

    within: float
    fresh: float
    channel_variance: float
    batch_variance: float


def gsnr(samples: Float[Array | np.ndarray, "n P"], exact: Float[Array | np.ndarray, " P"] | None = None) -> Gsnr:
    """(1) of n independent samples of a gradient in P numbers, n at least 3, with parameters and data held.

    The interval covers at its level for Gaussian isotropic noise; some points more for a faint mean in quiet directions, some
    less where n is below about twenty or tails are heavy. `InputError` where samples are too few or not finite.
    """
    numbers = _checked(samples, axis=0)
    mean, n = numbers.mean(0), numbers.shape[0]
    trace = _trace(numbers)
    cosine = None if exact is None else _cosine(mean, np.asarray(exact, float))
    value = _ratio(max(mean @ mean - trace / n, 0) if trace > 0 else mean @ mean, trace)
    if trace == 0:
        return Gsnr(value, value, value, cosine)
    statistic = n * (mean @ mean) / trace
    above, below = _freedom(numbers, value)

    def ratio(share):
        return _noncentrality(statistic, above, below, share) / (above * n)

    return Gsnr(value, ratio((1 + LEVEL) / 2), ratio((1 - LEVEL) / 2), cosine)


def gsnr_over_batches(samples: Float[Array | np.ndarray, "B n P"]) -> BatchGsnr:
    """GSNR and the split of variance from n samples, 3 at least, on each of B independent data batches, 2 at least.

    `InputError` where samples or batches are too few or not finite.
    """
    numbers = _checked(samples, axis=1)
    batches, n = numbers.shape[:2]
    if batches < 2:
        raise InputError("samples", "one batch has no variance over batches", "give two batches or more, or call gsnr")
    means = numbers.mean(1)
    channel = float(np.mean([_trace(batch) for batch in numbers]))
    spread = _trace(means)
    between = max(spread - channel / n, 0.0)
    held = max(float(np.mean(np.sum(means**2, 1))) - channel / n, 0.0)
    signal = max(float(np.sum(means.mean(0) ** 2)) - spread / batches, 0.0)
    return BatchGsnr(_ratio(held, channel), _ratio(signal, channel + between), channel, between)


def _checked(samples, axis):
    require_finite("samples", samples)
    numbers = np.asarray(samples, float)
    if numbers.shape[axis] < 3:
        raise InputError("samples", f"{numbers.shape[axis]} draws of channel noise", "give three or more")
    return numbers


def _trace(rows):
    """The trace of the sample covariance; zero, and no rounding of the mean, where the rows are all the same."""
    return 0.0 if np.all(rows == rows[0]) else float(np.sum((rows - rows.mean(0)) ** 2) / (len(rows) - 1))


def _ratio(signal, trace):
    if trace > 0:
        return float(signal / trace)
    return math.inf if signal > 0 else 0.0


def _cosine(mean, exact):
    lengths = np.linalg.norm(mean) * np.linalg.norm(exact)
    return float(mean @ exact / lengths) if lengths > 0 else math.nan


def _freedom(numbers, value):
    """Degrees of freedom above and below, from Var(n |mean|^2) = 2 tr S^2 + 4 n mu' S mu and Var(s^2), S = Cov g.

    tr S^2 and mu' S mu have their own noise taken off; from products n x n or P x P, whichever is smaller.
    """
    n, size = numbers.shape
    mean = numbers.mean(0)
    centred = numbers - mean
    lengths = np.sum(centred**2, 1)
    products = centred @ centred.T if n < size else centred.T @ centred
    trace = np.sum(lengths) / (n - 1)
    raw = np.sum(products**2) / (n - 1) ** 2
    squares = (n - 1) ** 2 / ((n - 2) * (n + 1)) * (raw - trace**2 / (n - 1))
    squares = min(max(squares, trace**2 / size), trace**2)
    along = max(np.sum((centred @ mean) ** 2) / (n - 1) - squares / n, 0)
    above = (2 + 4 * n * value) / (2 * squares / trace**2 + 4 * n * along / trace**2)
    spread = np.var(lengths, ddof=1) / n
    return above, min(2 * trace**2 / max(spread, 2 * trace**2 / MOST_FREEDOM), MOST_FREEDOM)


def _noncentrality(statistic, above, below, share):
    """The noncentrality at which `share` of the law lies below the statistic; 0 where it is less even there."""

    def excess(noncentrality):
        return float(ncfdtr(above, below, noncentrality, statistic)) - share

    if excess(0.0) <= 0:
        return 0.0
    upper = above * statistic + 1
    while excess(upper) > 0:
        upper *= 2
    return brentq(excess, 0.0, upper)
