"""Regret after talk, against equilibria that are known: babbling, and truth-telling that somebody pays for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents import AbstractTalkers
from dcg_econ.agents.bids import Sides
from dcg_econ.mechanisms import DoubleAuction

AUCTION = DoubleAuction(k=0.5)
KEY = jax.random.key(0)
# Reports are tried on a grid and the maximum is taken over draws: 384 of them leave about this much of first best.
SLACK = 0.01


class Rule(AbstractTalkers):
    """Says word 1 if the type is above one half, and reports `intercept + slope * type`, moved by what the other said."""

    intercept: jax.Array
    slope: jax.Array
    credulity: jax.Array

    def raw(self, known, heard, turn):
        types = jnp.concatenate([known.buyers, known.sellers])
        return 100.0 * jnp.stack([0.5 - types, types - 0.5], axis=1)

    def numbers(self, known, heard=None):
        types = jnp.concatenate([known.buyers, known.sellers])
        return (self.intercept + self.slope * types + self.credulity * heard[:, 3])[:, None]

    def assemble(self, numbers):
        return Sides(numbers[:1, 0], numbers[1:, 0])


LINEAR = (jnp.array([1 / 12, 1 / 4]), jnp.array([2 / 3, 2 / 3]))


def epsilon(rule, moves=33, others=384):
    found = dcg.talk_regret(AUCTION, rule, dcg.Protocol(dcg.Chat(2)).sharp(), key=KEY, moves=moves, others=others)
    return float(found.epsilon), np.asarray(found.by_player) / float(AUCTION.expected_first_best())


@pytest.mark.slow
def test_talk_that_nobody_believes_leaves_the_linear_equilibrium():
    # What is said tells whether a type is above a half, and each adjusts to it if that pays: so words must be babble.
    babble = Babbler(*LINEAR, jnp.zeros(2))
    assert 0 <= epsilon(babble)[0] < SLACK
    assert epsilon(babble, others=3000)[0] < epsilon(babble)[0]


class Babbler(AbstractTalkers):
    """Says the same whatever the type."""

    intercept: jax.Array
    slope: jax.Array
    credulity: jax.Array

    def raw(self, known, heard, turn):
        return jnp.tile(jnp.array([100.0, 0.0]), (2, 1))

    def numbers(self, known, heard=None):
        types = jnp.concatenate([known.buyers, known.sellers])
        return (self.intercept + self.slope * types + self.credulity * heard[:, 3])[:, None]

    def assemble(self, numbers):
        return Sides(numbers[:1, 0], numbers[1:, 0])


@pytest.mark.slow
def test_truthful_bids_have_the_regret_that_they_have_in_silence():
    truth = Babbler(jnp.zeros(2), jnp.ones(2), jnp.zeros(2))
    silent = float(dcg.regret(AUCTION, dcg.AffineBids([0.0, 0.0], [1.0, 1.0])))
    assert epsilon(truth)[0] == pytest.approx(silent, abs=SLACK)


@pytest.mark.slow
def test_a_listener_who_can_be_fooled_has_a_partner_with_regret():
    # The seller asks .2 less after the buyer's second word, which this buyer never says: its regret is what that word buys.
    naive = Babbler(*LINEAR, jnp.array([0.0, -0.2]))
    _, by_player = epsilon(naive)
    v = np.linspace(0, 1, 2001)[:, None]
    c = np.linspace(0, 1, 2001)[None]
    bids = np.linspace(0, 1, 401)
    ask = 1 / 4 + 2 * c / 3 - 0.2
    gain = np.array([[np.mean((b >= ask) * (x - 0.5 * (b + ask))) for b in bids] for x in v[::50, 0]]).max(axis=1)
    own = np.mean((v / 1.5 + 1 / 12 >= ask + 0.2) * (v - 0.5 * (v / 1.5 + 1 / 12 + ask + 0.2)), axis=1)[::50]
    exact = np.trapezoid(gain - own, v[::50, 0]) / float(AUCTION.expected_first_best())
    # Twelve own types stand for all.
    assert by_player[0] == pytest.approx(exact, rel=0.25)
    assert by_player[1] < SLACK
    assert exact > 0.2


@pytest.mark.slow
def test_what_is_said_truthfully_is_used_against_the_speaker():
    informed = Rule(*LINEAR, jnp.zeros(2))
    assert (
        epsilon(informed)[0] > 0.02
    )  # the other now knows on which side of a half the type lies, and bids accordingly
