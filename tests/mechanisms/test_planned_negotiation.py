"""Plans for the division of items, against the game itself played turn by turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import ItemNegotiation, PlannedNegotiation, SoftNegotiation
from dcg_econ.mechanisms.bargaining import PlanAgent, Plans, negotiate
from dcg_econ.mechanisms.bargaining.item_priors import Deadline

CLOSED = 1e-12  # sums and products of a few numbers in x64
GAME = PlannedNegotiation(deadline=Deadline.poisson(mean=4.0, fewest=2, most=5))
CASES = 200


def drawn(key):
    first, second, third = jax.random.split(key, 3)
    shape = (2, GAME.own_turns)
    plans = Plans(jax.random.uniform(first, (*shape, 3)), 0.7 * jax.random.uniform(second, shape))
    return plans, GAME.sample_types(third)


@jax.jit
def planned_and_played(key):
    """Expected items and agreement by plan, and what PlanAgents come to at each possible deadline, by its chance."""
    plans, types = drawn(key)
    outcome = GAME.outcome(GAME.handed_in(plans, types))
    game = GAME.negotiation()
    agents = (PlanAgent(plans, 0), PlanAgent(plans, 1))

    def at(limit):
        return negotiate(game, agents, key, game.begin(types, limit)).outcome

    ends = jax.vmap(at)(jnp.arange(1, 6))
    weights = GAME.deadline.weights / jnp.sum(GAME.deadline.weights)
    return outcome, (jnp.einsum("t,tjk->jk", weights, ends.held.astype(float)), weights @ ends.agreed)


def test_a_plan_comes_to_what_the_game_comes_to_turn_by_turn():
    (held, agreed), (their_held, their_agreed) = jax.vmap(planned_and_played)(
        jax.random.split(jax.random.key(0), CASES)
    )
    np.testing.assert_allclose(held, their_held, atol=CLOSED)
    np.testing.assert_allclose(agreed, their_agreed, atol=CLOSED)
    assert 0.2 < float(jnp.mean(agreed)) < 0.99  # some talks break down, and some do not


@jax.jit
def softened(key, width):
    plans, types = drawn(key)
    whole = plans._replace(kept=jnp.round(plans.kept * types.pool) / jnp.maximum(types.pool, 1))
    hard = GAME.outcome(GAME.handed_in(whole, types))
    soft_game = SoftNegotiation(GAME, width)
    return hard.held, soft_game.outcome(soft_game.handed_in(whole, types)).held


def test_the_softened_game_becomes_the_game_as_the_width_falls():
    keys = jax.random.split(jax.random.key(1), CASES)
    gaps = [np.abs(np.subtract(*jax.vmap(softened, (0, None))(keys, width))).mean() for width in (0.1, 0.01, 1e-6)]
    # Of 200 drawn plans none offers a share within 1e-5 of a reservation, where the two differ however narrow the width.
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < CLOSED


def test_derivatives_see_who_accepts():
    plans, types = drawn(jax.random.key(2))
    soft = SoftNegotiation(GAME, 0.05)

    def payoffs(reserve):
        return soft.payoffs(types, soft.outcome(soft.handed_in(plans._replace(reserve=reserve), types)))

    found = jax.jacrev(payoffs)(plans.reserve)
    step = 1e-6 * jnp.zeros_like(plans.reserve).at[1, 0].set(1.0)
    slope = (payoffs(plans.reserve + step) - payoffs(plans.reserve - step)) / 2e-6
    np.testing.assert_allclose(found[:, 1, 0], slope, rtol=1e-6, atol=1e-8)  # central differences of a smooth function
    assert np.abs(found).max() > 0


@pytest.mark.parametrize(("turns", "last"), [(2, 0), (3, 1), (4, 0)])
def test_the_last_proposer_takes_all_in_equilibrium(turns, last):
    # Backward induction on divisions of one pool of two kinds: each mover accepts what it can get later, and no less.
    game = PlannedNegotiation(deadline=turns)
    assert int(game.last_proposer()) == last
    pool, values = np.array([2, 1]), np.array([[3.0, 1.0], [2.0, 5.0]])
    divisions = [np.array([i, j]) for i in range(3) for j in range(2)]
    later = np.zeros(2)  # whoever moves at the last turn gets nothing by refusing
    for turn in reversed(range(turns - 1)):
        mover = turn % 2
        offers = [(values[mover] @ keep, values[1 - mover] @ (pool - keep)) for keep in divisions]
        own, theirs = max(offer for offer in offers if offer[1] >= later[1 - mover])
        later = np.array([own, theirs] if mover == 0 else [theirs, own])
    assert later == pytest.approx([values[0] @ pool, 0] if last == 0 else [0, values[1] @ pool])


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(dcg.InputError, match="two turns"):
        PlannedNegotiation(deadline=1)
    with pytest.raises(dcg.InputError, match="not known to all"):
        PlannedNegotiation().last_proposer()
    with pytest.raises(dcg.InputError, match="width"):
        SoftNegotiation(GAME, 0.0)
    assert isinstance(GAME.negotiation(), ItemNegotiation)
