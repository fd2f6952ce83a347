r"""Lindahl's equilibrium, and the rule that would implement it if curves were handed in truthfully.

Everybody pays its own price per unit, its marginal willingness to pay at the level at which these sum to marginal cost:

    sum_j v_j'(Y) = C'(Y),     p_i = v_i'(Y),     t_i = p_i Y.                                              (1)

The taxes exceed the cost by the producer's profit C'(Y) Y - C(Y), the budget surplus. The same rule on *reported* curves is a
game. Against the others' curves a player who brings about the level Y pays the price C'(Y) - sum of the others at Y, so its
reply at its level is to shade by what its level moves its price,

    v_i'(Y) - p_i = Y (C''(Y) - sum_{j != i} vhat_j''(Y)).                                                  (2)

With v_i' = a_i - B_i Y (here B_i = 2 b_i), slopes held true and types known, the shades that solve (2) sum to
Y (n C'' + (n-1) B), B = sum B_i, and with C' = c0 + c1 Y

    Y = (sum a_i - c0) / (n B + (n+1) c1)                                                                (3)

against (sum a_i - c0) / (B + c1) in first best: everybody rides free. With types known any slopes beta_i can be held, and
the level is then (sum a_i - c0) / (B + (n+1) c1 + (n-1) sum beta_i): flatter reports ride less free. With uncertain heights
slopes are chosen too. Facing others whose slopes sum to S and whose heights sum to A, player i has the best level
(a_i + A - c0) / (B_i + 2 (S + c1)) for each A, which the report a_i - (B_i + c1 + S) Y brings about: its true height, and its
slope overstated by c1 + S. Slopes then answer slopes by beta_i = B_i + c1 + sum_{j != i} beta_j, grow without bound for n >= 2,
and the level falls to zero. For n > 2 the formal fixed point, beta = -(B_i + c1)/(n - 2) among equals, is a minimum of payoff
(second derivative (n B_i + 2 c1)/(n - 2) > 0): there is no equilibrium in affine curves.

Source: Lindahl (1919), Samuelson (1954); (2) is the public good's mirror of Klemperer and Meyer (1989).
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, cost
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution, ShadedCurves, mixed
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.public_good import (
    AbstractPublicGood,
    PublicOutcome,
    crossing,
    require_quasi_linear,
)
from dcg_econ.mechanisms.public_goods.shifted import one_of, without
from dcg_econ.priors import number


class Allocation(NamedTuple):
    """Lindahl's level (), personal prices (N,), what is paid (N,), and the producer's profit ()."""

    level: Array
    prices: Array
    taxes: Array
    profit: Array


def lindahl_allocation(mechanism: AbstractPublicGood, types: Float[Array, "N k"]) -> Allocation:
    """(1) at true preferences, for the preferences and the cost of any institution with quasi-linear players."""
    preferences = require_quasi_linear(mechanism)
    level = mechanism.efficient_level(types)
    prices = preferences.curves(types)(jnp.broadcast_to(level, types.shape[:1]))
    taxes = prices * level
    return Allocation(level, prices, taxes, jnp.sum(taxes) - mechanism.cost(level))


class Lindahl(AbstractCurveInstitution):
    """N quasi-linear players who report curves and pay reported personal prices, (1)."""

    preferences: AbstractQuasiLinear
    cost: AbstractCost = eqx.field(converter=cost, default=1.0)
    endowment: Array = eqx.field(converter=number("endowment"), default=0.0)
    top: Array = eqx.field(converter=number("top"), default=jnp.inf)

    def __check_init__(self):
        require_quasi_linear(self)

    @property
    def excludable(self):
        return False

    def provide(self, curves):
        level, found = crossing(curves.total(), 1.0, self.cost, self.top)
        levels = jnp.broadcast_to(level, (self.preferences.count,))
        return PublicOutcome(levels, curves(levels) * level, level, found)

    def consumed(self, curves):
        level, _ = crossing(curves.total(), 1.0, self.cost, self.top)
        return jnp.broadcast_to(level, (self.preferences.count,))

    def deviation(self, curves, player, types):
        others = without(curves, player)

        def payoff(level):
            price = self.cost.marginal(level) - others(level)
            value = self.preferences.value(types, jnp.broadcast_to(level, types.shape[:1]))[player]
            return self.endowments[player] + value - price * level

        return payoff

    def residuals(self, own: ShadedCurves, others: ShadedCurves):
        if not self.preferences.certain:
            raise InputError(
                "preferences",
                "private types: best replies in curves run away, and there is no equilibrium in closed form",
                "give numbers in place of priors, or let players report one number: InterceptReports(Lindahl(...))",
            )
        types = self.preferences.at(jnp.zeros(()))

        def at(i):
            curves = mixed(own, others, i)(types)
            level, _ = crossing(curves.total(), 1.0, self.cost, self.top)
            true = one_of(self.preferences.curves(types), i)(level)
            return true - one_of(curves, i)(level) - level * (self.cost_slope(level) - without(curves, i).slope(level))

        return jax.vmap(at)(jnp.arange(self.preferences.count))[:, None]  # (2)

    def cost_slope(self, level: Float[Array, ""]) -> Float[Array, ""]:
        """C''."""
        return jax.grad(self.cost.marginal)(level)

    def no_equilibrium(self):
        return (
            "no equilibrium was found: with private types there is none in free slopes; with slopes held true start nearer, "
            "`strategies=ShadedCurves(...)`, or report one number, InterceptReports(Lindahl(...))"
        )

    def selection(self, profile):
        del profile
        return (
            "slopes held true, shades solved for; with types known other slopes support other levels, up to first best"
        )
