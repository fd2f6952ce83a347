r"""Institutions whose report is a whole curve: marginal willingness to pay as a function of the level.

The planner adds the curves in closed form, builds the level at which their sum meets marginal cost, and taxes. A player who
knows the others' curves can have any level by its own, so a deviation is a level, ex post. Strategies in closed form are the
true curve lowered by a number, the *shade*: truth is a shade of zero.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import ClearingError, InputError, is_concrete
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.public_good import NEVER_CROSS, AbstractPublicGood, PublicOutcome, no_bounds
from dcg_econ.mechanisms.public_goods.shifted import raised
from dcg_econ.messages.curve import AbstractCurve
from dcg_econ.priors import as_number

GRID = 65  # levels at which a best deviation is looked for before the search is refined


class ShadedCurves(AbstractStrategy):
    """Everybody hands in its true curve, lowered by `shade` (N,) or (), money per unit of the good."""

    shade: Array = eqx.field(converter=as_number)
    truth: Frozen  # preferences

    def __call__(self, known: Any) -> AbstractCurve:
        return raised(self.truth.value.curves(known), jnp.broadcast_to(-self.shade, known.shape[:1]))

    def check(self, players):
        if jnp.shape(self.shade) not in ((), (len(players),)):
            raise InputError(
                "strategies", f"a shade of shape {jnp.shape(self.shade)}", f"give ({len(players)},), or ()"
            )

    def expand(self, players):
        return ShadedCurves(jnp.broadcast_to(self.shade, (players,)), self.truth)

    def unknowns(self, residuals):
        return residuals[0] if jnp.ndim(self.shade) == 0 else residuals.ravel()

    def table(self, players):
        return {"shade": np.broadcast_to(np.asarray(self.shade), (len(players),))}

    @property
    def replies_stay(self):
        return True


class AbstractCurveInstitution(AbstractPublicGood):
    """Reports are curves, batched over N; `top` is the largest level that the planner considers."""

    preferences: eqx.AbstractVar[AbstractQuasiLinear]
    top: eqx.AbstractVar[Array]

    @abstractmethod
    def provide(self, curves: AbstractCurve) -> PublicOutcome:
        """The outcome of the reported curves."""

    @abstractmethod
    def consumed(self, curves: AbstractCurve) -> Float[Array, " N"]:
        """The levels of `provide`, without the taxes."""

    @abstractmethod
    def deviation(
        self, curves: AbstractCurve, player: Array | int, types: Float[Array, "N k"]
    ) -> Callable[[Float[Array, ""]], Float[Array, ""]]:
        """The player's payoff as a function of the level that it brings about for itself, the others' `curves` given."""

    @property
    def continuous(self):
        return True

    def most(self):
        return self.top

    def bounds(self):
        return no_bounds(self.preferences)

    def said(self, numbers, types):
        return ShadedCurves(numbers, Frozen(self.preferences))(types)

    def handed_in(self, actions, types):
        del types
        return actions

    def outcome(self, reports):
        outcome = self.provide(reports)
        if is_concrete(outcome.found, outcome.built) and not bool(outcome.found):
            raise ClearingError(NEVER_CROSS)
        return outcome

    def situations(self, profile):
        del profile
        return self.preferences.joint_nodes()

    def expectations(self, profile):
        types, weights = self.type_nodes()

        def at_node(node):
            outcome = self.provide(profile(node))
            return self.payoffs(node, outcome), self.welfare(node, outcome)

        payoffs, welfare = jax.vmap(at_node)(types)
        return weights @ payoffs, weights @ welfare

    def initial_profile(self):
        return ShadedCurves(jnp.zeros(self.preferences.count), Frozen(self.preferences))

    def bind(self, profile):
        if not isinstance(profile, ShadedCurves):
            return profile
        return ShadedCurves(profile.shade, Frozen(self.preferences))

    def admissible(self, profile):
        del profile
        return self.preferences.concave()

    def prepared(self, profile):
        return profile

    def facing(self, profile, player, types):
        return self.deviation(profile(types), player, types)

    def own_report(self, profile, player, types):
        return self.consumed(profile(types))[player]

    def report_grid(self, profile, player, types):
        own = self.own_report(profile, player, types)
        wide = 4 * jnp.abs(own) + 1
        return jnp.linspace(jnp.zeros_like(own), jnp.where(jnp.isfinite(self.top), self.top, wide), GRID)


def mixed(own: ShadedCurves, others: ShadedCurves, player: Array) -> ShadedCurves:
    """The profile in which one player follows `own` and the rest `others`."""
    n = others.truth.value.count
    mine = jnp.arange(n) == player
    return ShadedCurves(jnp.where(mine, own.shade, others.shade), others.truth)


def truth_conditions(own: ShadedCurves) -> Float[Array, "N 1"]:
    """True less reported willingness to pay: the marginal payoff of the level where it would be chosen, for rules under
    which a player pays what its level costs the others."""
    return jnp.broadcast_to(own.shade, (own.truth.value.count,))[:, None]
