"""Fresh players who talk, for each mechanism and protocol; and the game they learn on. A game of your own is added by

@talker.register
def _(game: MyGame, protocol, training): return lambda key: dcg.SenderReceiver(...)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from dcg_econ.agents import Decoded, SeparateSpeakers, Shared, SharedSpeakers, Talkers
from dcg_econ.agents.learned import AbstractPopulation, AbstractReporters
from dcg_econ.experiments.learners import learner
from dcg_econ.experiments.referential import nets
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.learning import AbstractProtocol, Protocol
from dcg_econ.learning.talk import heard_size
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import DoubleAuction, SoftAuction
from dcg_econ.mechanisms.referential import AbstractReferential

Make = Callable[[jax.Array], AbstractPopulation]


def players_for(game: AbstractGame, protocol: AbstractProtocol, training: Training) -> Make:
    """A function of a key that makes untrained players for the game and the talk before it."""
    if not isinstance(protocol, Protocol):
        return learner(game, training)
    return talker(game, protocol, training)


def learning_form(game: AbstractGame, protocol: AbstractProtocol, training: Training) -> AbstractGame:
    """The game that is learned on: an auction's rule of trade is softened where talk comes before it."""
    if isinstance(protocol, Protocol) and isinstance(game, DoubleAuction):
        low, high = game.terms.range()
        return SoftAuction(game, training.softness * (high - low))
    return game


@singledispatch
def talker(game: AbstractGame, protocol: Protocol, training: Training) -> Make:
    """Players who talk before a game that has learners of its own; what is said in private, the mechanism decodes."""
    own = protocol.turns * protocol.language.heard
    make = learner(game, training, own if protocol.private else heard_size(protocol, game.players))

    def population(key):
        first, second = jax.random.split(key)
        reporter = make(first)
        if not isinstance(reporter, AbstractReporters):
            raise SpecificationError(f"protocol: players of a {type(game).__name__} do not talk; choose silence")
        features = jax.eval_shape(lambda: reporter.features(game.known(game.sample_types(first)))).shape[1]
        if protocol.private:
            return Decoded(reporter, _speakers(game, protocol, training, features, reporter, second), own)
        told = features + heard_size(protocol, game.players) + (protocol.turns if protocol.turns > 1 else 0)
        return Talkers(reporter, _speakers(game, protocol, training, told, reporter, second), protocol.turns)

    return population


def _speakers(game: AbstractGame, protocol: Protocol, training: Training, told: int, reporter: Any, key: jax.Array):
    def net(key):
        return eqx.nn.MLP(told, protocol.language.raw, training.width, 2, jnp.tanh, key=key)

    alike = isinstance(reporter, Shared)
    return SharedSpeakers(net(key)) if alike else SeparateSpeakers(net, len(game.players), key=key)


@talker.register
def _(game: AbstractReferential, protocol: Protocol, training: Training) -> Make:
    if protocol.speakers != ("sender",) or protocol.turns != 1:
        raise SpecificationError('protocol.speakers: in this game the sender says one message; give ["sender"]')
    return nets(game, protocol.language, training.width)
