import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.integrate import quad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_ridge import KernelRidge

import dcg_econ as dcg
from dcg_econ.messages import DualBasis, FeatureBasis, MarkovBasis

CLOSED = 1e-9  # closed forms in x64, conditioned by ridge 1e-2
RIDGE = 1e-2
PAIRS = {
    "squared exponential": (dcg.SquaredExponential(0.7), RBF(0.7)),
    "matern 1/2": (dcg.Matern12(0.7), Matern(0.7, nu=0.5)),
    "matern 3/2": (dcg.Matern32(0.7), Matern(0.7, nu=1.5)),
    "matern 5/2": (dcg.Matern52(0.7), Matern(0.7, nu=2.5)),
}
NAMED = pytest.mark.parametrize("ours, theirs", PAIRS.values(), ids=PAIRS.keys())


@pytest.fixture(scope="module")
def market_data():
    rng = np.random.default_rng(7)
    prices = np.sort(rng.uniform(0.0, 3.0, 30))
    return prices, 3 - prices + 0.3 * np.sin(4 * prices) + rng.normal(0, 0.2, 30)


GRID = np.linspace(-0.4, 3.4, 24)


@NAMED
def test_values_equal_scikit_learn(market_data, ours, theirs):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, ours, RIDGE)
    ridge = KernelRidge(alpha=RIDGE, kernel="precomputed").fit(theirs(prices[:, None]), quantities)
    np.testing.assert_allclose(curve(GRID), ridge.predict(theirs(GRID[:, None], prices[:, None])), atol=CLOSED)
    gp = GaussianProcessRegressor(theirs, alpha=RIDGE, optimizer=None).fit(prices[:, None], quantities)
    np.testing.assert_allclose(curve(GRID), gp.predict(GRID[:, None]), atol=CLOSED)


@pytest.mark.parametrize("ridge", [0.0, 1e-12])
def test_constant_plus_linear_is_ordinary_least_squares(market_data, ridge):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, dcg.Constant() + dcg.Linear(), ridge)
    ols = sm.OLS(quantities, sm.add_constant(prices)).fit()
    assert isinstance(curve.basis, FeatureBasis)
    np.testing.assert_allclose(curve(GRID), ols.predict(sm.add_constant(GRID)), atol=1e-10)
    assert float(curve.slope(1.0)) == pytest.approx(ols.params[1], abs=1e-10)
    assert float(curve.degrees_of_freedom()) == pytest.approx(2, abs=1e-9)
    press = quantities - np.asarray(curve.loo_residuals())
    np.testing.assert_allclose(quantities - press, ols.get_influence().resid_press, atol=CLOSED)


KINDS = {
    DualBasis: dcg.Matern52(0.7),
    MarkovBasis: dcg.Matern12(0.7),
    FeatureBasis: dcg.Polynomial(3),
}
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)


@EACH
def test_leave_one_out_equals_refitting(market_data, kind):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, KINDS[kind], RIDGE)
    assert isinstance(curve.basis, kind)
    closed = np.asarray(curve.loo_residuals())
    for i in (0, 11, 29):
        keep = np.arange(30) != i
        refit = dcg.KernelCurve.fit(prices[keep], quantities[keep], KINDS[kind], RIDGE)
        assert closed[i] == pytest.approx(quantities[i] - float(refit(prices[i])), abs=1e-9)


@EACH
def test_degrees_of_freedom_are_the_trace_of_the_hat_matrix(market_data, kind):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, KINDS[kind], RIDGE)
    matrix = np.asarray(KINDS[kind](prices[:, None], prices[None, :]))
    hat = np.linalg.solve(matrix + RIDGE * np.eye(30), matrix)
    assert float(curve.degrees_of_freedom()) == pytest.approx(np.trace(hat), abs=1e-7)
    influence = jax.vmap(curve.basis.influence)(jnp.asarray(prices))
    np.testing.assert_allclose(np.diag(influence), np.diag(hat), atol=1e-9)


@EACH
def test_slope_and_integral_belong_to_the_curve(market_data, kind):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, KINDS[kind], RIDGE)
    h, inner = 1e-5, np.linspace(0.21, 2.71, 7)
    central = (curve(inner + h) - curve(inner - h)) / (2 * h)
    np.testing.assert_allclose(curve.slope(inner), central, atol=1e-6)
    breaks = [p for p in prices if -0.3 < p < 3.2]
    at = jax.jit(lambda p: curve(p))
    area = quad(lambda p: float(at(p)), -0.3, 3.2, points=breaks, limit=400)[0]
    assert float(curve.integral(-0.3, 3.2)) == pytest.approx(area, abs=1e-9)
    assert float(curve.integral(3.2, -0.3)) == pytest.approx(-area, abs=1e-9)


@pytest.mark.slow
def test_the_tridiagonal_path_equals_the_dense_one(market_data):
    prices, quantities = market_data
    kernel = dcg.Matern12(0.4, 1.7)
    fast = dcg.KernelCurve.fit(prices, quantities, kernel, RIDGE)
    dense = dcg.KernelCurve.on(DualBasis(jnp.asarray(prices), kernel, jnp.asarray(RIDGE)), jnp.asarray(quantities))
    for name in ("fitted", "loo_residuals", "degrees_of_freedom"):
        np.testing.assert_allclose(getattr(fast, name)(), getattr(dense, name)(), atol=1e-10)
    np.testing.assert_allclose(fast(GRID), dense(GRID), atol=1e-10)
    np.testing.assert_allclose(fast.integral(GRID, 1.0), dense.integral(GRID, 1.0), atol=1e-10)
    np.testing.assert_allclose(dcg.standard_error(fast, GRID), dcg.standard_error(dense, GRID), atol=1e-10)


def test_order_of_prices_does_not_matter(market_data):
    prices, quantities = market_data
    shuffle = np.random.default_rng(0).permutation(30)
    for kernel in KINDS.values():
        straight = dcg.KernelCurve.fit(prices, quantities, kernel, RIDGE)
        mixed = dcg.KernelCurve.fit(prices[shuffle], quantities[shuffle], kernel, RIDGE)
        np.testing.assert_allclose(mixed(GRID), straight(GRID), atol=1e-9)


def test_curves_on_common_knots_add(market_data):
    prices, quantities = market_data
    basis = dcg.kernel_basis(prices, dcg.Matern52(0.7), RIDGE)
    values = jnp.stack([jnp.asarray(quantities) * k for k in (1.0, -2.0, 0.5)])
    curves = [dcg.KernelCurve.on(basis, v) for v in values]
    together = curves[0] + curves[1] + curves[2]
    np.testing.assert_allclose(together(GRID), sum(c(GRID) for c in curves), atol=1e-10)
    stacked = dcg.KernelCurve.on(basis, values)
    np.testing.assert_allclose(stacked.total()(GRID), together(GRID), atol=1e-10)
    np.testing.assert_allclose(stacked.fitted()[1], curves[1].fitted(), atol=1e-10)
    assert stacked(1.0).shape == (3,)
    with pytest.raises(dcg.InputError, match="different knots"):
        curves[0] + dcg.KernelCurve.fit(prices, quantities, dcg.Matern52(0.8), RIDGE)


def test_the_inverse_inverts(market_data):
    prices, _ = market_data
    curve = dcg.KernelCurve.fit(prices, 3 - prices, dcg.Matern52(2.0), 1e-6)
    for price in (0.4, 1.7, 2.6):
        assert float(curve.inverse(curve(price))) == pytest.approx(price, abs=1e-10)
    with pytest.raises(dcg.InputError, match="quantity: not crossed"):
        curve.inverse(50.0)
    affine = dcg.AffineCurve(jnp.asarray(3.0), jnp.asarray(-2.0))
    assert float(affine.inverse(affine(0.3))) == pytest.approx(0.3)


def test_gradients_through_the_fit_equal_central_differences(market_data):
    prices, quantities = market_data

    @jax.jit
    def surplus(quantities, lengthscale):
        curve = dcg.KernelCurve.fit(prices, quantities, dcg.Matern52(lengthscale), RIDGE)
        return curve.integral(0.5, 2.0)

    by_quantity, by_scale = jax.jit(jax.grad(surplus, argnums=(0, 1)))(jnp.asarray(quantities), jnp.asarray(0.7))
    h, bump = 1e-5, np.eye(30)[4]  # rounding over the step stays below 1e-9 however the fit is compiled
    up, down = surplus(quantities + h * bump, 0.7), surplus(quantities - h * bump, 0.7)
    assert float(by_quantity[4]) == pytest.approx(float(up - down) / (2 * h), rel=1e-6)
    up, down = surplus(quantities, 0.7 + h), surplus(quantities, 0.7 - h)
    assert float(by_scale) == pytest.approx(float(up - down) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(
    "prices, quantities, ridge, field",
    [
        ([0.0, 1.0, 2.0], [1.0, 2.0], 0.1, "quantities"),
        ([0.0, 1.0, 1.0], [1.0, 2.0, 3.0], 0.0, "prices"),
        ([0.0, float("nan"), 2.0], [1.0, 2.0, 3.0], 0.1, "prices"),
        ([0.0, 1.0, 2.0], [1.0, float("nan"), 3.0], 0.1, "quantities"),
        ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], -0.1, "ridge"),
        ([1.0], [1.0], 0.1, "prices"),
    ],
)
@pytest.mark.parametrize("kernel", [dcg.Matern52(), dcg.Matern12()])
def test_bad_input_names_the_field(prices, quantities, ridge, field, kernel):
    with pytest.raises(dcg.InputError, match=field) as error:
        dcg.KernelCurve.fit(jnp.array(prices), jnp.array(quantities), kernel, ridge)
    assert error.value.field == field and error.value.remedy in str(error.value)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    prices = jnp.linspace(0.0, 1e-7, 12)
    with pytest.raises(dcg.InputError, match="not positive definite"):
        dcg.KernelCurve.fit(prices, prices, dcg.SquaredExponential(1.0), 0.0)


def test_least_squares_needs_as_many_prices_as_features():
    with pytest.raises(dcg.InputError, match="fewer distinct prices than features"):
        dcg.KernelCurve.fit(jnp.array([1.0, 1.0, 2.0]), jnp.zeros(3), dcg.Polynomial(3), 0.0)


def test_matern12_keeps_the_order_of_the_data_also_under_jit(market_data):
    prices, quantities = market_data
    shuffle = np.random.default_rng(2).permutation(30)
    straight = dcg.KernelCurve.fit(prices, quantities, dcg.Matern12(0.7), RIDGE)
    mixed = dcg.KernelCurve.fit(prices[shuffle], quantities[shuffle], dcg.Matern12(0.7), RIDGE)
    at = jnp.asarray(1.3)
    np.testing.assert_allclose(mixed.loo_residuals(), straight.loo_residuals()[shuffle], atol=1e-12)
    np.testing.assert_allclose(mixed.fitted(), straight.fitted()[shuffle], atol=1e-12)
    np.testing.assert_allclose(mixed.basis.influence(at), straight.basis.influence(at)[shuffle], atol=1e-12)
    jitted = jax.jit(lambda p, q: dcg.KernelCurve.fit(p, q, dcg.Matern12(0.7), RIDGE)(1.3))
    assert float(jitted(prices[shuffle], quantities[shuffle])) == pytest.approx(float(straight(1.3)), abs=1e-12)


def test_leave_one_out_holds_down_to_no_ridge(market_data):
    prices, quantities = market_data
    kernel = dcg.Matern32(0.2)
    closed = dcg.KernelCurve.fit(prices, quantities, kernel, 0.0).loo_residuals()
    keep = np.arange(30) != 11
    refit = dcg.KernelCurve.fit(prices[keep], quantities[keep], kernel, 0.0)
    assert float(closed[11]) == pytest.approx(quantities[11] - float(refit(prices[11])), abs=1e-8)


def test_rising_curves_have_inverses_and_batches_are_refused():
    x = np.linspace(0, 3, 10)
    rising = dcg.KernelCurve.fit(x, x, dcg.Matern52(), 1e-9)
    assert float(rising.inverse(1.0)) == pytest.approx(1.0, abs=1e-5)  # the ridge
    assert np.isnan(jax.jit(lambda q: rising.inverse(q))(99.0))
    with pytest.raises(dcg.InputError, match=r"jax\.vmap"):
        dcg.KernelCurve.on(rising.basis, jnp.stack([jnp.asarray(x)] * 2)).inverse(1.0)


def test_curves_add_under_jit_and_in_sums(market_data):
    prices, quantities = market_data
    curve = dcg.KernelCurve.fit(prices, quantities, dcg.Matern52(0.7), RIDGE)
    assert float(jax.jit(lambda a, b: (a + b)(1.0))(curve, curve)) == pytest.approx(2 * float(curve(1.0)))
    assert float(sum([curve, curve])(1.0)) == pytest.approx(2 * float(curve(1.0)))


def test_a_negative_variance_is_refused():
    with pytest.raises(dcg.InputError, match="variance"):
        dcg.Constant(-1.0)
