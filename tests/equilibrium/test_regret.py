import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket, QuantityMarket

MARKET = CurveMarket(curvature=jnp.ones(3), outside_slope=0.4, outside_price=0.3, supply=0.2)


def test_regret_of_price_taking_is_the_closed_form():
    # Residual supply of slope k: the gain of moving the price is (the first-order condition)^2 / (2 k (2 + c k)).
    takers = dcg.ProportionalDemand(1.0)
    types, weights = MARKET.cubature()
    k = 2 * 1.0 + 0.4

    def gain(node):
        outcome = MARKET.outcome(MARKET.reports(takers, node))
        slope = -outcome.quantities + k * (node.values - outcome.price) - k * outcome.quantities
        return slope**2 / (2 * k * (2 + k)), MARKET.first_best(node)

    gains, first_best = jax.jit(jax.vmap(gain))(types)
    expected = jnp.max(weights @ gains) / (weights @ first_best)
    assert float(dcg.regret(MARKET, takers)) == pytest.approx(float(expected), rel=1e-7)


def test_the_search_is_global():
    # A schedule so steep that the best reply is far away, checked by an outside optimiser from many starts.
    profile = dcg.AffineDemand(
        intercept=jnp.zeros(3), weight=jnp.array([1.0, 1.0, 0.0]), slope=jnp.array([1.0, 1.0, 0.05])
    )
    found = dcg.regret(MARKET, profile, dcg.Draws(20, jax.random.key(3)))
    types = jax.vmap(MARKET.sample_types)(jax.random.split(jax.random.key(3), 20))
    loss = jax.jit(lambda p, node: -MARKET.interim_payoff(profile, 2, node, p))
    own = jax.jit(lambda node: MARKET.own_report(profile, 2, node))
    gains = []
    for s in range(20):
        node = jax.tree.map(lambda x, s=s: x[s], types)
        least = min(minimize_scalar(loss, bracket=(a, a + 0.5), args=(node,)).fun for a in (-3.0, 0.0, 3.0))
        gains.append(float(loss(own(node), node) - least))
    assert float(found.by_player[2]) == pytest.approx(np.mean(gains), rel=1e-6)


@pytest.mark.slow
def test_draws_estimate_what_cubature_computes():
    takers = dcg.ProportionalDemand(1.0)
    exact = dcg.regret(MARKET, takers)
    sampled = dcg.regret(MARKET, takers, dcg.Draws(4000, jax.random.key(1)))
    assert abs(float(sampled) - float(exact)) < 4 * float(sampled.standard_error)
    assert 0 < float(sampled.standard_error) < 0.1 * float(exact)
    assert float(sampled.largest_gain) > float(sampled.epsilon)


def test_quantities_have_interim_regret():
    market = QuantityMarket(curvature=jnp.ones(3), values=dcg.Uniform(1.0, 2.0), supply=1.0, outside_price=1.5)
    eq = dcg.solve(market)
    assert float(dcg.regret(market, eq.strategies)) < 1e-14
    # Interim, not ex post: knowing the others' values would still pay.
    worse = dcg.AffineQuantity(eq.strategies.intercept + 0.1, eq.strategies.weight, eq.strategies.supply_weight)
    assert float(dcg.regret(market, worse)) > 1e-4
    # Everyone up by .1 moves the first-order condition by -(c + (n+1)/b) .1, against a curvature of c + 2/b.
    gain = (0.1 * (1 + 4.0)) ** 2 / (2 * 3.0)
    assert float(dcg.regret(market, worse).by_player[0]) == pytest.approx(gain, rel=1e-6)


def test_best_reply_radius():
    # Equal slopes s: each slope replies to the sum of the others' with derivative 1/(c sum + 1)^2, here 1/4.
    eq = dcg.solve(CurveMarket(curvature=jnp.ones(3)))
    assert float(eq.stability) == pytest.approx(2 / 4, abs=1e-9)


def test_the_radius_is_that_of_the_closed_form_best_reply_map():
    c = jnp.array([0.5, 1.0, 2.0])
    eq = dcg.solve(CurveMarket(curvature=c, outside_slope=0.2))

    def reply(slopes):
        return 1 / (c + 1 / (jnp.sum(slopes) - slopes + 0.2))

    eigenvalues = np.linalg.eigvals(jax.jacfwd(reply)(eq.strategies.slope))
    assert float(eq.stability) == pytest.approx(np.abs(eigenvalues).max(), abs=1e-10)
    slopes = eq.strategies.slope + jnp.array([0.2, -0.1, 0.3])
    for _ in range(40):
        slopes = reply(slopes)
    np.testing.assert_allclose(slopes, eq.strategies.slope, atol=1e-10)  # .374^40


def test_the_result_prints_with_its_players():
    eq = dcg.solve(MARKET)
    text = str(eq)
    for word in ("trader 1", "efficiency", "regret", "best-reply radius", "selection"):
        assert word in text
    assert list(eq.to_frame().index) == ["trader 1", "trader 2", "trader 3"]
    assert r"\toprule" in eq.to_latex() and "<table" in eq._repr_html_()
