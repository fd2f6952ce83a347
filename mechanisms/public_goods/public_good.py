r"""What every institution that provides a public good shares: players, cost, payoffs, first best.

Player i has endowment w_i, consumes the level Y_i of the good (the same for all, unless the institution can exclude), and
pays t_i. With utility u_i(Y_i, w_i - t_i) and the level Y built at cost C(Y),

    welfare = sum_i u_i + (sum_i t_i - C(Y)):                                                             (1)

a budget surplus is money that somebody has. The first best of quasi-linear players meets the Samuelson condition

    sum_i v_i'(Y) = C'(Y)     (Y = 0 where the sum is below C'(0)),                                        (2)

where a good from which players can be excluded counts positive willingness only, since nobody need consume more than it likes,
and that of Cobb-Douglas players is the utilitarian one, which meets (2) too, with x_i chosen by transfers:

    x_i = Y ((1 - a_i) / m)^(1/a_i),  sum_i (a_i / (1 - a_i)) x_i / Y = C'(Y),  sum_i x_i + C(Y) = sum_i w_i.    (3)

Sources: Samuelson (1954); Laffont (1988), chapter 2.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import ClearingError, InputError, is_concrete, require_positive
from dcg_econ.equilibrium.clearing import clear
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, QuadraticCost
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences, AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.shifted import one_of, span
from dcg_econ.messages.curve import AbstractCurve, AffineCurve

_DOUBLINGS = 20  # of the last knot, in search of a level at which the sum is below marginal cost


class PublicOutcome(NamedTuple):
    """The level each player consumes (N,), what it pays (N,), the level built (), and whether there is an outcome."""

    levels: Array
    taxes: Array
    built: Array
    found: Array


class AbstractPublicGood(AbstractMechanism):
    """N players, one good; subclasses are the institutions."""

    preferences: eqx.AbstractVar[AbstractPreferences]
    cost: eqx.AbstractVar[AbstractCost]
    endowment: eqx.AbstractVar[Array]

    @property
    @abstractmethod
    def excludable(self) -> bool:
        """Whether a player can consume less than is built."""

    @abstractmethod
    def bounds(self) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        """The lowest and the highest number that each player may say, infinite where there is no bound."""

    @abstractmethod
    def said(self, numbers: Float[Array, " N"], types: Float[Array, "N k"]) -> Any:
        """The reports that one number a player stands for: the numbers, or true curves lowered by them."""

    @abstractmethod
    def most(self) -> Float[Array, ""]:
        """The largest level that can be built at all, infinite where nothing limits what is paid."""

    def __check_init__(self):
        n = self.preferences.count
        if jnp.shape(self.endowment) not in ((), (n,)):
            raise InputError("endowment", f"shape {jnp.shape(self.endowment)}", f"give one number, or {n}")
        require_positive("endowment", self.endowment, strict=False)

    @property
    def players(self):
        return tuple(f"player {i + 1}" for i in range(self.preferences.count))

    @property
    def endowments(self) -> Float[Array, " N"]:
        """w, money."""
        return jnp.broadcast_to(self.endowment, (self.preferences.count,))

    def sample_types(self, key):
        return self.preferences.sample(key)

    def spliced(self, own, player, others):
        return jnp.where(jnp.arange(own.shape[0])[:, None] == player, own, others)

    def known(self, types):
        return types

    def settled(self, outcome):
        return outcome.found

    def payoffs(self, types, outcome):
        return self.preferences.utility(types, outcome.levels, self.endowments - outcome.taxes)

    def budget_surplus(self, outcome: PublicOutcome) -> Float[Array, ""]:
        """What is paid above cost, money; a deficit is negative."""
        return jnp.sum(outcome.taxes) - self.cost(outcome.built)

    def status_quo(self, types: Float[Array, "N k"]) -> Float[Array, " N"]:
        """Utility (N,) of keeping the endowment, without the good: the bar of individual rationality."""
        return self.preferences.utility(types, jnp.zeros_like(self.endowments), self.endowments)

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome)) + self.budget_surplus(outcome)

    def first_best(self, types):
        if not isinstance(self.preferences, AbstractQuasiLinear):
            log_m, level = _utilitarian(types, self)
            money = level * _kept_per_level(types, log_m)
            return jnp.sum(self.preferences.utility(types, _all(level, types), money))
        level = self.efficient_level(types)
        shares = _all(self.cost(level) / types.shape[0], types)
        return jnp.sum(self.preferences.utility(types, self._consumed(types, level), self.endowments - shares))

    def expected_first_best(self):
        types, weights = self.type_nodes()
        return weights @ jax.vmap(self.first_best)(types)

    def type_nodes(self) -> tuple[Float[Array, "q N k"], Float[Array, " q"]]:
        """Nodes and weights over all types: those of the preferences where the efficient level is inside its bounds for all
        of 2048 fixed draws, so that quadratics stay quadratic, else these draws."""
        types, weights = self.preferences.joint_nodes()
        if self.preferences.certain or not self.preferences.one_number:
            return types, weights
        draws, even = self.preferences.draws()
        levels = jax.lax.stop_gradient(jax.vmap(self.efficient_level)(draws))
        smooth = jnp.all((levels > 0) & (levels < self.most())) & (not self.excludable)
        shares = jnp.where(smooth, weights, 0.0), jnp.where(smooth, 0.0, even)
        return jnp.concatenate([types, draws]), jnp.concatenate(shares)

    def efficient_level(self, types: Float[Array, "N k"]) -> Float[Array, ""]:
        """The level of first best: (2), or (3), between zero and `most`."""
        if not isinstance(self.preferences, AbstractQuasiLinear):
            return _utilitarian(types, self)[1]
        curves = self.preferences.curves(types)
        total = curves.total() if not self.excludable else lambda y: jnp.sum(jnp.maximum(curves(y), 0.0))
        level, found = crossing(total, 1.0, self.cost, self.most())
        if is_concrete(found, level) and not bool(found):
            raise ClearingError(NEVER_CROSS)
        return jnp.where(found, level, jnp.nan)

    def _consumed(self, types: Float[Array, "N k"], level: Float[Array, ""]) -> Float[Array, " N"]:
        """Of a level that is built, what each player should consume: all of it, or as much as it likes."""
        if not self.excludable or not isinstance(self.preferences, AbstractQuasiLinear):
            return _all(level, types)
        curves, none = self.preferences.curves(types), QuadraticCost(1.0)
        sated = jax.vmap(lambda i: crossing(one_of(curves, i), 0.0, none, self.most())[0])(jnp.arange(types.shape[0]))
        return jnp.minimum(level, sated)


NEVER_CROSS = (
    "the sum of the curves never meets marginal cost: give curves that fall to it within their knots, give `cost` a slope, "
    "or widen the knots"
)


def no_bounds(preferences: AbstractPreferences) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """The bounds of institutions in which any number may be said."""
    none = jnp.full(preferences.count, jnp.inf)
    return -none, none


def require_quasi_linear(mechanism: AbstractPublicGood) -> AbstractQuasiLinear:
    """The preferences; raises `InputError` where payments would change willingness to pay, or no level is large enough."""
    kind, preferences, cost = type(mechanism).__name__, mechanism.preferences, mechanism.cost
    if not isinstance(preferences, AbstractQuasiLinear):
        raise InputError(
            "preferences",
            f"{type(mechanism.preferences).__name__} has income effects, and {kind} is for quasi-linear players",
            "give QuadraticPreferences or CurvePreferences, or take VoluntaryContribution",
        )
    if isinstance(cost, QuadraticCost) and is_concrete(cost.slope) and float(cost.slope) == 0:
        slopes = preferences.curves(preferences.at(jnp.zeros(()))).slope(jnp.zeros(()))
        if is_concrete(slopes) and bool(jnp.all(slopes == 0)):
            raise InputError(
                "preferences",
                "willingness to pay and marginal cost are both constant, so that no level is the best",
                "give `cost` a slope, or preferences that fall with the level",
            )
    return preferences


def crossing(
    total, share: Array | float, cost: AbstractCost, most: Array, near: Array | None = None
) -> tuple[Float[Array, ""], Array]:
    """The level in [0, most] where a falling curve `total` meets `share` of marginal cost, and whether there is one.

    Zero where it starts below, `most` where it ends above; differentiable in the curve and in the cost. The search starts
    `near` a level, or in the middle of the curve's knots.
    """
    zero = jnp.zeros((), jnp.result_type(float))

    def excess(level):
        return total(level) - share * cost.marginal(level)

    if isinstance(total, AffineCurve) and isinstance(cost, QuadraticCost):
        slope = share * cost.slope - total.gradient
        falls = slope > 0
        level = jnp.where(falls, excess(zero) / jnp.where(falls, slope, 1.0), jnp.where(excess(zero) > 0, jnp.inf, 0.0))
        found = jnp.isfinite(level) | jnp.isfinite(most)
    else:
        reach = jnp.max(span(total)) if isinstance(total, AbstractCurve) else jnp.ones((), jnp.result_type(float))
        start = 0.5 * reach if near is None else near
        level, found = _searched(total, share, cost, most, *jax.lax.stop_gradient((start, reach)))
    level = jnp.where(excess(zero) > 0, level, 0.0)
    return jnp.where(level < most, level, most), found


@eqx.filter_jit  # traced once for all the places that ask for a level
def _searched(total, share, cost, most, start, reach) -> tuple[Float[Array, ""], Array]:
    def excess(level):
        return total(level) - share * cost.marginal(level)

    def more(state):
        doublings, high = state
        return (doublings < _DOUBLINGS) & (jax.lax.stop_gradient(excess(high)) > 0) & (high < most)

    # The last knot, or so many times that a falling sum is below marginal cost there.
    _, high = jax.lax.while_loop(more, lambda state: (state[0] + 1, 2 * state[1]), (jnp.asarray(0), reach))
    high = jnp.where(high < most, high, jax.lax.stop_gradient(most))
    level, found = clear(excess, start, jnp.zeros_like(start), high)
    above = jnp.isfinite(most) & (excess(high) >= 0)
    return jnp.where(above, most, level), found | above | (excess(jnp.zeros_like(start)) <= 0)


def _all(number: Array, types: Array) -> Float[Array, " N"]:
    return jnp.broadcast_to(number, types.shape[:1])


def _kept_per_level(types: Array, log_multiplier: Array) -> Float[Array, " N"]:
    """x_i / Y of (3)."""
    share = types[:, 0]
    return jnp.exp((jnp.log1p(-share) - log_multiplier) / share)


def _utilitarian(types: Array, game: AbstractPublicGood) -> tuple[Array, Array]:
    """(3): log m at which Samuelson's condition holds at the level that the resources are good for, and that level."""
    share, wealth = types[:, 0], jnp.sum(game.endowments)

    def level_at(log_m):
        return game.cost.bought(wealth, jnp.sum(_kept_per_level(types, log_m)))

    def excess(log_m):
        willing = jnp.log(share / (1 - share)) + jnp.log(_kept_per_level(types, log_m))
        return jax.nn.logsumexp(willing) - jnp.log(game.cost.marginal(level_at(log_m)))

    log_m, _ = clear(excess, jnp.zeros(()), jnp.asarray(-60.0), jnp.asarray(60.0))
    return log_m, level_at(log_m)
