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

from dcg_econ.agents import Attentive, Decoded, SenderReceiver, SeparateSpeakers, Shared, SharedSpeakers, Talkers
from dcg_econ.agents.attentive import AsHeard, ChoiceTable
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.learned import AbstractPopulation, AbstractReporters
from dcg_econ.agents.nets import Perceptron
from dcg_econ.agents.transformer import Layout
from dcg_econ.experiments.learners import Heard, learner, nets_of
from dcg_econ.experiments.referential import nets
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.learning import AbstractProtocol, Protocol
from dcg_econ.learning.talk import heard_size
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import (
    CheapTalk,
    DiscreteChoice,
    DoubleAuction,
    GaussianChoice,
    PlannedNegotiation,
    SoftAuction,
    SoftNegotiation,
)
from dcg_econ.mechanisms.referential import AbstractReferential
from dcg_econ.messages import Choice, WithConstant

Make = Callable[[jax.Array], AbstractPopulation]


def players_for(game: AbstractGame, protocol: AbstractProtocol, training: Training) -> Make:
    """A function of a key that makes untrained players for the game and the talk before it."""
    if not isinstance(protocol, Protocol):
        return learner(game, training)
    return talker(game, protocol, training)


def learning_form(game: AbstractGame, protocol: AbstractProtocol, training: Training) -> AbstractGame:
    """The game that is learned on: rules that jump are softened, an auction's only where talk comes before it."""
    if isinstance(game, PlannedNegotiation):
        return SoftNegotiation(game, training.softness)
    if isinstance(protocol, Protocol) and isinstance(game, DoubleAuction):
        low, high = game.terms.range()
        return SoftAuction(game, training.softness * (high - low))
    return game


@singledispatch
def talker(game: AbstractGame, protocol: Protocol, training: Training) -> Make:
    """Players who talk before a game that has learners of its own; what is said in private, the mechanism decodes."""
    own, token = protocol.turns * protocol.language.heard, protocol.language.heard // _words(protocol)
    make = learner(game, training, Heard(own if protocol.private else heard_size(protocol, game.players), token))

    def population(key):
        first, second = jax.random.split(key)
        reporter = make(first)
        if not isinstance(reporter, AbstractReporters):
            raise SpecificationError(f"protocol: players of a {type(game).__name__} do not talk; choose silence")
        features = jax.eval_shape(lambda: reporter.features(game.known(game.sample_types(first)))).shape[1]
        if protocol.private:
            layout = Layout(features, says=_words(protocol))
            return Decoded(reporter, _speakers(game, protocol, training, layout, reporter, second), own)
        clock = protocol.turns if protocol.turns > 1 else 0
        layout = Layout(features + clock, heard_size(protocol, game.players), token, _words(protocol))
        return Talkers(reporter, _speakers(game, protocol, training, layout, reporter, second), protocol.turns)

    return population


def _words(protocol: Protocol) -> int:
    """The tokens of a message."""
    return getattr(protocol.language, "length", 1)


def _speakers(
    game: AbstractGame, protocol: Protocol, training: Training, layout: Layout, reporter: Any, key: jax.Array
):
    language = protocol.language
    nets = nets_of(training) or Perceptron(training.width)

    def net(key):
        first, second = jax.random.split(key)
        free = nets.make(layout, language.raw - language.constant, first)
        return WithConstant(free, language.constant, key=second) if language.constant else free

    alike = isinstance(reporter, Shared)
    return SharedSpeakers(net(key)) if alike else SeparateSpeakers(net, len(game.players), key=key)


@talker.register
def _(game: AbstractReferential, protocol: Protocol, training: Training) -> Make:
    _one_message(protocol, "sender")
    return nets(game, protocol.language, training.width, nets_of(training))


@talker.register
def _(game: CheapTalk, protocol: Protocol, training: Training) -> Make:
    _one_message(protocol, "sender")
    language = protocol.language
    low, high = game.prior.support()

    def make(key):
        first, second = jax.random.split(key)
        net = eqx.nn.MLP(1, language.raw, training.width, 2, jnp.tanh, key=first)
        return SenderReceiver(
            _Scaled(net, 0.5 * (low + high), 0.5 * (high - low)),
            _Action(language.heard, low, high, second),
            language.heard,
        )

    return make


@talker.register
def _(game: GaussianChoice, protocol: Protocol, training: Training) -> Make:
    """Linear nets: the best channel is linear and Gaussian (Sims 2003)."""
    del training
    language = protocol.language

    def make(key):
        first, second = jax.random.split(key)
        look = eqx.nn.Linear(1, language.raw, key=first)
        return Attentive(_Scaled(look, jnp.zeros(()), game.sd), eqx.nn.Linear(language.heard, 1, key=second))

    return make


@talker.register
def _(game: DiscreteChoice, protocol: Protocol, training: Training) -> Make:
    del training
    states, choices = game.table.shape
    if not isinstance(protocol.language, Choice) or protocol.language.options != choices:
        raise SpecificationError(f"protocol: attention to {choices} actions needs the language dcg.Choice({choices})")
    return lambda key: Attentive(ChoiceTable(states, choices, key=key), AsHeard())


class _Scaled(eqx.Module):
    """A net on (x - centre) / unit."""

    net: Any
    frozen: Frozen

    def __init__(self, net, centre, unit):
        self.net, self.frozen = net, Frozen((centre, unit))

    def __call__(self, x):
        centre, unit = self.frozen.value
        return self.net((x - centre) / unit)


class _Action(eqx.Module):
    """A number for each word, linear in what is heard; fresh ones lie anywhere between `low` and `high`."""

    actions: jax.Array

    def __init__(self, words, low, high, key):
        self.actions = jax.random.uniform(key, (words,), minval=low, maxval=high)

    def __call__(self, seen, heard):
        del seen
        return (heard @ self.actions)[None]


def _one_message(protocol: Protocol, name: str) -> None:
    if protocol.speakers != (name,) or protocol.turns != 1:
        raise SpecificationError(f'protocol.speakers: in this game the {name} says one message; give ["{name}"]')
