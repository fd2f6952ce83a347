r"""Walker's mechanism, whose Nash equilibria are the Lindahl allocations.

Player i asks for x_i, Y = sum_j x_j, and with indices modulo N >= 3

    t_i = C(Y)/N + (x_{i+1} - x_{i+2}) Y.                                                                 (1)

The differences sum to zero, so the budget balances at every x. Nobody's own x_i is in its personal price, and in Nash

    v_i'(Y) = C'(Y)/N + x_{i+1} - x_{i+2} =: p_i,    t_i = p_i Y - (C'(Y) Y - C(Y)) / N :                      (2)

Lindahl's prices, with the producer's profit shared evenly. For v_i' = a_i - 2 b_i Y and C'' = c1 simultaneous best replies
are x_i = const - sum_{j != i} x_j - (x_{i+1} - x_{i+2}) / (2 b_i + c1/N), whose radius is N - 1 or more: unstable.

Source: Walker (1981), with a convex cost.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, QuadraticCost, cost
from dcg_econ.mechanisms.public_goods.lindahl import lindahl_allocation
from dcg_econ.mechanisms.public_goods.numbers import AbstractNumberInstitution
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences
from dcg_econ.mechanisms.public_goods.public_good import PublicOutcome, no_bounds, require_quasi_linear
from dcg_econ.priors import number


class Walker(AbstractNumberInstitution):
    """N >= 3 quasi-linear players who name one number each."""

    preferences: AbstractPreferences
    cost: AbstractCost = eqx.field(converter=cost, default=1.0)
    endowment: Array = eqx.field(converter=number("endowment"), default=0.0)

    def __check_init__(self):
        require_quasi_linear(self)
        if self.preferences.count < 3:
            raise InputError(
                "preferences.players",
                f"{self.preferences.count}: a player's own message would be in its price",
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
        total = jnp.sum(messages)
        price = jnp.roll(messages, -1) - jnp.roll(messages, -2)
        taxes = self.cost(total) / messages.shape[0] + price * total  # (1)
        return PublicOutcome(jnp.broadcast_to(total, messages.shape), taxes, total, total >= 0)

    def start(self):
        # (2) is linear in x once the prices are known: x_{i+1} - x_{i+2} = d_i and sum x = Y.
        found = lindahl_allocation(self, self.preferences.at(jnp.zeros(())))
        n = found.prices.shape[0]
        steps = jnp.roll(found.prices - self.cost.marginal(found.level) / n, 1)  # x_i - x_{i+1}
        x = -jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)[:-1]])
        return x - jnp.mean(x) + found.level / n

    def no_equilibrium(self):
        return "no equilibrium was found: check that preferences are concave and the cost convex"

    def selection(self, profile):
        del profile
        return "Lindahl's allocation; with quadratic utility the only equilibrium (affine in private intercepts)"
