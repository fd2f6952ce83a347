"""Turns a second of the item negotiation under random legal play, against OpenSpiel's `negotiation` and `bargaining` played
from Python.

Both sides play the rules of Cao et al. (2018) without utterances, or those of Lewis et al. (2017), whose 1,000 pools with
values are taken from OpenSpiel: the same turn limits, the first mover proposes, and a move drawn with equal chances from
all legal ones (OpenSpiel: `random.choice(state.legal_actions())`). One step is one turn of one player, the draw of its move
included: a proposal or an acceptance. The drawing of each episode's types is paid for on both sides and not counted as a
step; neither are our masked turns after an episode's end, nor OpenSpiel's chance node. Both sides return the payoffs of
every episode. Ours plays whole batches, warm, and waits for the results.
"""

import random
import statistics

import equinox as eqx
import jax
import numpy as np
import pytest

from dcg_econ.mechanisms.bargaining.item_agents import RandomMoves
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemNegotiation, negotiate
from dcg_econ.mechanisms.bargaining.item_priors import ListedItems
from tests.benchmarks.ratios import Row, seconds

pyspiel = pytest.importorskip("pyspiel", reason="the other side is OpenSpiel: pip install open_spiel")

EPISODES, BATCHES, THEIR_EPISODES, ROUNDS = 16384, 12, 2000, 7


@eqx.filter_jit
def play(game, key):
    agents = (RandomMoves(), RandomMoves())
    episodes = jax.vmap(lambda k: negotiate(game, agents, k))(jax.random.split(key, EPISODES))
    return episodes.turns, episodes.payoffs, episodes.outcome.agreed


def their_episode(game):
    state, turns = game.new_initial_state(), 0
    while not state.is_terminal():
        turns += not state.is_chance_node()
        state.apply_action(random.choice(state.legal_actions()))
    return turns, state.returns()


def negotiation():
    return ItemNegotiation(), pyspiel.load_game("negotiation(enable_utterances=False,rng_seed=1)")


def bargaining():
    theirs = pyspiel.load_game("bargaining")
    instances = theirs.all_instances()
    items = ListedItems([i.pool for i in instances], [i.values for i in instances])
    return ItemNegotiation(items, deadline=theirs.max_turns()), theirs


@pytest.mark.parametrize("rules", [negotiation, bargaining])
def test_turns_a_second(put, rules):
    game, theirs = rules()
    random.seed(1)
    keys = jax.random.split(jax.random.key(0), BATCHES)
    cold = seconds(lambda: play(game, keys[0]))
    ours, opponents, ratios, played = [], [], [], []
    for _ in range(ROUNDS):
        mine, other = [], []
        time = seconds(lambda: mine.extend(jax.block_until_ready(play(game, key)) for key in keys))  # noqa: B023
        ours.append(sum(int(turns.sum()) for turns, _, _ in mine) / time)
        time = seconds(lambda: other.extend(their_episode(theirs) for _ in range(THEIR_EPISODES)))  # noqa: B023
        opponents.append(sum(turns for turns, _ in other) / time)
        ratios.append(ours[-1] / opponents[-1])
        played += other
    ratio = statistics.median(ratios)
    here, there = 1e6 / statistics.median(ours), 1e6 / statistics.median(opponents)
    put(
        Row(
            f"a million turns of the item {rules.__name__}, random play",
            here,
            cold,
            "OpenSpiel, from Python",
            there,
            ratio,
            note=f"{EPISODES:,} episodes at once",
        )
    )

    # The same game is played: turns an episode and payoffs agree within five standard errors of their sample.
    turns, payoffs = np.array([t for t, _ in played]), np.array([r for _, r in played])
    mine = [play(game, key) for key in keys]
    for mean, sample in (
        (np.mean([t.mean() for t, _, _ in mine]), turns),
        (np.mean([p.mean(0) for _, p, _ in mine], 0), payoffs),
    ):
        assert np.all(np.abs(mean - sample.mean(0)) < 5 * sample.std(0) / np.sqrt(len(sample)))
