"""Closed forms of the market's equilibrium with more traders and other priors than the default tests have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket
from tests.oracles import markets as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 1e-10


@pytest.mark.parametrize("n, c", [(5, 1.0), (10, 0.4)])
def test_equal_curvature_is_kyle_and_rostek_weretka(n, c):
    eq = dcg.solve(CurveMarket(curvature=jnp.full(n, c)))
    np.testing.assert_allclose(eq.strategies.slope, oracle.symmetric_slope(n, c), atol=CLOSED)
    assert float(eq.efficiency) == pytest.approx(oracle.symmetric_efficiency(n), abs=CLOSED)
    assert bool(eq.converged) and float(eq.regret) < 1e-14 and float(eq.second_order) < 0


def test_the_general_affine_class_finds_the_equilibrium_of_five():
    market = CurveMarket(curvature=jnp.ones(5))
    start = dcg.AffineDemand(intercept=jnp.full(5, 0.1), weight=jnp.full(5, 0.7), slope=jnp.full(5, 0.9))
    eq = dcg.solve(market, start)
    np.testing.assert_allclose(eq.strategies.intercept, 0.0, atol=CLOSED)
    np.testing.assert_allclose(eq.strategies.weight, 0.75, atol=CLOSED)
    np.testing.assert_allclose(eq.strategies.slope, 0.75, atol=CLOSED)
    symmetric = dcg.solve(market, dcg.ProportionalDemand(1.0)).strategies.slope
    assert symmetric.shape == () and float(symmetric) == pytest.approx(0.75, abs=CLOSED)


def test_the_share_auction_price_of_six_with_normal_values():
    n, c, supply = 6, 0.8, 3.0
    market = CurveMarket(curvature=jnp.full(n, c), values=dcg.Normal(5.0, 1.0), supply=supply)
    profile = dcg.solve(market).strategies
    types = market.sample_types(jax.random.key(4))
    price = market.outcome(market.reports(profile, types)).price
    assert float(price) == pytest.approx(oracle.wilson_price(float(types.values.mean()), supply, n, c), abs=CLOSED)


def test_the_radius_of_best_replies_among_five():
    """Equal slopes s: each replies to the sum of the others' with derivative 1/(c sum + 1)^2, here 1/16."""
    eq = dcg.solve(CurveMarket(curvature=jnp.ones(5)))
    assert float(eq.stability) == pytest.approx(4 / 16, abs=1e-9)


def test_a_failing_lane_leaves_another_what_it_is_alone():
    slopes = jnp.array([0.0, 0.5, 1.0])

    def derivative(b):
        return dcg.sensitivity(CurveMarket(jnp.ones(2), outside_slope=b), lambda eq: eq.efficiency)["outside_slope"]

    found = jax.vmap(derivative)(slopes)
    assert np.isnan(found[0]) and np.isfinite(found[1:]).all()
    assert float(found[1]) == pytest.approx(float(derivative(0.5)), abs=1e-12)
