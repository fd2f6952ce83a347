import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket, QuantityMarket
from tests.oracles import markets as oracle

CLOSED = 1e-10  # closed forms in x64; the conditions are linear


def test_the_weight_on_the_value_is_cournots():
    c = jnp.array([0.5, 1.0, 3.0])
    eq = dcg.solve(QuantityMarket(curvature=c, values=dcg.Uniform(1.0, 3.0), supply=2.0, outside_slope=0.8))
    np.testing.assert_allclose(eq.strategies.weight, [oracle.cournot_slope(float(x), 0.8) for x in c], atol=CLOSED)


@pytest.mark.slow
def test_without_private_information_it_is_the_textbook_oligopsony():
    # n equal firms, value t q - c q^2/2, inverse residual supply p = r - (S - Q)/b: q = (t - r + S/b) / (c + (n+1)/b).
    n, c, b, r, t, s = 4, 0.7, 0.9, 2.0, 3.0, 1.5
    market = QuantityMarket(curvature=jnp.full(n, c), values=t, supply=s, outside_slope=b, outside_price=r)
    profile = dcg.solve(market).strategies
    episode = jax.jit(lambda key: dcg.play(market, profile, key=key))(jax.random.key(0))
    np.testing.assert_allclose(episode.outcome.quantities, (t - r + s / b) / (c + (n + 1) / b), atol=CLOSED)


def test_interim_conditions_hold_against_monte_carlo():
    # Independent of the quadrature: the derivative of the average ex-post payoff over the others' values is nil.
    market = QuantityMarket(
        curvature=jnp.array([1.0, 2.0]), values=dcg.Uniform(1.0, 3.0), supply=1.0, outside_slope=0.8, outside_price=2.5
    )
    profile = dcg.solve(market).strategies
    draws = 200_000
    values = market.values.sample(jax.random.key(2), (draws, 2)).at[:, 0].set(2.2)
    quantities = jax.jit(jax.vmap(lambda v: profile((v, jnp.ones(2)))))(values)

    def average(q):
        price = 2.5 - (1.0 - q - quantities[:, 1]) / 0.8
        return jnp.mean((2.2 - price) * q - 0.5 * q**2)

    slope = float(jax.jit(jax.grad(average))(quantities[0, 0]))
    assert abs(slope) < 4 * float(jnp.std(quantities[:, 1])) / 0.8 / np.sqrt(draws)


@pytest.mark.slow
def test_schedules_leave_more_surplus_than_quantities():
    fields = {"curvature": jnp.full(5, 2.0), "values": dcg.Uniform(1.8, 2.6), "supply": 1.0}
    outside = {"outside_slope": 0.4, "outside_price": 2.2}
    schedules = dcg.solve(CurveMarket(**fields, **outside))
    quantities = dcg.solve(QuantityMarket(**fields, **outside))
    assert float(quantities.efficiency) < float(schedules.efficiency) < 1
    assert float(quantities.first_best) == pytest.approx(float(schedules.first_best), abs=CLOSED)


def test_a_market_without_an_outside_price_is_refused():
    with pytest.raises(dcg.InputError, match="outside_slope"):
        QuantityMarket(curvature=jnp.ones(3), outside_slope=0.0)
