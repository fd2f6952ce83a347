import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from tests.priors import test_priors as short


@pytest.mark.parametrize("name", list(short.SMOOTH))
def test_derivatives_in_the_argument_and_in_every_parameter(name):
    short.check_derivatives(name)


@pytest.mark.parametrize(
    "prior",
    [
        dcg.Uniform([0.0, 1.0], 2.0),
        dcg.Beta([2.0, 3.0], [[3.0], [2.0], [1.0]]),
        dcg.TruncatedNormal([0.0, 0.5], 1.0, [[0.0], [-1.0], [-2.0]], 1.0),
    ],
)
def test_parameters_broadcast(prior):
    nodes, weights = prior.quadrature()
    shape = prior.mean().shape
    assert prior.std().shape == shape and nodes.shape == (*weights.shape, *shape)
    np.testing.assert_allclose(jnp.tensordot(weights, nodes, 1), prior.mean(), atol=short.EXPECTATION)
    assert prior.sample(jax.random.key(0), (5, *shape)).shape == (5, *shape)
    found = short.curves(prior, 0.6, 0.6)
    assert {value.shape for value in found} == {shape}
    np.testing.assert_allclose(short.curves(prior, found[3], 0.6)[1], 0.6, atol=short.CDF)


def test_samples_are_differentiable():
    def middle(a, scale):
        one = dcg.Beta(a, 3.0).sample(jax.random.key(0), (4000,))
        two = dcg.TruncatedNormal(0.3, scale, 0.0, 1.0).sample(jax.random.key(0), (4000,))
        return jnp.mean(one), jnp.mean(two)

    by_a, by_scale = jax.jacrev(middle, (0, 1))(2.0, 0.4)[0][0], jax.jacrev(middle, (0, 1))(2.0, 0.4)[1][1]
    assert float(by_a) == pytest.approx(3 / 25, abs=0.01)
    exact = jax.grad(lambda s: dcg.TruncatedNormal(0.3, s, 0.0, 1.0).mean())(0.4)
    assert float(by_scale) == pytest.approx(float(exact), abs=0.01)
