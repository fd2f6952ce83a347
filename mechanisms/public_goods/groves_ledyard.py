r"""The Groves-Ledyard mechanism: everybody asks for more or less of the good, and pays for being unlike the others.

Player i asks for x_i, Y = sum_j x_j, and with m_i and s_i^2 the mean and the variance (dividing by N - 2) of the others'

    t_i = C(Y)/N + (gamma/2) ( ((N-1)/N) (x_i - m_i)^2 - s_i^2 ).                                        (1)

The taxes sum to C(Y) at every x (N >= 3): the two terms in gamma cancel over players. In Nash equilibrium

    v_i'(Y) = C'(Y)/N + gamma ((N-1)/N) (x_i - m_i),                                                      (2)

whose sum over players is the Samuelson condition. For v_i' = a_i - 2 b_i Y and C'' = c1 the best reply has the slope

    d x_i / d x_j = ( gamma/N - 2 b_i - c1/N ) / ( gamma (N-1)/N + 2 b_i + c1/N ),                            (3)

all of them positive (a supermodular game) iff gamma >= 2 N max b_i + c1.

Source: Groves and Ledyard (1977); for dynamics and (3), Chen and Tang (1998).
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, require_positive
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, QuadraticCost, cost
from dcg_econ.mechanisms.public_goods.numbers import AbstractNumberInstitution
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences
from dcg_econ.mechanisms.public_goods.public_good import PublicOutcome, no_bounds, require_quasi_linear
from dcg_econ.priors import number


class GrovesLedyard(AbstractNumberInstitution):
    """N >= 3 quasi-linear players; `gamma` > 0, money per unit squared, is the price of being unlike the others."""

    preferences: AbstractPreferences
    gamma: Array = eqx.field(converter=number("gamma"), default=1.0)
    cost: AbstractCost = eqx.field(converter=cost, default=1.0)
    endowment: Array = eqx.field(converter=number("endowment"), default=0.0)

    def __check_init__(self):
        require_quasi_linear(self)
        require_positive("gamma", self.gamma)
        if self.preferences.count < 3:
            raise InputError(
                "preferences.players",
                f"{self.preferences.count}: the variance of the others' messages needs two others",
                "give three or more",
            )

    @property
    def continuous(self):
        return True

    @property
    def excludable(self):
        return False

    def most(self):
        return jnp.asarray(jnp.inf)

    def bounds(self):
        return no_bounds(self.preferences)

    def quadratic(self):
        return isinstance(self.cost, QuadraticCost)

    def provide(self, messages):
        n, total = messages.shape[0], jnp.sum(messages)
        mean = (total - messages) / (n - 1)
        away = jnp.where(jnp.eye(n, dtype=bool), 0.0, messages[None, :] - mean[:, None])
        variance = jnp.sum(away**2, axis=1) / (n - 2)
        taxes = self.cost(total) / n + 0.5 * self.gamma * ((n - 1) / n * (messages - mean) ** 2 - variance)  # (1)
        return PublicOutcome(jnp.broadcast_to(total, messages.shape), taxes, total, total >= 0)

    def start(self):
        n = self.preferences.count
        return jnp.full(n, self.efficient_level(self.preferences.at(jnp.zeros(()))) / n)

    def no_equilibrium(self):
        return "no equilibrium was found: raise `gamma`, and check that preferences are concave and the cost convex"

    def selection(self, profile):
        del profile
        return (
            "with quadratic utility the only equilibrium (affine in private intercepts); otherwise that near the start"
        )
