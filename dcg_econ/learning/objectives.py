"""Whose payoffs a player's gradient follows."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.learning.lookahead import AbstractLookahead


class AbstractObjective(eqx.Module):
    """A weight w_ij on player j's payoff in the objective that player i climbs."""

    @abstractmethod
    def weights(self, players: int) -> Float[Array, "N N"]:
        """w_ij."""


class Selfish(AbstractObjective):
    """Each player climbs its own payoff."""

    def weights(self, players):
        return jnp.eye(players)


class Joint(AbstractObjective):
    """Every player climbs the sum of the players' payoffs (the outside and the seller are not players)."""

    def weights(self, players):
        return jnp.ones((players, players))


class Shaped(AbstractObjective):
    """Each player climbs its own payoff after the others' anticipated update, which its own parameters move.

    `lookahead` says what update: `Opponents(rate)` (LOLA), `Proximal`, or, consistently, `Mutual`. The derivative through the
    update comes on top of the one through messages: that goes through the others' present policies, this through the
    change of their parameters. It needs games, channels and estimators that are differentiated through.
    """

    lookahead: AbstractLookahead

    def weights(self, players):
        return jnp.eye(players)
