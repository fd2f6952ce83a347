"""One play of a game: talk, reports, outcome; and what each message did to each payoff."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.agents.inner import noisy
from dcg_econ.learning.protocol import AbstractProtocol, Protocol, as_protocol
from dcg_econ.learning.talk import Hear, Talk, Taps, converse
from dcg_econ.mechanism import AbstractGame


class Episode(eqx.Module):
    """What was drawn, said, reported and earned in one play; payoffs are before the cost of messages, in `talk.charge`."""

    types: Any
    talk: Talk | None
    reports: Any
    outcome: Any
    payoffs: Float[Array, " N"]
    welfare: Float[Array, ""]
    first_best: Float[Array, ""]


def play(game: AbstractGame, agents: Any, protocol: Any = None, *, key: Array, hear: Hear | None = None) -> Episode:
    """Draws types, lets every player talk and report as `agents` do, and settles; map it over keys by `jax.vmap`.

    `protocol`: `Silence()` by default, a `Protocol`, or a language that everybody speaks once. `hear`: another way
    through for messages than the language's own channel (a null channel, a quantiser).
    """
    return settle(game, agents, as_protocol(protocol), game.sample_types(key), jax.random.fold_in(key, 1), hear)


def settle(
    game: AbstractGame, agents: Any, protocol: AbstractProtocol, types: Any, key: Array, hear: Hear | None = None
) -> Episode:
    """A play at given types."""
    talk, reports = said_and_reported(game, agents, protocol, types, key, hear)
    outcome = game.outcome(reports)
    return Episode(
        types,
        talk,
        reports,
        outcome,
        game.payoffs(types, outcome),
        game.welfare(types, outcome),
        game.first_best(types),
    )


def said_and_reported(game, agents, protocol, types, key, hear=None, taps=None) -> tuple[Talk | None, Any]:
    """What is said at these types, and what is then handed in."""
    known, agents = game.known(types), noisy(agents, key)
    talk, heard = converse(agents, protocol, game.players, known, key, hear, taps)
    if talk is None:
        return None, game.reports(agents, types)
    return talk, game.handed_in(agents.assemble(agents.numbers(known, heard)), types)


def message_gradients(game: AbstractGame, agents: Any, protocol: Any, *, key: Array) -> Float[Array, "N T N H"]:
    """d payoff_i / d message_j in one episode: for every payoff i, turn, speaker j and number of what came through.

    Everything that is said and reported afterwards responds; payoffs are before the cost of messages.
    """
    protocol = as_protocol(protocol)
    types, key = game.sample_types(key), jax.random.fold_in(key, 1)
    players = len(game.players)
    if not isinstance(protocol, Protocol):
        return jnp.zeros((players, 0, players, 0))
    blank = jnp.zeros((protocol.turns, players, protocol.language.heard))

    def payoffs(probe):
        taps = Taps(jnp.zeros((protocol.turns, 1, 1)), probe, jnp.zeros(1))
        _, reports = said_and_reported(game, agents, protocol, types, key, taps=taps)
        return game.payoffs(types, game.outcome(reports))

    return jax.jacrev(payoffs)(blank)
