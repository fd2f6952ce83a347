"""Kernel fits against scikit-learn and LAPACK, warm, in the machine's own number of threads for everyone."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from sklearn.kernel_ridge import KernelRidge

import dcg_econ as dcg
from tests.benchmarks.ratios import compare, say

RIDGE, LENGTH = 1e-2, 0.5

fit = eqx.filter_jit(lambda x, y, kernel: dcg.KernelCurve.fit(x, y, kernel, jnp.asarray(RIDGE)).coefficients)


@pytest.mark.parametrize("n", [256, 1024, 2048])
def test_dense_fit(benchmark, n):
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(0, 10, n)), rng.normal(size=n)
    jx, jy, kernel = jnp.asarray(x), jnp.asarray(y), dcg.SquaredExponential(LENGTH)

    def lapack():
        matrix = x[:, None] - x[None, :]
        matrix = np.exp(-0.5 * (matrix / LENGTH) ** 2)
        matrix[np.diag_indices(n)] += RIDGE
        factor = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
        return scipy.linalg.cho_solve(factor, y, check_finite=False)

    learner = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=1 / (2 * LENGTH**2))
    for name, theirs in (("scikit-learn", lambda: learner.fit(x[:, None], y)), ("scipy Cholesky", lapack)):
        found = compare(lambda: fit(jx, jy, kernel), theirs)
        say(f"kernel fit, n = {n}, against {name}", found)
        benchmark.extra_info[name] = found
    np.testing.assert_allclose(fit(jx, jy, kernel), lapack(), rtol=1e-5, atol=1e-6)
    benchmark(lambda: fit(jx, jy, kernel).block_until_ready())


def test_banded_fit(benchmark):
    n, rng = 100_000, np.random.default_rng(0)
    x, y = np.cumsum(rng.uniform(0.5, 1.5, n)), rng.normal(size=n)
    jx, jy, kernel = jnp.asarray(x), jnp.asarray(y), dcg.Matern12(2.0)

    def banded():
        steps = np.diff(x) / 2.0
        decay, gap = np.exp(-steps), -np.expm1(-2 * steps)
        inner = decay**2 / gap
        bands = np.zeros((2, n))
        bands[0, 1:] = -RIDGE * decay / gap
        bands[1] = 1 + RIDGE * (1 + np.append(inner, 0) + np.append(0, inner))
        return scipy.linalg.solveh_banded(bands, y, overwrite_ab=True, check_finite=False)

    found = compare(lambda: fit(jx, jy, kernel), banded)
    say(f"Matern-1/2 fit, n = {n}, against scipy's banded solver", found)
    benchmark.extra_info["banded"] = found
    np.testing.assert_allclose(fit(jx, jy, kernel), banded(), atol=1e-10)
    benchmark(lambda: fit(jx, jy, kernel).block_until_ready())
