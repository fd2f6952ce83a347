"""Learned markets find Nash: many sessions, trained to the end. `make acceptance` runs these and prints what it measures."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket
from tests.oracles import markets as oracle

KNOTS = jnp.linspace(-1.5, 1.5, 12)
FRESH = jax.random.key(2024)  # types that no training has seen


def market(curvature):
    return CurveMarket(curvature=curvature, values=dcg.Uniform(-1.0, 1.0), price_bounds=(-1.5, 1.5))


def shared(key):
    return dcg.Shared(dcg.CurveAgent(KNOTS, key=key))


def measure(game, population, draws=2000):
    """Efficiency, mean slope by trader, and regret on fresh types."""
    episodes = jax.vmap(lambda k: dcg.play(game, population, key=k))(jax.random.split(FRESH, draws))
    slopes = -jax.vmap(lambda r, o: r.schedules.slope(o.price))(episodes.reports, episodes.outcome)
    efficiency = episodes.welfare.sum() / episodes.first_best.sum()
    # The draws have sampling error of their own: Nash on the same types is the yardstick.
    nash = jax.vmap(lambda k: dcg.play(game, dcg.solve(game).strategies, key=k).welfare)(jax.random.split(FRESH, draws))
    nash_here = nash.sum() / episodes.first_best.sum()
    return efficiency, nash_here, slopes.mean(0), dcg.regret(game, population, dcg.Draws(1000, FRESH)).epsilon


def report(name, efficiency, nash, slopes, epsilon, seconds):
    print(
        f"\n{name}: {len(efficiency)} sessions in {seconds:.0f} s; efficiency {np.mean(efficiency):.5f} "
        f"(sd {np.std(efficiency):.5f}, {np.min(efficiency):.5f} to {np.max(efficiency):.5f}; Nash on these types "
        f"{np.mean(nash):.5f}); slope {np.mean(slopes):.5f} ({np.min(slopes):.5f} to {np.max(slopes):.5f}); "
        f"regret mean {np.mean(epsilon):.2g}, largest {np.max(epsilon):.2g}"
    )


def trained(game, make, sessions, steps=1200, seed=1):
    start = time.perf_counter()
    run = dcg.train(game, make, steps=steps, batch=256, sessions=sessions, records=3, key=jax.random.key(seed))
    found = tuple(np.asarray(x) for x in run.map(lambda population: measure(game, population)))
    return found, time.perf_counter() - start


def test_twenty_sessions_of_five_traders_find_nash():
    (efficiency, nash, slopes, epsilon), seconds = trained(market(jnp.ones(5)), shared, 20)
    report("N=5, c=1, U[-1,1]", efficiency, nash, slopes, epsilon, seconds)
    good = (abs(efficiency - 0.9375) <= 0.002) & (abs(slopes.mean(1) - 0.75) <= 0.005) & (epsilon <= 1e-3)
    print(f"within efficiency .9375 +- .002, slope .750 +- .005 and regret 1e-3: {good.sum()} of 20")
    assert good.sum() >= 19


@pytest.mark.parametrize("n", [3, 10])
def test_other_sizes_reach_their_efficiency(n):
    (efficiency, nash, slopes, epsilon), seconds = trained(market(jnp.ones(n)), shared, 3)
    report(f"N={n}, c=1, U[-1,1]", efficiency, nash, slopes, epsilon, seconds)
    np.testing.assert_allclose(efficiency, oracle.symmetric_efficiency(n), atol=0.005)
    np.testing.assert_allclose(slopes.mean(1), oracle.symmetric_slope(n, 1.0), atol=0.01)
    assert epsilon.max() <= 1e-3


def test_unequal_traders_with_their_own_nets_reach_their_unequal_slopes():
    c = jnp.array([0.5, 1.0, 1.0, 2.0])

    def separate(key):
        return dcg.Separate(lambda k: dcg.CurveAgent(KNOTS, key=k), 4, key=key)

    (efficiency, nash, slopes, epsilon), seconds = trained(market(c), separate, 5)
    report("c=(.5,1,1,2), own nets", efficiency, nash, slopes, epsilon, seconds)
    target = oracle.unequal_slopes(np.asarray(c), 0.0)
    print("slopes by trader:", np.round(slopes.mean(0), 4), "Nash:", np.round(target, 4))
    np.testing.assert_allclose(slopes, np.tile(target, (5, 1)), rtol=0.02)
    assert epsilon.max() <= 1e-3
