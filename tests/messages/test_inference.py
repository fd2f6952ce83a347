import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

import dcg_econ as dcg


@pytest.mark.slow
def test_the_band_is_the_ordinary_standard_error_of_least_squares():
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 3, 40)
    y = 2 - x + rng.normal(0, 0.3, 40)
    curve = dcg.KernelCurve.fit(x, y, dcg.Constant() + dcg.Linear(), 0.0)
    grid = np.linspace(0, 3, 9)
    theirs = sm.OLS(y, sm.add_constant(x)).fit().get_prediction(sm.add_constant(grid)).se_mean
    np.testing.assert_allclose(dcg.standard_error(curve, grid), theirs, atol=1e-10)


def test_the_band_covers_the_mean_of_the_smoother():
    # E f(p) = h(p) . m for true means m: over repeated samples the interval covers it at the nominal rate.
    rng = np.random.default_rng(5)
    x = np.linspace(0, 3, 60)
    mean, grid = 2 - x, jnp.array([0.4, 1.5, 2.6])
    basis = dcg.kernel_basis(x, dcg.SquaredExponential(1.0), 0.5)
    target = jax.vmap(basis.influence)(grid) @ mean
    samples = jnp.asarray(mean + rng.normal(0, 0.3, (1500, 60)))

    def covered(sample):
        curve = dcg.KernelCurve.on(basis, sample)
        return jnp.abs(curve(grid) - target) <= 1.96 * dcg.standard_error(curve, grid)

    share = np.asarray(jax.jit(jax.vmap(covered))(samples)).mean(0)
    np.testing.assert_allclose(share, 0.95, atol=0.02)  # 3.5 standard errors of 1500 draws


@pytest.mark.slow
def test_tuning_finds_a_stationary_minimum_of_leave_one_out():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 3, 40))
    y = 3 - x + rng.normal(0, 0.2, 40)
    tuned = dcg.tune(x, y, dcg.Matern52(0.5))
    best, found = float(tuned.loo_rmse), tuned.hyperparameters()
    assert bool(tuned.converged)
    assert best == pytest.approx(float(jnp.sqrt(jnp.mean(tuned.curve.loo_residuals() ** 2))))

    @jax.jit
    def error(lengthscale, ridge):
        other = dcg.KernelCurve.fit(x, y, dcg.Matern52(lengthscale), ridge)
        return jnp.sqrt(jnp.mean(other.loo_residuals() ** 2))

    for scale, ridge in ((0.8, 1.0), (1.25, 1.0), (1.0, 0.8), (1.0, 1.25)):
        assert float(error(found["lengthscale"] * scale, found["ridge"] * ridge)) >= best - 1e-9


def test_the_law_of_demand_is_checked_between_the_knots():
    x = jnp.linspace(0.0, 3.0, 8)
    assert dcg.law_of_demand(dcg.KernelCurve.fit(x, 3 - x, dcg.Matern52(3.0), 1e-6))
    broken = dcg.law_of_demand(dcg.KernelCurve.fit(x, (x - 1.5) ** 2, dcg.Matern52(3.0), 1e-6))
    assert not broken and float(broken.largest_slope) > 1 and float(broken.at_price) > 1.5


@eqx.filter_jit
def projected(prices, quantities):
    """A curve's values at its knots, the falling ones nearest to them, and the largest slope of what joins those."""
    curve = dcg.KernelCurve.fit(prices, quantities, dcg.Matern12(0.2), 1e-3)
    nearest = dcg.monotone(curve)
    return curve.fitted(), nearest.values, jnp.max(nearest.slope(jnp.linspace(0, 0.999, 50)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=12, max_size=12))
def test_the_monotone_projection_is_isotonic_regression(quantities):
    fitted, values, largest = projected(jnp.linspace(0.0, 1.0, 12), jnp.array(quantities))
    np.testing.assert_allclose(values, isotonic_regression(np.asarray(fitted), increasing=False).x, atol=1e-12)
    assert float(largest) <= 1e-9


@pytest.mark.slow
def test_the_monotone_projection_is_differentiable():
    x = jnp.linspace(0.0, 1.0, 12)
    q = jnp.array([3.0, 2.5, 2.7, 2.0, 1.2, 1.4, 1.1, 0.9, 1.0, 0.4, 0.2, 0.1])

    def area(x, q):
        return dcg.monotone(dcg.KernelCurve.fit(x, q, dcg.Matern12(0.2), 1e-3)).integral(0.1, 0.8)

    bump, h = jnp.eye(12)[5], 1e-6
    compiled, derivative = jax.jit(area), jax.jit(jax.grad(area, 1))
    central = float(compiled(x, q + h * bump) - compiled(x, q - h * bump)) / (2 * h)
    assert float(derivative(x, q)[5]) == pytest.approx(central, rel=1e-6)
    assert float(area(x, q)) == pytest.approx(float(compiled(x, q)), abs=1e-12)


def test_piecewise_linear_curves_integrate_invert_and_add():
    curve = dcg.PiecewiseLinearCurve(jnp.array([0.0, 1.0, 3.0]), jnp.array([[4.0, 2.0, 1.0], [2.0, 1.0, 0.0]]))
    total = curve.total()
    assert float(total(0.5)) == 4.5 and float(total(2.0)) == 2.0 and float(total(4.0)) == 0.0
    assert float(total.integral(0.5, 2.0)) == pytest.approx(0.5 * (4.5 + 3.0) * 0.5 + 0.5 * (3.0 + 2.0) * 1.0)
    assert float(total.inverse(2.5)) == pytest.approx(1.5)
