"""How the gradient of an objective in the players' report numbers is estimated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.learning.objectives import AbstractObjective


class AbstractEstimator(eqx.Module):
    """One switch: the gradient estimator, with game, nets, data and seeds held."""

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
    is its own payoff and nobody else's parameters move for it. One forward pass serves all players.
    """

    def gradient(self, payoffs, numbers, objective):
        values, pull = jax.vjp(payoffs, numbers)
        (jacobian,) = jax.vmap(pull)(jnp.eye(values.shape[0], dtype=values.dtype))  # [payoff j, player i, number]
        return values, jnp.einsum("ij,jik->ik", objective.weights(values.shape[0]), jacobian)
