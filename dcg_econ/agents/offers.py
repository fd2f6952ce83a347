"""Strategies for bargaining by offers: what a player asks for itself, and the least that it accepts."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.agents.strategies import AbstractCoefficients, AbstractStrategy
from dcg_econ.priors import number


class Offers(NamedTuple):
    """What two players ask when they propose and the least they accept: (2,), or (2, T) where rounds are told apart."""

    ask: Array
    accept: Array


class StationaryOffers(AbstractCoefficients):
    """The same `ask` and `accept` whenever it is the player's turn, in money: (2,), or () where both do the same."""

    ask: Array = eqx.field(converter=number("ask"))
    accept: Array = eqx.field(converter=number("accept"))

    def __call__(self, known):
        players = jnp.shape(known)
        return Offers(jnp.broadcast_to(self.ask, players), jnp.broadcast_to(self.accept, players))

    def collocation(self):
        # The two positions of a player: it proposes, or it answers.
        return np.array([[1.0], [0.0]])


class OffersByRound(AbstractStrategy):
    """`ask` and `accept` (2, T) in money: entry [i, t] is what player i + 1 does if the turn is its own in round t."""

    ask: Array = eqx.field(converter=number("ask"))
    accept: Array = eqx.field(converter=number("accept"))

    def __call__(self, known):
        del known
        return Offers(self.ask, self.accept)

    def check(self, players):
        shapes = self.ask.shape, self.accept.shape
        if self.ask.ndim != 2 or self.ask.shape[0] != len(players) or shapes[0] != shapes[1]:
            raise InputError(
                "strategies", f"offers of shapes {shapes}", f"give both of shape ({len(players)}, number of rounds)"
            )

    def expand(self, players):
        del players
        return self

    def unknowns(self, residuals):
        return residuals.ravel()

    def table(self, players):
        del players
        plans = {"ask": np.asarray(self.ask), "accept": np.asarray(self.accept)}
        ends = (0, self.ask.shape[1] - 1)
        return {f"{name}, round {t + 1}": plan[:, t] for t in ends for name, plan in plans.items()}

    @property
    def replies_stay(self):
        return True
