import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning.gradient import Game
from dcg_econ.mechanisms import CurveMarket, DoubleAuction

AUCTION = DoubleAuction()


def make(key):
    buyer, seller = jax.random.split(key)
    return dcg.Bidders(dcg.BidAgent(key=buyer, width=8), dcg.BidAgent(key=seller, width=8))


def test_reports_rise_with_the_type_whatever_the_parameters():
    agent = dcg.BidAgent(1.0, 3.0, key=jax.random.key(0))
    wild = jax.tree.map(lambda x: 5 * x, agent)
    for one in (agent, wild):
        reports = jax.vmap(one.numbers)(jnp.linspace(1.0, 3.0, 200))[:, 0]
        assert bool(jnp.all(jnp.diff(reports) >= 0))


@pytest.mark.slow
def test_interim_gradients_equal_central_differences_of_the_interim_payoff():
    population = make(jax.random.key(1))
    types = AUCTION.sample_types(jax.random.key(2))
    types = types._replace(values=jnp.array([0.8]), costs=jnp.array([0.3]))
    numbers = population.numbers(AUCTION.known(types))
    interim = dcg.Interim()
    setting = interim.setting(AUCTION, population)

    @jax.jit
    def payoffs(x):
        return interim.payoffs(AUCTION, setting, population.assemble(x), types)

    jacobian = jax.jacrev(payoffs)(numbers)
    own = jnp.stack([jacobian[i, i] for i in (0, 1)])
    h = 1e-6
    for player in (0, 1):
        bump = jnp.zeros_like(numbers).at[player, 0].set(h)
        central = (payoffs(numbers + bump) - payoffs(numbers - bump)) / (2 * h)
        assert float(own[player, 0]) == pytest.approx(float(central[player]), abs=1e-6)
        assert float(central[1 - player]) == 0  # the other's strategy, not this report, is what a player meets


@pytest.mark.slow
def test_interim_payoffs_agree_with_many_plays():
    population = make(jax.random.key(1))
    mine = AUCTION.sample_types(jax.random.key(2))._replace(values=jnp.array([0.8]))
    report = AUCTION.own_report(population, 0, mine)

    def meet(key):
        types = AUCTION.sample_types(key)._replace(values=mine.values)
        return AUCTION.payoffs(types, AUCTION.outcome(AUCTION.reports(population, types)))[0]

    plays = np.asarray(jax.jit(jax.vmap(meet))(jax.random.split(jax.random.key(4), 40_000)))
    exact = float(AUCTION.interim_payoff(population, 0, mine, report))
    assert abs(plays.mean() - exact) <= 4 * plays.std() / np.sqrt(len(plays))


@pytest.mark.slow
def test_what_moves_a_net_is_its_own_interim_payoff_alone():
    population = make(jax.random.key(5))
    learned, rest = split_learned(population)
    game = Game(AUCTION, dcg.Silence(), dcg.Interim(), dcg.Selfish(), rest)
    used, _, failed = jax.jit(lambda p: game.gradient(p, None, jax.random.key(2), 0, 4))(learned)
    assert float(failed) == 0
    draws = jax.vmap(AUCTION.sample_types)(jax.random.split(jax.random.key(2), 4))
    held = AUCTION.prepared(population)

    def own_payoff(p, player):
        profile = eqx.combine(p, rest)

        def at(types):
            return AUCTION.interim_payoff(held, player, types, AUCTION.own_report(profile, player, types))

        return jnp.mean(jax.vmap(at)(draws))

    for player, name in ((0, "buyer"), (1, "seller")):
        expected = jax.jit(jax.grad(own_payoff), static_argnums=1)(learned, player)
        for a, b in zip(jax.tree.leaves(getattr(used, name)), jax.tree.leaves(getattr(expected, name)), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-10)


def test_pathwise_is_refused_where_trade_jumps_and_interim_where_others_matter():
    with pytest.raises(dcg.InputError, match="estimator: derivatives of a play do not see who trades"):
        dcg.train(AUCTION, make, estimator=dcg.Pathwise(), steps=1, batch=1, key=jax.random.key(0))
    with pytest.raises(dcg.InputError, match="objective: Joint needs the others' payoffs"):
        dcg.train(AUCTION, make, objective=dcg.Joint(), steps=1, batch=1, key=jax.random.key(0))


def test_the_default_estimator_suits_the_mechanism():
    from dcg_econ.learning import default_estimator

    assert isinstance(default_estimator(AUCTION), dcg.Interim)
    assert isinstance(default_estimator(CurveMarket(curvature=jnp.ones(3))), dcg.Pathwise)
