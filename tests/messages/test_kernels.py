import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import dcg_econ as dcg
from dcg_econ.messages.features import features

EXACT = 1e-12  # closed forms in x64

KERNELS = {
    "squared exponential": dcg.SquaredExponential(0.7, 1.3),
    "matern 1/2": dcg.Matern12(0.7, 1.3),
    "matern 3/2": dcg.Matern32(0.7, 1.3),
    "matern 5/2": dcg.Matern52(0.7, 1.3),
    "constant": dcg.Constant(1.3),
    "linear": dcg.Linear(1.3),
    "polynomial": dcg.Polynomial(3, 0.6, 1.3),
    "sum": dcg.Constant(0.4) + dcg.Matern32(0.9),
    "product": dcg.Linear(0.8) * dcg.SquaredExponential(1.1),
    "polynomial product": (dcg.Constant(0.5) + dcg.Linear(2.0)) * dcg.Linear(),
}
NAMED = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())
PRICES = jnp.array([-0.4, 0.0, 0.31, 1.2, 2.5])


@NAMED
def test_the_kernel_matrix_is_symmetric_and_positive_semidefinite(kernel):
    matrix = kernel(PRICES[:, None], PRICES[None, :])
    np.testing.assert_allclose(matrix, matrix.T, atol=EXACT)
    assert np.linalg.eigvalsh(matrix).min() > -EXACT


@NAMED
def test_slopes_are_derivatives(kernel):
    for y in (0.5, 1.9):
        slope = jax.vmap(jax.grad(lambda x, y=y: kernel(x, jnp.asarray(y))))(PRICES)
        np.testing.assert_allclose(kernel.slope(PRICES, y), slope, atol=EXACT)


@pytest.mark.parametrize("kernel", [dcg.SquaredExponential(), dcg.Matern32(), dcg.Matern52()])
def test_the_slope_is_differentiable_at_a_knot(kernel):
    h = 1e-5
    second = jax.grad(lambda x: kernel.slope(x, jnp.asarray(1.0)))(1.0)
    central = (kernel.slope(1.0 + h, 1.0) - kernel.slope(1.0 - h, 1.0)) / (2 * h)
    assert second == pytest.approx(float(central), rel=1e-4)  # Matern 3/2 has a third derivative that jumps


@NAMED
def test_integrals_agree_with_quadrature(kernel):
    at = jax.jit(lambda x, y: kernel(x, y))
    for a, b, y in ((-0.5, 2.0, 0.3), (0.7, 1.1, 2.2), (2.0, -1.0, 0.5)):
        value = quad(lambda x, y=y: float(at(x, y)), a, b, points=[y] if min(a, b) < y < max(a, b) else None)[0]
        assert float(kernel.integral(jnp.asarray(a), jnp.asarray(b), jnp.asarray(y))) == pytest.approx(value, abs=1e-9)


@NAMED
def test_the_integral_differentiates_to_the_value_even_at_the_kink(kernel):
    derivative = jax.jit(jax.grad(lambda x: kernel.integral(jnp.asarray(-1.0), x, jnp.asarray(0.3))))
    for b in (0.3, 1.4):
        slope = derivative(jnp.asarray(b))
        # A product is integrated by 96 nodes: the rule's own error.
        assert float(slope) == pytest.approx(float(kernel(b, 0.3)), abs=1e-8)


def test_features_reproduce_kernels_of_finite_rank_and_no_others():
    ranks = {name: None if (phi := features(k, PRICES)) is None else phi.shape[-1] for name, k in KERNELS.items()}
    finite = {"constant": 1, "linear": 1, "polynomial": 4, "polynomial product": 2}
    assert ranks == {name: finite.get(name) for name in KERNELS}
    for name in finite:
        phi = features(KERNELS[name], PRICES)
        np.testing.assert_allclose(phi @ phi.T, KERNELS[name](PRICES[:, None], PRICES), atol=EXACT)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_a_bad_lengthscale_is_refused(bad):
    with pytest.raises(dcg.InputError, match="lengthscale"):
        dcg.Matern52(lengthscale=bad)
