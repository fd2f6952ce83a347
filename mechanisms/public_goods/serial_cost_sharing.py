r"""Serial cost sharing of a good from which users can be excluded: each level is paid for by those who use it.

Everybody reports marginal willingness to pay. The level rises from zero; the k players still in share marginal cost evenly,
and a player leaves at the level q_i at which its report falls to its share, C'(q_i)/k. With q_(1) <= ... <= q_(n), q_(0) = 0,

    t_(i) = sum_{j <= i} ( C(q_(j)) - C(q_(j-1)) ) / (n - j + 1),                                            (1)

the good is built to the largest q and the taxes sum to its cost. What a player pays for a level depends on those who leave
before it only, and rises in it at a rate that never falls, so truth is dominant. The allocation is not first best: a player
who leaves could stay at no cost.

Source: the shares (1) are Moulin and Shenker's (1992); for public goods with exclusion Moulin (1994).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.mechanisms.public_goods.costs import AbstractCost, cost
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution, truth_conditions
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.public_good import PublicOutcome, crossing, require_quasi_linear
from dcg_econ.mechanisms.public_goods.shifted import one_of
from dcg_econ.messages.curve import AbstractCurve
from dcg_econ.priors import number


class SerialCostSharing(AbstractCurveInstitution):
    """N quasi-linear players who report curves, consume different levels, and share each unit's cost among its users."""

    preferences: AbstractQuasiLinear
    cost: AbstractCost = eqx.field(converter=cost, default=1.0)
    endowment: Array = eqx.field(converter=number("endowment"), default=0.0)
    top: Array = eqx.field(converter=number("top"), default=jnp.inf)

    def __check_init__(self):
        require_quasi_linear(self)

    @property
    def excludable(self):
        return True

    def provide(self, curves):
        demands, found = self._demands(curves)
        levels = self._departures(demands)
        taxes = jax.vmap(lambda i: _share(self.cost, levels, i, levels[i]))(jnp.arange(levels.shape[0]))
        return PublicOutcome(levels, taxes, jnp.max(levels), found)

    def consumed(self, curves):
        demands, _ = self._demands(curves)
        return self._departures(demands)

    def deviation(self, curves, player, types):
        demands, _ = self._demands(curves)
        others = self._departures(demands.at[player].set(jnp.inf))  # those who leave earlier leave as if it never did

        def payoff(level):
            value = self.preferences.value(types, jnp.broadcast_to(level, types.shape[:1]))[player]
            return self.endowments[player] + value - _share(self.cost, others, player, level)

        return payoff

    def residuals(self, own, others):
        del others
        return truth_conditions(own)

    def _demands(self, curves: AbstractCurve) -> tuple[Float[Array, "N N"], Array]:
        """The level that player i wants if k share the cost, in column k - 1."""
        n = self.preferences.count

        def wanted(i, k):
            return crossing(one_of(curves, i), 1 / k, self.cost, self.top)

        players, sharers = jnp.arange(n), jnp.arange(1.0, n + 1)
        levels, found = jax.vmap(lambda i: jax.vmap(lambda k: wanted(i, k))(sharers))(players)
        return levels, jnp.all(found)

    def _departures(self, demands: Float[Array, "N N"]) -> Float[Array, " N"]:
        """The levels at which players leave, one after the other."""
        n = demands.shape[0]

        def leave(state, sharers):
            levels, inside, before = state
            wanted = jnp.where(inside, jnp.maximum(demands[:, sharers - 1], before), jnp.inf)
            first = jnp.argmin(jnp.where(inside, jnp.where(jnp.isinf(wanted), 1e300, wanted), jnp.inf))
            level = wanted[first]
            return (levels.at[first].set(level), inside.at[first].set(False), level), None

        state = (jnp.zeros(n, demands.dtype), jnp.ones(n, bool), jnp.zeros((), demands.dtype))
        (levels, _, _), _ = jax.lax.scan(leave, state, jnp.arange(n, 0, -1))
        return levels

    def no_equilibrium(self):
        return "truth is an equilibrium whenever curves fall: check that preferences are concave and the cost convex"

    def selection(self, profile):
        del profile
        return "truth, which is dominant"


def _share(cost: AbstractCost, levels: Float[Array, " N"], player: Array | int, level: Array) -> Float[Array, ""]:
    """(1): what a player pays for `level` beside others who leave at `levels`."""
    n = levels.shape[0]
    others = jnp.sort(jnp.where(jnp.arange(n) == player, jnp.inf, levels))  # the player itself sorts last
    ends = jnp.minimum(others, level)
    starts = jnp.concatenate([jnp.zeros(1, ends.dtype), ends[:-1]])
    return jnp.sum((cost(ends) - cost(starts)) / jnp.arange(n, 0, -1))
