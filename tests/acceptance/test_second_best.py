import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as stats

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.second_best import second_best
from tests.oracles import second_best as oracle

CLOSED = 1e-10  # promised in 64 bits
QUADRATURE = 1e-8  # adaptive quadrature of an integrand with roots inside, and of the oracle's tolerance
DIFFERENCES = 1e-6  # central differences, steps of 1e-4

TRIANGLE = ([0.0, 1.0], [0.0, 2.0])


def test_truncated_normals_are_brute_force():
    found = second_best(dcg.TruncatedNormal(0.6, 0.3, 0.0, 1.0), dcg.TruncatedNormal(0.5, 0.02, 0.1, 0.9))
    laws = stats.truncnorm(-2, 4 / 3, 0.6, 0.3), stats.truncnorm(-20, 20, 0.5, 0.02)
    surplus, weight = oracle.brute_force(*laws)
    assert float(found.surplus) == pytest.approx(surplus, abs=QUADRATURE)
    assert float(found.weight) == pytest.approx(weight, abs=1e-6)  # the oracle's quadrature, through a flat budget


def test_beta_types():
    found = second_best(dcg.Beta(2.0, 3.0), dcg.Beta(3.0, 2.0))
    assert float(found.surplus) == pytest.approx(0.03484683, abs=1e-8)
    assert float(found.efficiency) == pytest.approx(0.8131, abs=1e-4)
    assert float(found.weight) == pytest.approx(0.39214, abs=1e-5)
    assert float(found.multiplier) == pytest.approx(float(found.weight / (1 - found.weight)), abs=CLOSED)
    laws = stats.beta(2, 3), stats.beta(3, 2)
    surplus, weight = oracle.brute_force(*laws)
    assert float(found.surplus) == pytest.approx(surplus, abs=QUADRATURE)
    assert float(found.weight) == pytest.approx(weight, abs=QUADRATURE)
    assert float(found.first_best) == pytest.approx(oracle.first_best(*laws), abs=QUADRATURE)
    # The same market seen from the other side.
    assert float(found.buyer_rent) == pytest.approx(float(found.seller_rent), abs=CLOSED)


def test_a_table_is_the_density_it_holds():
    straight = second_best(dcg.Tabulated(*TRIANGLE), dcg.Uniform())
    smooth = second_best(dcg.Beta(2.0, 1.0), dcg.Uniform())
    for name in ("surplus", "first_best", "weight", "trade_probability", "buyer_rent", "seller_rent"):
        assert float(getattr(straight, name)) == pytest.approx(float(getattr(smooth, name)), abs=CLOSED)
    # A point that changes nothing, and a kink that is split off exactly.
    finer = second_best(dcg.Tabulated([0.0, 0.4, 1.0], [0.0, 0.8, 2.0]), dcg.Uniform())
    assert float(finer.surplus) == pytest.approx(float(straight.surplus), abs=CLOSED)


def test_lanes_that_fail_leave_the_others_whole():
    def surplus(low, high):
        found = second_best(dcg.Uniform(low, high), dcg.Uniform())
        return found.surplus, found

    lows, highs = jnp.array([0.0, -2.0, 1.5, 0.0]), jnp.array([1.0, -1.0, 2.5, 2.0])
    slopes, lanes = jax.vmap(jax.grad(surplus, 1, has_aux=True))(lows, highs)
    assert lanes.converged.tolist() == [True, False, True, True]
    assert np.isnan(lanes.surplus).tolist() == [False, True, False, False]
    alone = jax.grad(surplus, 1, has_aux=True)(0.0, 1.0)[0]
    assert float(slopes[0]) == pytest.approx(float(alone), abs=CLOSED) and float(slopes[2]) == pytest.approx(0.5)
    assert len(lanes.to_frame()) == 4 and "surplus" in str(lanes)


@pytest.mark.parametrize(
    ("values", "costs"),
    [
        (dcg.Uniform(0.1, 1.3), dcg.Uniform(0.0, 0.8)),
        (dcg.TruncatedNormal(0.5, 0.3, 0.0, 1.0), dcg.Uniform(-0.1, 1.0)),
        (dcg.Beta(2.0, 3.0, 0.0, 1.1), dcg.Uniform(0.1, 1.0)),
    ],
    ids=["uniform", "normal", "beta"],
)
def test_derivatives_in_every_parameter(values, costs):
    flat, shape = jax.flatten_util.ravel_pytree((values, costs))

    def numbers(parameters):
        found = second_best(*shape(parameters))
        return jnp.stack([found.surplus, found.first_best, found.weight, found.trade_probability])

    step = 1e-4
    expected = [(numbers(flat + e) - numbers(flat - e)) / (2 * step) for e in step * jnp.eye(flat.size)]
    np.testing.assert_allclose(jax.jit(jax.jacrev(numbers))(flat), jnp.stack(expected, -1), atol=DIFFERENCES)


def test_first_best_where_every_value_lies_above_every_cost():
    found = second_best(dcg.Uniform(2.0, 3.0), dcg.Uniform(0.0, 1.0))
    assert float(found.surplus) == float(found.first_best) == pytest.approx(2.0, abs=CLOSED)
    assert float(found.multiplier) == 0 and float(found.trade_probability) == pytest.approx(1, abs=CLOSED)
    assert float(found.budget) == pytest.approx(1.0, abs=CLOSED)
    assert bool(jnp.all(found.trades(jnp.array([2.0, 3.0]), 1.0)))
    by_low = jax.grad(lambda low: second_best(dcg.Uniform(low, 3.0), dcg.Uniform(0.0, 1.0)).surplus)(2.0)
    assert float(by_low) == pytest.approx(0.5, abs=CLOSED)
