"""Kernel fits and clearing against scikit-learn and LAPACK, warm, in the same number of threads for everyone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import dcg_econ as dcg
from dcg_econ.equilibrium.clearing import clear
from tests.benchmarks.machine import bandwidth
from tests.benchmarks.ratios import against, compare, warm

RIDGE, LENGTH, KNOTS = 1e-2, 0.5, 64


def fitting(kernel):
    """The compiled fit; kernel and ridge are constants in it, as they are in the peers' code."""
    return jax.jit(lambda x, y: dcg.KernelCurve.fit(x, y, kernel, RIDGE).coefficients)


def gram(x):
    matrix = np.exp(-0.5 * ((x[:, None] - x[None, :]) / LENGTH) ** 2)
    matrix[np.diag_indices(len(x))] += RIDGE
    return matrix


def learner():
    ridge = pytest.importorskip("sklearn.kernel_ridge", reason="the peer is scikit-learn")
    return ridge.KernelRidge(alpha=RIDGE, kernel="rbf", gamma=1 / (2 * LENGTH**2))


@pytest.mark.parametrize("n", [256, 1024, 2048])
def test_dense_fit(put, n):
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(0, 10, n)), rng.normal(size=n)
    jx, jy, fit = jnp.asarray(x), jnp.asarray(y), fitting(dcg.SquaredExponential(LENGTH))

    def lapack():
        factor = scipy.linalg.cho_factor(gram(x), overwrite_a=True, check_finite=False)
        return scipy.linalg.cho_solve(factor, y, check_finite=False)

    ridge = learner()
    bare = compare(lambda: fit(jx, jy), lapack)
    put(against(f"kernel fit, {n} knots", "scipy's Cholesky", bare, limit="LAPACK, matrix included", bound=bare.theirs))
    put(
        against(
            f"kernel fit, {n} knots",
            "scikit-learn",
            compare(lambda: fit(jx, jy), lambda: ridge.fit(x[:, None], y)),
        )
    )
    np.testing.assert_allclose(fit(jx, jy), lapack(), rtol=1e-5, atol=1e-6)


@eqx.filter_jit
def on_common(knots, quantities):
    """A batch of curves that share their basis."""
    return dcg.KernelCurve.on(dcg.kernel_basis(knots, dcg.SquaredExponential(LENGTH), RIDGE), quantities)


@eqx.filter_jit
def fitted_and_cleared(knots, quantities, supply):
    """Every trader's curve on common knots, and the price at which they clear."""
    curves = on_common(knots, quantities)
    total = curves.total()
    price, found = clear(lambda p: total(p) - supply, 0.5 * (knots[0] + knots[-1]), knots[0], knots[-1])
    return curves.coefficients, price, found


def demands(traders):
    """Prices (KNOTS,), what each trader asks for there (traders, KNOTS), and the quantity on offer."""
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, KNOTS)
    y = rng.uniform(-0.2, 0.2, (traders, 1)) - x * rng.uniform(0.5, 1.5, (traders, 1))
    return x, y, 0.1 * traders


@pytest.mark.parametrize("traders", [1, 100, 10_000, 100_000])
def test_traders_on_common_knots(put, traders):
    x, y, supply = demands(traders)
    jx, jy, ridge = jnp.asarray(x), jnp.asarray(y), learner()

    def theirs():
        fitted = ridge.fit(x[:, None], y.T)
        total = fitted.dual_coef_.reshape(KNOTS, -1).sum(1)
        excess = lambda p: np.exp(-0.5 * ((p - x) / LENGTH) ** 2) @ total - supply  # noqa: E731
        return scipy.optimize.brentq(excess, -1, 1, xtol=1e-12)

    found = compare(lambda: fitted_and_cleared(jx, jy, jnp.asarray(supply)), theirs, rounds=5)
    columns, factor = np.asfortranarray(y.T), scipy.linalg.cho_factor(gram(x))
    bound, _ = warm(lambda: scipy.linalg.cho_solve(factor, columns, check_finite=False))
    share = 2 * y.nbytes / bandwidth() / found.ours
    note = f"memory: {100 * share:.1f} % of the bandwidth, quantities read and coefficients written"
    work = f"curves of {traders:,} traders on {KNOTS} knots, fitted and cleared"
    put(against(work, "scikit-learn and brentq", found, note, "LAPACK, its two triangular solves", bound))
    assert float(fitted_and_cleared(jx, jy, jnp.asarray(supply))[1]) == pytest.approx(theirs(), abs=1e-9)


@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_banded_fit(put, n):
    rng = np.random.default_rng(0)
    x, y = np.cumsum(rng.uniform(0.5, 1.5, n)), rng.normal(size=n)
    jx, jy, fit = jnp.asarray(x), jnp.asarray(y), fitting(dcg.Matern12(2.0))

    def banded():
        steps = np.diff(x) / 2.0
        decay, gap = np.exp(-steps), -np.expm1(-2 * steps)
        inner = decay**2 / gap
        bands = np.zeros((2, n))
        bands[0, 1:] = -RIDGE * decay / gap
        bands[1] = 1 + RIDGE * (1 + np.append(inner, 0) + np.append(0, inner))
        return scipy.linalg.solveh_banded(bands, y, overwrite_ab=True, check_finite=False)

    found = compare(lambda: fit(jx, jy), banded)
    put(
        against(
            f"exponential kernel, {n:,} knots, O(n)",
            "scipy's banded solver",
            found,
            limit="LAPACK, bands included",
            bound=found.theirs,
        )
    )
    np.testing.assert_allclose(fit(jx, jy), banded(), atol=1e-10)


def test_one_factor_serves_many(put):
    """256 x 5 curves on 12 knots: each refitted, against one factorisation for all."""
    x = jnp.linspace(-1, 1, 12)
    y = jnp.asarray(np.random.default_rng(2).normal(size=(1280, 12)))
    each = jax.jit(jax.vmap(fitting(dcg.SquaredExponential(LENGTH))))
    xs = jnp.tile(x, (len(y), 1))
    found = compare(lambda: on_common(x, y).coefficients, lambda: each(xs, y))
    put(against("1,280 curves on 12 knots, one factor", "the same, each with its own", found))
    np.testing.assert_allclose(on_common(x, y).coefficients, each(xs, y), atol=1e-8)
