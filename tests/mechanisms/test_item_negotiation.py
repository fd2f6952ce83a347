import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcg_econ.mechanisms.bargaining.item_agents import Concede, Demand, RandomMoves, Truthful
from dcg_econ.mechanisms.bargaining.item_divisions import ItemOutcome, is_efficient
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemMove, ItemNegotiation, negotiate
from dcg_econ.mechanisms.bargaining.item_priors import Deadline, IndependentItems, ItemTypes
from dcg_econ.mechanisms.bargaining.item_summary import summarise
from tests.oracles import item_division as oracle

EXACT = 1e-12  # values are whole points: sums of a few products in x64
ERRORS = 5  # standard errors within which a sample of fixed seed must meet an expectation
EPISODES, INSTANCES = 512, 25

TALK = ItemNegotiation(silence=jnp.zeros(3))
PAIRS = {
    "random": (RandomMoves(), RandomMoves()),
    "greedy": (Demand(1.0), Demand(1.0)),
    "generous": (Demand(1.0), Demand(0.0)),
    "bent": (Demand(0.0), Demand(1.0)),
    "conceding": (Concede(), Concede()),
    "truthful": (Truthful(), Truthful()),
}


@eqx.filter_jit
def play(game, agents, keys):
    return jax.vmap(lambda key: negotiate(game, agents, key))(keys)


one = eqx.filter_jit(negotiate)
KEYS = jax.random.split(jax.random.key(1), EPISODES)


@pytest.fixture(scope="module")
def episodes():
    return {name: jax.tree.map(np.asarray, play(TALK, agents, KEYS)) for name, agents in PAIRS.items()}


def timed(turns):
    """The game with a deadline known to all; it shares its compiled code with `TALK`."""
    return ItemNegotiation(deadline=Deadline.fixed(turns, longest=10), silence=jnp.zeros(3))


def instance(pool, values):
    return ItemTypes(jnp.array(pool, jnp.int32), jnp.array(values, float))


def moves_of(episode):
    return zip(episode.moves.accept.tolist(), episode.moves.kept.tolist(), strict=True)


def replay(episode, limit):
    talks = oracle.Talks(tuple(episode.types.pool.tolist()), episode.types.values.tolist(), limit)
    for accept, kept in moves_of(episode):
        talks.move(accept, kept)
    return talks


def test_every_episode_follows_the_rules(episodes):
    for batch in episodes.values():
        for i in range(0, EPISODES, 8):
            lane = jax.tree.map(lambda x, i=i: x[i], batch)
            ended_by_time = not lane.outcome.agreed
            talks = replay(lane, int(lane.turns) if ended_by_time else 10)
            assert talks.turn == lane.turns and talks.refused == lane.refused.tolist()
            assert lane.outcome.agreed == (talks.division is not None)
            np.testing.assert_allclose(lane.payoffs, talks.payoffs(), atol=EXACT)
            if talks.division:
                assert lane.outcome.held.tolist() == [list(d) for d in talks.division]


def test_items_are_conserved_and_disagreement_pays_nothing(episodes):
    for batch in episodes.values():
        agreed = batch.outcome.agreed
        np.testing.assert_array_equal(batch.outcome.held.sum(1)[agreed], batch.types.pool[agreed])
        assert not batch.outcome.held[~agreed].any() and not batch.payoffs[~agreed].any()
        assert (batch.outcome.held >= 0).all() and (batch.welfare <= batch.first_best + EXACT).all()
        np.testing.assert_allclose(batch.welfare, batch.payoffs.sum(1), atol=EXACT)
        whole = (batch.types.values * batch.types.pool[:, None]).sum(-1)
        np.testing.assert_allclose(batch.shares * whole, batch.payoffs, atol=1e-10)
        assert (batch.shares >= 0).all() and (batch.shares <= 1 + EXACT).all()
    assert not episodes["random"].outcome.agreed.all() and episodes["random"].outcome.agreed.any()


def test_the_deadline_is_honoured(episodes):
    turns = episodes["greedy"].turns[~episodes["greedy"].outcome.agreed]
    assert set(turns.tolist()) == set(range(4, 11))
    assert play(timed(2), PAIRS["greedy"], KEYS).turns.max() == 2
    once = play(timed(1), PAIRS["bent"], KEYS)
    assert (once.turns == 1).all() and not once.outcome.agreed.any()


def test_first_best_pareto_sets_and_solutions_equal_brute_force():
    def solve(key):
        types = TALK.sample_types(key)
        found = TALK.bargaining_set(types)
        return types, found, (found.nash(), found.egalitarian(), found.utilitarian()), TALK.first_best(types)

    found = jax.jit(jax.vmap(solve))(jax.random.split(jax.random.key(2), INSTANCES))
    types, sets, solutions, best = jax.tree.map(np.asarray, found)
    for i in range(INSTANCES):
        pool, values = types.pool[i].tolist(), types.values[i].tolist()
        payoffs, efficient = oracle.payoffs(pool, values), oracle.pareto(pool, values)
        held, feasible = sets.held[i], sets.feasible[i]
        found = [tuple(map(tuple, d)) for d in held[feasible].tolist()]
        assert sorted(found) == sorted(payoffs)
        np.testing.assert_allclose(sets.payoffs[i][feasible], [payoffs[d] for d in found], atol=EXACT)
        assert {tuple(map(tuple, d)) for d in held[sets.efficient[i]].tolist()} == efficient
        assert oracle.best_joint(pool, values) == best[i]
        nash, egalitarian, utilitarian = (tuple(map(tuple, s.held[i].tolist())) for s in solutions)
        assert np.prod(payoffs[nash]) == oracle.best_product(pool, values)
        assert min(payoffs[egalitarian]) == oracle.best_minimum(pool, values)
        assert sum(payoffs[utilitarian]) == oracle.best_joint(pool, values)
        assert {nash, egalitarian, utilitarian} <= efficient


def test_pareto_flags_of_outcomes_equal_brute_force(episodes):
    batch = episodes["random"]
    flags = jax.jit(jax.vmap(lambda t, p: is_efficient(t, p, 5)))(batch.types, batch.payoffs)
    rows = np.flatnonzero(batch.outcome.agreed)[:60]
    expected = [
        tuple(map(tuple, batch.outcome.held[i].tolist()))
        in oracle.pareto(batch.types.pool[i].tolist(), batch.types.values[i].tolist())
        for i in rows
    ]
    assert np.asarray(flags)[rows].tolist() == expected and 0 < sum(expected) < len(rows)


def test_solutions_of_a_known_instance():
    # One ball, two hats: player 1 wants the ball, player 2 the hats. The frontier is known by hand.
    game = ItemNegotiation(items=IndependentItems(kinds=2, most=2))
    solve = jax.jit(lambda types: ((found := game.bargaining_set(types)), found.nash(), found.egalitarian()))
    found, nash, egalitarian = solve(instance([1, 2], [[6, 2], [2, 4]]))
    frame = found.to_frame()
    assert frame["player 1, payoff"].tolist() == [0, 6, 8, 10] and frame["player 2, payoff"].tolist() == [10, 8, 4, 0]
    assert nash.held.tolist() == egalitarian.held.tolist() == found.utilitarian().held.tolist() == [[1, 0], [0, 2]]


def test_refused_moves_leave_no_proposal():
    game, types = ItemNegotiation(), instance([2, 1, 0], [[1, 2, 3], [3, 2, 1]])
    quiet, step = jnp.zeros(0), eqx.filter_jit(game.step)

    def propose(*kept):
        return ItemMove(jnp.asarray(False), jnp.array(kept), quiet)

    accept = ItemMove(jnp.asarray(True), jnp.zeros(3, jnp.int32), quiet)
    start = game.begin(types, 6)
    for refused in (accept, propose(3, 0, 0), propose(0, -1, 0), propose(0, 0, 1)):
        state = step(step(start, refused), accept)
        assert not state.agreed and not state.standing and state.refused.tolist() == [1, 1] and state.turn == 2
    # A refused counter-proposal lets the standing one lapse.
    state = step(step(step(start, propose(2, 0, 0)), propose(9, 9, 9)), accept)
    assert not state.agreed and state.refused.tolist() == [1, 1]
    # Player 1 keeps two of the first kind; player 2 accepts and gets the rest.
    state = step(step(start, propose(2, 0, 0)), accept)
    outcome = game.outcome(state)
    assert outcome.held.tolist() == [[2, 0, 0], [0, 1, 0]] and game.payoffs(types, outcome).tolist() == [2.0, 2.0]
    # Player 2 keeps nothing of its own counter-proposal but one; player 1 accepts.
    state = step(step(step(start, propose(2, 1, 0)), propose(1, 0, 0)), accept)
    outcome = game.outcome(state)
    assert outcome.held.tolist() == [[1, 1, 0], [1, 0, 0]] and bool(game.settled(outcome))
    # Nothing moves after the end.
    after = step(state, propose(0, 0, 0))
    assert jax.tree.map(lambda a, b: bool(jnp.all(a == b)), state, after) == jax.tree.map(lambda _: True, state)


class Babbling(eqx.Module):
    """Plays as `agent` does and says something at random."""

    agent: eqx.Module

    def __call__(self, view, key):
        first, second = jax.random.split(key)
        return self.agent(view, first)._replace(say=jax.random.normal(second, view.heard.shape))


class Repeating(eqx.Module):
    """Says its own index and what it heard; never accepts."""

    index: jax.Array

    def __call__(self, view, key):
        say = jnp.array([self.index, view.heard[0], view.turn], view.heard.dtype)
        return ItemMove(jnp.asarray(False), jnp.zeros_like(view.pool), say)


def test_talk_costs_nothing_and_changes_no_payoff(episodes):
    aloud = play(TALK, tuple(map(Babbling, PAIRS["conceding"])), KEYS)
    np.testing.assert_array_equal(aloud.payoffs, episodes["conceding"].payoffs)
    np.testing.assert_array_equal(aloud.turns, episodes["conceding"].turns)
    assert jnp.any(aloud.moves.say != 0)


def test_movers_alternate_and_hear_the_last_utterance():
    game = ItemNegotiation(deadline=5, silence=jnp.full(3, -1.0))
    episode = one(game, (Repeating(jnp.array(1.0)), Repeating(jnp.array(2.0))), jax.random.key(0))
    assert episode.moves.say.tolist() == [[1, -1, 0], [2, 1, 1], [1, 2, 2], [2, 1, 3], [1, 2, 4]]
    assert int(episode.turns) == 5 and not bool(episode.outcome.agreed)


def test_takers_of_all_agree_only_where_nobody_wants_the_same(episodes):
    batch = episodes["greedy"]
    contested = ((batch.types.values > 0).all(1) & (batch.types.pool > 0)).any(1)
    np.testing.assert_array_equal(batch.outcome.agreed, ~contested)
    whole = (batch.types.values * batch.types.pool[:, None]).sum(-1)
    np.testing.assert_allclose(batch.payoffs[~contested], whole[~contested], atol=EXACT)
    assert contested.any() and not contested.all()


def test_a_taker_of_all_takes_all_from_one_who_asks_for_nothing(episodes):
    batch = episodes["generous"]
    assert batch.outcome.agreed.all() and (batch.turns == 2).all()
    np.testing.assert_allclose(batch.payoffs[:, 0], (batch.types.values[:, 0] * batch.types.pool).sum(-1), atol=EXACT)
    unwanted = np.where(batch.types.values[:, 0] == 0, batch.types.pool, 0)
    np.testing.assert_allclose(batch.payoffs[:, 1], (batch.types.values[:, 1] * unwanted).sum(-1), atol=EXACT)
    reverse = episodes["bent"]
    assert reverse.outcome.agreed.all() and (reverse.turns == 2).all()
    np.testing.assert_array_equal(reverse.outcome.held[:, 1], reverse.types.pool)


def test_a_demand_is_met_at_least_and_without_an_item_to_spare():
    types = instance([5, 3, 2], [[2, 4, 1], [1, 1, 1]])
    view = ItemNegotiation(deadline=2).view(ItemNegotiation().begin(types, 2), 0)
    demands = np.linspace(0, 1, 13)
    found = jax.jit(jax.vmap(lambda share: Demand(share)(view, jax.random.key(0)).kept))(jnp.asarray(demands))
    for share, kept in zip(demands, np.asarray(found), strict=True):
        worth, needed = kept @ [2, 4, 1], share * 24
        assert worth >= needed - 1e-3
        assert kept.sum() == 0 or worth - np.array([2, 4, 1])[kept > 0].min() < needed


def test_concessions_end_in_agreement_when_the_deadline_is_known():
    assert play(timed(6), PAIRS["conceding"], KEYS).outcome.agreed.all()  # the last mover asks for nothing any more
    stubborn = play(timed(6), (Concede(), Concede(1.0, 1.0)), KEYS)
    np.testing.assert_allclose(stubborn.shares[:, 1][stubborn.payoffs[:, 1] > 0], 1.0, atol=EXACT)


def test_truth_reaches_the_first_best_by_the_third_turn(episodes):
    batch = episodes["truthful"]
    assert batch.outcome.agreed.all() and batch.turns.max() == 3
    np.testing.assert_allclose(batch.welfare, batch.first_best, atol=EXACT)
    summary = summarise(TALK, batch)
    assert float(summary.joint_fraction.mean) == pytest.approx(1, abs=EXACT)
    assert float(summary.pareto_share.mean) == 1 and float(summary.agreement.standard_error) == 0


def test_random_moves_are_uniform_over_the_legal_ones():
    game, types = ItemNegotiation(), instance([1, 2, 0], [[1, 1, 1], [1, 1, 1]])
    start = game.begin(types, 5)
    proposed = game.step(start, ItemMove(jnp.asarray(False), jnp.zeros(3, jnp.int32), jnp.zeros(0)))
    keys = jax.random.split(jax.random.key(3), 20_000)
    draw = jax.jit(lambda state: jax.vmap(lambda key: RandomMoves()(game.view(state), key))(keys))
    for state, legal in ((start, 6), (proposed, 7)):
        moves = draw(state)
        code = np.where(moves.accept, 6, moves.kept[:, 0] + 2 * moves.kept[:, 1])
        shares = np.bincount(code, minlength=legal) / 20_000
        assert len(shares) == legal
        assert np.all(np.abs(shares - 1 / legal) < ERRORS * np.sqrt(1 / legal / 20_000))


def test_a_batch_is_the_loop_over_its_episodes(episodes):
    for i in range(3):
        alone = one(TALK, PAIRS["random"], KEYS[i])
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(episodes["random"]), strict=True):
            np.testing.assert_array_equal(a, b[i])


def test_the_summary_is_the_mean_over_episodes(episodes):
    batch = episodes["random"]
    summary = summarise(TALK, batch)
    agreed = batch.outcome.agreed
    assert float(summary.agreement.mean) == pytest.approx(agreed.mean())
    assert float(summary.agreement.standard_error) == pytest.approx(agreed.std(ddof=1) / np.sqrt(EPISODES))
    some = batch.first_best > 0
    fraction = batch.welfare[some] / batch.first_best[some]
    assert float(summary.joint_fraction.mean) == pytest.approx(fraction.mean())
    assert int(summary.joint_fraction.episodes) == some.sum() < EPISODES
    assert float(summary.efficiency.mean) == pytest.approx(batch.welfare.mean() / batch.first_best.mean())
    assert int(summary.pareto_share.episodes) == agreed.sum() and summary.payoffs.mean.shape == (2,)
    frame = summary.to_frame().set_index(["measure", "player"])
    assert frame.loc[("shares", "player 2"), "mean"] == pytest.approx(batch.shares[:, 1].mean())
    assert frame.loc[("turns", "both"), "episodes"] == EPISODES and "pareto_share" in str(summary)


def test_deadlines_and_demands_can_be_swept():
    @jax.jit
    @jax.vmap
    def sweep(turns, share):
        episode = negotiate(timed(turns), (Demand(share), Demand(1.0 - share)), jax.random.key(3))
        return episode.turns, episode.shares

    turns, shares = sweep(jnp.array([1, 2, 5, 2, 2]), jnp.array([1.0, 1.0, 1.0, 0.0, 0.5]))
    assert (
        turns[:2].tolist() == [1, 2] and not shares[0].any() and float(shares[1, 0]) == 1 and float(shares[3, 1]) == 1
    )


GOOD = instance([1, 2, 3], [[1, 0, 2], [0, 1, 5]])


def test_outcomes_are_valued_one_by_one_or_in_batches():
    outcome = ItemOutcome(jnp.array([[1, 0, 0], [0, 2, 3]]), jnp.array(True))
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), (GOOD, outcome))
    assert TALK.payoffs(GOOD, outcome).tolist() == [1.0, 17.0] and TALK.payoffs(*batch).tolist() == [[1.0, 17.0]] * 2
    assert float(TALK.first_best(GOOD)) == 1 + 2 + 15 and TALK.shares(GOOD, outcome).tolist() == [1 / 7, 1.0]
