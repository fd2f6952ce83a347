"""Twenty groups of five that learn to report whole willingness-to-pay curves: truth under Clarke, free riding under Lindahl.

`make acceptance` prints what is measured; the whole file takes about twenty minutes on two cores.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import ClarkePivot, Lindahl, public_goods

SESSIONS, STEPS = 20, 4000
PREFERENCES = public_goods.QuadraticPreferences(dcg.Uniform(4, 8), dcg.Uniform(0.5, 1.5), players=5)
COST = public_goods.QuadraticCost(5.0, 5.0)
DRAWS = 4000
CLOSE, NEARLY_ALL, EFFICIENT = 0.01, 19, 0.999  # of the mean size of willingness to pay; of 20 sessions; of first best


def population(low, high):
    knots = jnp.linspace(low, high, 12)

    def make(key):
        centre, unit = jnp.array([6.0, 1.0]), jnp.array([2.0, 0.5])
        units = {"value_centre": centre, "value_unit": unit, "quantity_centre": 2.7, "quantity_unit": 2.0}
        return dcg.Shared(dcg.CurveAgent(knots, key=key, width=48, **units))

    return make


def trained(mechanism, low, high, sessions, steps):
    return dcg.train(
        mechanism,
        population(low, high),
        optimiser=optax.adam(optax.cosine_decay_schedule(3e-3, steps)),
        steps=steps,
        batch=256,
        sessions=sessions,
        records=4,
        key=jax.random.key(1),
    )


@pytest.fixture(scope="module")
def draws():
    return jax.vmap(PREFERENCES.sample)(jax.random.split(jax.random.key(9), DRAWS))


def central_levels(mechanism, types, profile):
    """For each of some types of player 1, the levels between the 5th and the 95th percentile given that type."""
    own = jnp.linspace(4.2, 7.8, 7), jnp.linspace(0.55, 1.45, 5)
    grid = jnp.stack([x.ravel() for x in jnp.meshgrid(*own)], axis=-1)

    def levels(mine):
        at = types.at[:, 0].set(mine)
        built = jax.vmap(lambda t: mechanism.outcome(mechanism.reports(profile, t)).built)(at[:1000])
        return jnp.linspace(*jnp.percentile(built, jnp.asarray([5.0, 95.0])), 21)

    return grid, jax.lax.map(levels, grid)


@eqx.filter_jit
def largest_error(mechanism, types, profile):
    """Over types and their central 90 per cent of levels, money per unit."""
    grid, around = central_levels(mechanism, types, profile)

    def off(mine, levels):
        said = profile.agent.assemble(profile.numbers(mine[None]))(levels[:, None])[:, 0]
        return jnp.max(jnp.abs(said - (mine[0] - 2 * mine[1] * levels)))

    return jnp.max(jax.vmap(off)(grid, around))


def _everywhere(mechanism, types):
    return jnp.full(types.shape[0], mechanism.efficient_level(types))


def test_learned_curves_are_true_under_the_pivot_mechanism(draws):
    mechanism = ClarkePivot(PREFERENCES, cost=COST)
    levels = np.asarray(jax.vmap(mechanism.efficient_level)(draws))
    low, high = np.percentile(levels, [0.1, 99.9])
    run = trained(mechanism, low - 0.2 * (high - low), high + 0.2 * (high - low), SESSIONS, STEPS)

    def measured(profile):
        def one(types):
            outcome = mechanism.outcome(mechanism.reports(profile, types))
            true = PREFERENCES.curves(types)(outcome.levels)
            return profile(types)(outcome.levels) - true, true, mechanism.welfare(types, outcome)

        error, true, welfare = jax.vmap(one)(draws)
        return jnp.sqrt(jnp.mean(error**2)) / jnp.mean(jnp.abs(true)), jnp.mean(welfare)

    error, welfare = map(np.asarray, run.map(measured))
    efficiency = welfare / float(jnp.mean(jax.vmap(mechanism.first_best)(draws)))
    size = float(jnp.mean(jnp.abs(jax.vmap(lambda t: PREFERENCES.curves(t)(_everywhere(mechanism, t)))(draws))))
    largest = [float(largest_error(mechanism, draws, run.session(s))) / size for s in range(SESSIONS)]
    regrets = np.asarray(run.regret[:, -1])
    print(
        f"\nrms error: {np.sort(error).round(5)}\nefficiency: least {efficiency.min():.6f}, mean {efficiency.mean():.6f}"
    )
    print(f"largest error, central 90%: median {np.median(largest):.4f}, worst {max(largest):.4f}")
    print(f"regret: mean {regrets.mean():.2e}, largest {regrets.max():.2e}")
    assert np.sum(error < CLOSE) >= NEARLY_ALL
    assert np.all(efficiency > EFFICIENT)


def test_learned_curves_ride_free_under_the_reporting_lindahl_rule(draws):
    mechanism = Lindahl(PREFERENCES, cost=COST)
    run = trained(mechanism, 0.0, 3.0, 5, 1000)

    def measured(profile):
        def one(types):
            outcome = mechanism.outcome(mechanism.reports(profile, types))
            return mechanism.welfare(types, outcome), outcome.built, jnp.mean(profile(types).slope(outcome.levels))

        return jax.tree.map(jnp.mean, jax.vmap(one)(draws))

    welfare, level, slope = map(np.asarray, run.map(measured))
    efficient = float(jnp.mean(jax.vmap(mechanism.efficient_level)(draws)))
    efficiency = welfare / float(jnp.mean(jax.vmap(mechanism.first_best)(draws)))
    frame = run.to_frame().pivot(index="step", columns="session", values=["efficiency", "regret"])
    print(f"\n{frame.to_string(float_format='%.4f')}")
    print(f"efficiency {efficiency.round(4)}, level {level.round(4)} of {efficient:.4f}, slope {slope.round(3)}")
    assert np.all(level < 0.6 * efficient)  # every session falls far below first best
    assert np.all(efficiency < 0.9)
