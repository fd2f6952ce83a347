import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning.gradient import Game
from dcg_econ.mechanisms import CurveMarket, QuantityMarket

KNOTS = jnp.linspace(-1.5, 1.5, 8)
MARKET = CurveMarket(curvature=jnp.array([0.5, 1.0, 2.0]), outside_slope=0.3, price_bounds=(-1.5, 1.5))


def make(key):
    return dcg.CurveAgent(KNOTS, key=key, width=6)


def payoffs_at(market, population, types):
    """The players' payoffs as a function of their report numbers."""

    @jax.jit
    def payoffs(numbers):
        return market.payoffs(types, market.outcome(market.handed_in(population.assemble(numbers), types)))

    return payoffs


def own_slopes(payoffs, numbers, objective):
    """Payoffs, and for each player the derivative of its objective in its own numbers."""
    slopes = jnp.einsum("ij,jik->ik", objective.weights(numbers.shape[0]), jax.jacrev(payoffs)(numbers))
    return payoffs(numbers), slopes


@pytest.fixture(scope="module")
def population():
    return dcg.Separate(make, 3, key=jax.random.key(5))


def test_pathwise_gradients_equal_central_differences(population):
    types = MARKET.sample_types(jax.random.key(1))
    numbers = population.numbers(MARKET.known(types))
    payoffs = payoffs_at(MARKET, population, types)
    slopes = eqx.filter_jit(lambda objective: own_slopes(payoffs, numbers, objective))
    values, own = slopes(dcg.Selfish())
    np.testing.assert_allclose(values, payoffs(numbers))
    h = 1e-6
    for player, k in ((0, 2), (1, 4), (2, 5)):
        bump = jnp.zeros_like(numbers).at[player, k].set(h)
        central = (payoffs(numbers + bump)[player] - payoffs(numbers - bump)[player]) / (2 * h)
        assert float(own[player, k]) == pytest.approx(float(central), abs=1e-7)
    _, joint = slopes(dcg.Joint())
    bump = jnp.zeros_like(numbers).at[1, 4].set(h)
    central = jnp.sum(payoffs(numbers + bump) - payoffs(numbers - bump)) / (2 * h)
    assert float(joint[1, 4]) == pytest.approx(float(central), abs=1e-7)


def test_nobody_learns_from_anybody_elses_payoff(population):
    # The gradient that training uses, net by net, against u_i differentiated in player i's parameters alone.
    learned, rest = split_learned(population)
    types = jax.vmap(MARKET.sample_types)(jax.random.split(jax.random.key(2), 4))
    game = Game(MARKET, dcg.Silence(), dcg.Pathwise(), dcg.Selfish(), rest)
    used, _, failed = jax.jit(lambda p: game.gradient(p, None, jax.random.key(2), 0, 4))(learned)
    assert float(failed) == 0

    def own_payoff(p, i):
        profile = eqx.combine(p, rest)
        each = jax.vmap(lambda t: payoffs_at(MARKET, profile, t)(profile.numbers(MARKET.known(t)))[i])
        return jnp.mean(each(types))

    gradient = jax.jit(jax.grad(own_payoff))
    for i in range(3):
        alone = gradient(learned, i)
        for mine, theirs in zip(jax.tree.leaves(used), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(mine[i], theirs[i], atol=1e-12)
            others = [j for j in range(3) if j != i]
            assert np.abs(theirs[np.array(others)]).max() > 0  # u_i does depend on the others: a leak would show


def test_frozen_parts_are_not_learned(population):
    learned, rest = split_learned(population)
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(learned))
    frozen = eqx.filter(rest, eqx.is_inexact_array)
    assert any(leaf.shape == KNOTS.shape for leaf in jax.tree.leaves(frozen))


@pytest.mark.slow
def test_schedules_fall_at_any_initialisation():
    for seed in range(5):
        agent = make(jax.random.key(seed))
        assert np.all(np.diff(agent.numbers(jnp.asarray(0.3))) < 0)


def test_gradients_vanish_at_the_equilibrium():
    # The equilibrium is ex post, so every single draw has zero gradient there: no noise to average.
    market = CurveMarket(curvature=jnp.ones(5), price_bounds=(-3.0, 3.0))
    knots = jnp.linspace(-3, 3, 12)
    agent = dcg.CurveAgent(knots, key=jax.random.key(0), kernel=dcg.Constant(1.0) + dcg.Linear(1.0), ridge=1e-10)
    population = dcg.Shared(agent)

    @jax.jit
    def gradient(key):
        types = market.sample_types(key)
        nash = 0.75 * (types.values[:, None] - knots)
        return own_slopes(payoffs_at(market, population, types), nash, dcg.Selfish())[1]

    for seed in range(3):
        np.testing.assert_allclose(gradient(jax.random.key(seed)), 0, atol=1e-9)


def test_quantities_have_gradients_too():
    market = QuantityMarket(curvature=jnp.ones(2), values=dcg.Uniform(1.0, 2.0), outside_slope=0.5)
    population = dcg.Shared(dcg.QuantityAgent(key=jax.random.key(0), width=4))
    types = market.sample_types(jax.random.key(1))
    numbers = population.numbers(market.known(types))
    _, own = own_slopes(payoffs_at(market, population, types), numbers, dcg.Selfish())
    q = numbers[:, 0]
    price = -(types.supply - q.sum()) / 0.5
    np.testing.assert_allclose(own[:, 0], types.values - q - price - q / 0.5, atol=1e-10)
