"""Regret after talk: what a player could still gain by saying something else and then reporting something else.

A deviator of a given type picks one message among candidates (every word of a chat; in other languages, what other types of
the player say), and then, by what it has heard, how far to move all numbers of its report. The expectation over the others'
types and the noise is taken before each maximum. Where reports are read from messages (`Decoded`), only messages are tried.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.agents.talkers import Decoded
from dcg_econ.learning.estimators import played_payoffs
from dcg_econ.learning.protocol import Protocol
from dcg_econ.learning.talk import converse, through
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.messages.language import AbstractWords

_LOUD = 1e3  # logits of a word that is said for certain
_BINS = 8  # of the own report, by which a deviator moves it where messages are not words


class TalkRegret(eqx.Module):
    """What the deviations that were tried would gain: `epsilon` in shares of E first best, `by_player` (N,) in payoffs.

    For two players and one turn of chat all words and (up to the grid) all reports of one number are tried: then it is the
    regret, overstated where few of the draws share a word. In all other cases it is a lower bound.
    """

    epsilon: Float[Array, ""]
    by_player: Float[Array, " N"]

    def __float__(self):
        return float(self.epsilon)


def talk_regret(
    mechanism: AbstractMechanism,
    population: Any,
    protocol: Protocol,
    *,
    key: Array,
    own: int = 12,
    others: int = 384,
    moves: int = 33,
) -> TalkRegret:
    """The regret of a population that talks: at `own` draws of a player's type, against `others` draws of all else.

    `moves`: how many moves of the report are tried, up to three standard deviations of reports either way.
    """
    return _regret(mechanism, population, protocol, key, own, others, moves)


@eqx.filter_jit
def _regret(mechanism, population, protocol, key, own, others, moves):
    first, second, third = jax.random.split(key, 3)
    mine = jax.vmap(mechanism.sample_types)(jax.random.split(first, own))
    rest = jax.vmap(mechanism.sample_types)(jax.random.split(second, others))
    noise = jax.random.split(third, others)
    players = len(mechanism.players)

    def follow(types, key):
        talk, numbers = _said(mechanism, population, protocol, types, key)
        return talk.raw, numbers

    raw, numbers = jax.vmap(follow)(rest, noise)
    reach = 3 * jnp.std(numbers, axis=0).mean(axis=-1)  # (N,)

    def gain(place):
        player, node = place // own, place % own
        types = jax.vmap(lambda t: mechanism.spliced(jax.tree.map(lambda x: x[node], mine), player, t))(rest)
        base = _tried(mechanism, population, protocol, player, types, noise, None, jnp.zeros(1))[0]
        if isinstance(protocol.language, AbstractWords):
            said = jnp.broadcast_to(
                _LOUD * protocol.language.words()[:, None],
                (len(protocol.language.words()), *raw.shape[1:2], raw.shape[-1]),
            )
        else:
            said = raw[: _candidates(others), :, player]
        steps = jnp.zeros(1) if isinstance(population, Decoded) else reach[player] * jnp.linspace(-1, 1, moves)
        values = jax.lax.map(
            lambda m: _best(*_tried(mechanism, population, protocol, player, types, noise, m, steps)), said
        )
        return jnp.maximum(jnp.max(values) - jnp.mean(base), 0)

    gains = jax.lax.map(gain, jnp.arange(players * own)).reshape(players, own)
    by_player = jnp.mean(gains, axis=1)
    scale = mechanism.expected_first_best()
    return TalkRegret(jnp.max(by_player) / jnp.where(scale > 0, scale, jnp.nan), by_player)


def _candidates(others: int) -> int:
    """How many other types are imitated."""
    return min(32, others)


def _said(mechanism, population, protocol, types, key, player=None, forced=None):
    """The talk and the numbers of reports, with `player` saying `forced` (T, R), its raw numbers."""
    language = protocol.language

    def hear(turn, raw, keys):
        if forced is not None:
            raw = jnp.where(jnp.arange(raw.shape[0])[:, None] == player, forced[turn], raw)
        return through(language)(turn, raw, keys)

    known = mechanism.known(types)
    talk, heard = converse(population, protocol, mechanism.players, known, key, hear)
    return talk, population.numbers(known, heard)


def _tried(mechanism, population, protocol, player, types, noise, forced, steps):
    """Net payoffs (B, moves) of `player`, and the groups (B, G) by which it can tell the draws apart."""

    def one(types, key):
        talk, numbers = _said(mechanism, population, protocol, types, key, player, forced)
        charge = jnp.sum(talk.charge, axis=0)[player]

        def moved(step):
            theirs = numbers + step * (jnp.arange(numbers.shape[0])[:, None] == player)
            return played_payoffs(mechanism, population.assemble(theirs), types)[player] - charge

        return jax.vmap(moved)(steps), numbers[player].mean(), _word(protocol, talk, player)

    payoffs, reports, words = jax.vmap(one)(types, noise)
    if words is not None:
        return payoffs, jax.nn.one_hot(words, protocol.language.words().shape[0])
    rank = jnp.argsort(jnp.argsort(reports))
    return payoffs, jax.nn.one_hot(rank * _BINS // reports.shape[0], _BINS)


def _word(protocol, talk, player):
    """The number of the word that the other of two players said last; None for more players and other languages."""
    if not isinstance(protocol.language, AbstractWords) or talk.received.shape[1] != 2:
        return None
    words = protocol.language.words()
    return jnp.argmax(words @ talk.received[-1, 1 - player] - 0.5 * jnp.sum(words, axis=1))


def _best(payoffs, groups):
    """The mean payoff of the best move in every group."""
    return jnp.sum(jnp.max(groups.T @ payoffs, axis=1)) / payoffs.shape[0]
