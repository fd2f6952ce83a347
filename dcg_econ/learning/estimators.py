"""How the gradient of an objective in the players' report numbers is estimated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.learning.objectives import AbstractObjective, Selfish
from dcg_econ.mechanism import AbstractMechanism


class AbstractEstimator(eqx.Module):
    """One switch: the gradient estimator, with game, nets, data and seeds held."""

    @abstractmethod
    def check(self, mechanism: AbstractMechanism, objective: AbstractObjective) -> None:
        """Raises `InputError` where it would estimate the wrong gradient."""

    @abstractmethod
    def setting(self, mechanism: AbstractMechanism, profile: Any) -> Any:
        """What the episodes of one step share, made once from the profile that is being played."""

    @abstractmethod
    def payoffs(self, mechanism: AbstractMechanism, setting: Any, actions: Any, types: Any) -> Float[Array, " N"]:
        """The players' payoffs from `actions`, as a function that may be differentiated."""

    @abstractmethod
    def gradient(
        self,
        payoffs: Callable[[Float[Array, "N k"]], Float[Array, " N"]],
        numbers: Float[Array, "N k"],
        objective: AbstractObjective,
    ) -> tuple[Float[Array, " N"], Float[Array, "N k"]]:
        """Payoffs, and for each player the gradient of its own objective in its own numbers only."""


class Pathwise(AbstractEstimator):
    """Derivatives through reports, clearing price and payoffs: g_i = sum_j w_ij du_j / dx_i.

    Row i of the result is the derivative in x_i with every other player's numbers held, so what a player learns from
    is its own payoff and nobody else's parameters move for it. One forward pass serves all players. It needs payoffs that
    are continuous in the reports: where they jump, the derivative of a play misses what a report does to who trades.
    """

    def check(self, mechanism, objective):
        del objective
        if not mechanism.continuous:
            raise InputError(
                "estimator",
                f"Pathwise does not see who trades: payoffs of a {type(mechanism).__name__} jump",
                "give dcg.Interim(), or leave the estimator to the mechanism",
            )

    def setting(self, mechanism, profile):
        return None

    def payoffs(self, mechanism, setting, actions, types):
        del setting
        return mechanism.payoffs(types, mechanism.outcome(mechanism.handed_in(actions, types)))

    def gradient(self, payoffs, numbers, objective):
        return _weighted(payoffs, numbers, objective)


class Interim(AbstractEstimator):
    """Derivatives of interim payoffs: what a player does not know is integrated out before it is differentiated.

    For mechanisms whose payoffs jump (who trades), but whose expectations over the others' types do not. The others'
    present strategies are held. Exact for the player's own payoff, hence for selfish objectives only.
    """

    def check(self, mechanism, objective):
        del mechanism
        if not isinstance(objective, Selfish):
            raise InputError(
                "objective",
                f"{type(objective).__name__} needs the others' payoffs, and Interim knows the player's own",
                "give dcg.Selfish()",
            )

    def setting(self, mechanism, profile):
        return mechanism.prepared(profile)

    def payoffs(self, mechanism, setting, actions, types):
        def of(player):
            report = mechanism.own_report(lambda _: actions, player, types)
            return mechanism.interim_payoff(setting, player, types, report)

        return jax.vmap(of)(jnp.arange(len(mechanism.players)))

    def gradient(self, payoffs, numbers, objective):
        return _weighted(payoffs, numbers, objective)


def default_estimator(mechanism: AbstractMechanism) -> AbstractEstimator:
    """Pathwise where payoffs are continuous in the reports, else interim."""
    return Pathwise() if mechanism.continuous else Interim()


def _weighted(payoffs, numbers, objective):
    """Payoffs, and sum_j w_ij du_j / dx_i from one forward and N backward passes."""
    values, pull = jax.vjp(payoffs, numbers)
    (jacobian,) = jax.vmap(pull)(jnp.eye(values.shape[0], dtype=values.dtype))  # [payoff j, player i, number]
    return values, jnp.einsum("ij,jik->ik", objective.weights(values.shape[0]), jacobian)
