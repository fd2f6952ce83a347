"""Who talks: populations that say something before they report."""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.frozen import learned_axes, unstack_frozen
from dcg_econ.agents.learned import AbstractPopulation, AbstractReporters

Net = Callable[[Float[Array, " n"]], Float[Array, " R"]]


class AbstractTalkers(AbstractPopulation):
    """A population that talks: what is heard is, for each player, what everybody has said so far, its own words first."""

    @abstractmethod
    def raw(self, known: Any, heard: Float[Array, "N H"], turn: int) -> Float[Array, "N R"]:
        """The raw numbers of every player's message at `turn`, whether or not it is its turn to speak."""


class AbstractSpeakers(eqx.Module):
    """The nets that speak."""

    @abstractmethod
    def __call__(self, inputs: Float[Array, "N n"]) -> Float[Array, "N R"]:
        """Every player's raw numbers from what its net is told."""


class SharedSpeakers(AbstractSpeakers):
    """All players speak with one net."""

    net: Net

    def __call__(self, inputs):
        return jax.vmap(self.net)(inputs)


class SeparateSpeakers(AbstractSpeakers):
    """Each player speaks with its own net: `SeparateSpeakers(make, n, key=key)` with `make(key)` a net."""

    nets: Net

    def __init__(self, make: Callable[[Array], Net], n: int, *, key: Array):
        self.nets = unstack_frozen(eqx.filter_vmap(make)(jax.random.split(key, n)))

    def __call__(self, inputs):
        return eqx.filter_vmap(lambda net, x: net(x), in_axes=(learned_axes(self.nets), 0))(self.nets, inputs)


class Talkers(AbstractTalkers):
    """Players whose reports come from `reporter`, a population that hears, and whose messages come from `speakers`.

    A speaker's net is told what the player knows, where there is more than one which turn it is, and what it has heard.
    """

    reporter: AbstractReporters
    speakers: AbstractSpeakers
    turns: int = eqx.field(static=True, default=1)

    def raw(self, known, heard, turn):
        features = self.reporter.features(known)
        players = features.shape[0]
        clock = jax.nn.one_hot(turn, self.turns if self.turns > 1 else 0, dtype=features.dtype)
        return self.speakers(jnp.concatenate([features, jnp.broadcast_to(clock, (players, clock.size)), heard], axis=1))

    def numbers(self, known, heard=None):
        return self.reporter.numbers(known, heard)

    def assemble(self, numbers):
        return self.reporter.assemble(numbers)


class Decoded(AbstractTalkers):
    """Players who speak to the mechanism alone, which reads the report from the message and from nothing else.

    With chat of b bits the reports are a learned codebook of 2^b rows: of demand curves, where curves are reported. Each
    player's nets turn what came through of its own message, the first `own` numbers that it hears, into the report.
    """

    reporter: AbstractReporters
    speakers: AbstractSpeakers
    own: int = eqx.field(static=True, default=1)

    def raw(self, known, heard, turn):
        del heard, turn
        return self.speakers(self.reporter.features(known))

    def numbers(self, known, heard=None):
        if heard is None:
            raise InputError("protocol", "silence", "players whose reports are decoded from messages need a protocol")
        return self.reporter.numbers_at(jnp.zeros_like(self.reporter.features(known)), heard[:, : self.own])

    def assemble(self, numbers):
        return self.reporter.assemble(numbers)


class SenderReceiver(AbstractTalkers):
    """Two players, one of whom talks and the other of whom acts.

    `sender(row) -> raw (R,)` and `receiver(row, heard) -> numbers (k,)` are nets on `known[0]` and `known[1]`; the receiver
    gets the `size` numbers of the sender's message.
    """

    sender: Callable[[Any], Float[Array, " R"]]
    receiver: Callable[[Any, Float[Array, " H"]], Float[Array, " k"]]
    size: int = eqx.field(static=True, default=1)

    def raw(self, known, heard, turn):
        del heard, turn
        raw = self.sender(known[0])
        return jnp.stack([raw, jnp.zeros_like(raw)])

    def numbers(self, known, heard=None):
        if heard is None:
            raise InputError("protocol", "silence", "a sender and a receiver need a protocol, e.g. dcg.Chat()")
        numbers = self.receiver(known[1], heard[1, self.size :])  # after the receiver's own words, which are silence
        return jnp.stack([jnp.zeros_like(numbers), numbers])

    def assemble(self, numbers):
        return numbers
