r"""The pivot mechanism on values net of fixed cost shares: truth is dominant, and there is never a deficit.

Players report marginal willingness to pay; with vhat_j the areas under the reports and net values w_j(Y) = vhat_j(Y) - C(Y)/n
the planner builds Y = argmax sum_j w_j and player i pays its share of the cost and what it costs the others to have it there,

    sum_j vhat_j'(Y) = C'(Y),     t_i = C(Y)/n + max_y sum_{j != i} w_j(y) - sum_{j != i} w_j(Y).                (1)

Its payoff from the level Y, v_i(Y) + sum_{j != i} vhat_j(Y) - C(Y) less what it does not influence, is largest where the
planner puts it if vhat_i = v_i, whatever the others report. The pivot terms are zero or more, so the taxes cover the cost.
On gross values (no cost shares) the same rule runs deficits.

Source: Clarke (1971); Green and Laffont (1979).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.mechanisms.public_goods.costs import AbstractCost, cost
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution, truth_conditions
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.public_good import PublicOutcome, crossing, require_quasi_linear
from dcg_econ.mechanisms.public_goods.shifted import without
from dcg_econ.priors import number


class ClarkePivot(AbstractCurveInstitution):
    """N quasi-linear players who report curves and pay cost shares and pivot taxes, (1)."""

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
        n = self.preferences.count
        # The others' best level does not depend on the own report, and is the maximum: no derivative passes through it.
        held = jax.lax.stop_gradient(curves)

        def pivot(i):
            cost = jax.lax.stop_gradient(self.cost)
            best, there = crossing(without(held, i), (n - 1) / n, cost, self.top, near=level)
            best = jax.lax.stop_gradient(best)
            gain = without(curves, i).integral(level, best)
            return gain - (n - 1) / n * (self.cost(best) - self.cost(level)), there

        pivots, found_all = jax.vmap(pivot)(jnp.arange(n))
        taxes = self.cost(level) / n + pivots
        return PublicOutcome(jnp.broadcast_to(level, (n,)), taxes, level, found & jnp.all(found_all))

    def consumed(self, curves):
        level, _ = crossing(curves.total(), 1.0, self.cost, self.top)
        return jnp.broadcast_to(level, (self.preferences.count,))

    def deviation(self, curves, player, types):
        n, others = types.shape[0], without(curves, player)
        best, _ = crossing(others, (n - 1) / n, self.cost, self.top)

        def payoff(level):
            pivot = others.integral(level, best) - (n - 1) / n * (self.cost(best) - self.cost(level))
            value = self.preferences.value(types, jnp.broadcast_to(level, types.shape[:1]))[player]
            return self.endowments[player] + value - self.cost(level) / n - pivot

        return payoff

    def residuals(self, own, others):
        del others
        return truth_conditions(own)

    def no_equilibrium(self):
        return "truth is an equilibrium whenever curves fall: check that preferences are concave and the cost convex"

    def selection(self, profile):
        del profile
        return "truth, which is dominant; where others are never pivotal it ties with other reports"
