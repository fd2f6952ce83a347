r"""The provision point: the good is built if contributions reach its cost, with rules for too little and for too much.

Player i has w_i in money, values one unit of the good at v_i, which everybody knows, and gives g_i between 0 and w_i. With
G = sum_j g_j and a threshold T, the cost of the unit,

    G >= T:   level and payments by the rebate rule,        G < T:   no good, payments by the refund rule,        (1)

where the excess G - T is kept (no rebate), returned in proportion, t_i = g_i T / G (proportional rebate), or builds more of
the good, level G / T (utilization rebate), and missed contributions come back (full refund) or do not. What is paid above
cost is a budget surplus. In every equilibrium that provides, with either refund,

    G = T   and   g_i <= min(v_i, w_i) for all i:                                                          (2)

a giver is pivotal, so by giving nothing it loses v_i and saves g_i, whether or not there is a refund; and with G > T a giver
could give less (but for a sole giver whose excess a proportional rebate returns in full). Under utilization this is so while
v_i'(1) < T for all; a player above it builds on alone, which is not solved for. Any split that meets (2) is an equilibrium, so
there is one iff

    T <= sum_i min(v_i, w_i),                                                                             (3)

which is more than T <= sum v_i, efficiency, where somebody is poorer than keen. `solve` takes the split proportional to value,

    g_i = min(r v_i, w_i),   sum_i g_i = T,   with r <= 1 by (3).                                               (4)

Below T a profile is an equilibrium with full refund iff nobody can and wants to make up the gap T - sum_{j != i} g_j alone: it
exceeds w_i, or is v_i or more, for every i; nobody giving anything is one iff no player has both w_i >= T and v_i > T. Without
refund nobody giving is the only one that can be, since a giver would rather keep its money.

Sources: Bagnoli and Lipman (1989); for the rebate rules, Marks and Croson (1998).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.mechanisms.public_goods.costs import QuadraticCost
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.provision_rules import AbstractRebate, AbstractRefund, FullRefund, NoRebate
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood, PublicOutcome
from dcg_econ.priors import as_number, number

_GRID = 65  # contributions at which deviations are tried, besides the critical ones
_BESIDE = 1e-6  # how far beside the gap they are tried too, as a share of the threshold
_SLACK = 64  # roundings by which contributions may fall short of the threshold


class ProportionalContributions(AbstractStrategy):
    """Everybody gives `rate` () of what a unit is worth to it, or all it has: (4)."""

    rate: Array = eqx.field(converter=as_number)
    terms: Frozen  # preferences, endowments (N,)

    def __call__(self, known: Any) -> Float[Array, " N"]:
        preferences, endowments = self.terms.value
        wanted = self.rate * jnp.maximum(preferences.value(known, jnp.ones_like(endowments)), 0.0)
        return jnp.where(wanted < endowments, wanted, endowments)

    def check(self, players):
        if jnp.shape(self.rate) != () or self.terms.value[1].shape != (len(players),):
            raise InputError(
                "strategies",
                f"a rate of shape {jnp.shape(self.rate)} for {self.terms.value[1].shape[0]} players",
                "give one rate, by `contributions(rate)` of the mechanism",
            )

    def expand(self, players):
        return ProportionalContributions(jnp.broadcast_to(self.rate, (players,)), self.terms)

    def unknowns(self, residuals):
        return residuals[0]

    def table(self, players):
        preferences, endowments = self.terms.value
        types = preferences.at(jnp.zeros(()))
        value = preferences.value(types, jnp.ones_like(endowments))
        return {"contribution": np.asarray(self(types)), "value": np.asarray(value)}

    @property
    def replies_stay(self):
        return False


class ProvisionPoint(AbstractPublicGood):
    """N quasi-linear players with known values, a `threshold` in money, an `endowment` in money, and the two rules.

    Contributions within 64 roundings of the threshold meet it (1.4e-14 of it in 64 bits, 7.6e-6 in 32). With the linear
    preferences of one unit, `mpcr` is its value. Errors: a threshold of zero, or above what all have; an endowment of zero;
    preferences for which a fraction of a unit would be best, if there were one.
    """

    preferences: AbstractQuasiLinear
    threshold: Array = eqx.field(converter=number("threshold"), default=1.0)
    endowment: Array = eqx.field(converter=number("endowment"), default=1.0)
    refund: AbstractRefund = eqx.field(default_factory=FullRefund)
    rebate: AbstractRebate = eqx.field(default_factory=NoRebate)

    def __check_init__(self):
        if not isinstance(self.preferences, AbstractQuasiLinear):
            raise InputError(
                "preferences",
                f"{type(self.preferences).__name__} has income effects, and ProvisionPoint is for quasi-linear players",
                "give LinearPreferences, QuadraticPreferences or CurvePreferences",
            )
        if self.threshold.ndim:
            raise InputError("threshold", f"shape {self.threshold.shape}", "give one number; for many use jax.vmap")
        require_positive("threshold", self.threshold)
        if is_concrete(self.endowment) and not bool(jnp.all(self.endowment > 0)):
            raise InputError("endowment", "zero: there is nothing to give", "give every player money, above zero")
        wealth = jnp.sum(self.endowment) * (1 if self.endowment.ndim else self.preferences.count)
        if is_concrete(self.threshold, wealth) and not bool(self.threshold <= wealth * (1 + self.slack)):
            raise InputError(
                "threshold",
                f"{float(self.threshold):g} is above the endowments' sum, {float(wealth):g}: it cannot be reached",
                "lower it, or raise `endowment`",
            )
        whole = self.whole()
        if is_concrete(whole) and not bool(whole):
            raise InputError(
                "preferences",
                "a fraction of a unit would be best, and the first best of a good that comes in units is not looked for",
                "give LinearPreferences, `mpcr` the values of one unit",
            )

    @property  # type: ignore[misc]  # Equinox lets a property stand for an abstract variable
    def cost(self) -> QuadraticCost:  # type: ignore[override]
        return QuadraticCost(self.threshold)

    @property
    def continuous(self):
        return False

    @property
    def excludable(self):
        return False

    @property
    def slack(self) -> float:
        """By what share of the threshold contributions may miss it: their sum is rounded."""
        return _SLACK * float(jnp.finfo(self.threshold.dtype).eps)

    def most(self):
        return self.rebate.level(jnp.sum(self.endowments), self.threshold)

    def values(self) -> Float[Array, " N"]:
        """v of one unit, money, at mean types."""
        return self.preferences.value(self.preferences.at(jnp.zeros(())), jnp.ones_like(self.endowments))

    def whole(self) -> Bool[Array, ""]:
        """Whether the best level of a divisible good is none, or one unit or more: then it is that of this good."""
        total = self.preferences.curves(self.preferences.at(jnp.zeros(()))).total()
        return (total(jnp.zeros(())) <= self.threshold) | (total(jnp.ones(())) >= self.threshold)

    def contributions(self, rate: Array | float) -> ProportionalContributions:
        """The profile in which everybody gives `rate` of its value, or all it has; with 0 nobody gives anything."""
        return ProportionalContributions(rate, Frozen((self.preferences, self.endowments)))

    def bounds(self):
        return jnp.zeros_like(self.endowments), self.endowments

    def said(self, numbers, types):
        del types
        return numbers

    def handed_in(self, actions, types):
        del types
        return actions

    def outcome(self, reports):
        total = jnp.sum(reports)
        met = total >= self.threshold * (1 - self.slack)
        level = jnp.where(met, self.rebate.level(total, self.threshold), 0.0)
        paid = jnp.where(met, self.rebate.payments(reports, self.threshold), self.refund.payments(reports))
        edge = 1e-9 * (1 + jnp.abs(reports))
        inside = jnp.all((reports >= -edge) & (reports <= self.endowments + edge))
        return PublicOutcome(jnp.broadcast_to(level, reports.shape), paid, level, inside)

    def situations(self, profile):
        del profile
        return self.preferences.joint_nodes()

    def expectations(self, profile):
        self.require_certain()
        types = self.preferences.at(jnp.zeros(()))
        outcome = self.outcome(profile(types))
        return self.payoffs(types, outcome), self.welfare(types, outcome)

    def require_certain(self) -> None:
        """Raises `InputError` where a value is private: to be pivotal is then a matter of chance."""
        if not self.preferences.certain:
            raise InputError(
                "preferences",
                "private values, for which no equilibrium is in closed form",
                "give numbers in place of priors",
            )

    def initial_profile(self):
        self.require_certain()
        # The sum of (4) is concave in the rate, so that Newton from zero comes to the root without passing it.
        return self.contributions(0.0)

    def bind(self, profile):
        if not isinstance(profile, ProportionalContributions):
            return profile
        return self.contributions(profile.rate)

    def residuals(self, own, others):
        del others
        if not isinstance(own, ProportionalContributions):
            raise InputError(
                "strategies",
                f"{type(own).__name__}: best replies jump, and only the split in proportion to values is solved for",
                "start from `contributions(rate)`, and certify other profiles by dcg.regret",
            )
        given = jnp.sum(own(self.preferences.at(jnp.zeros(()))))
        return (given / self.threshold - 1)[None, None]

    def admissible(self, profile):
        given = profile(self.preferences.at(jnp.zeros(())))
        return jnp.all(given <= self.values() + self.slack * self.threshold) & self.whole()

    def prepared(self, profile):
        return profile

    def facing(self, profile, player, types):
        self.require_certain()
        given = profile(types)
        return lambda report: self.payoffs(types, self.outcome(given.at[player].set(report)))[player]

    def own_report(self, profile, player, types):
        return profile(types)[player]

    def report_grid(self, profile, player, types):
        given = profile(types)
        gap = self.threshold - jnp.sum(given.at[player].set(0.0))
        beside = gap + _BESIDE * self.threshold * jnp.array([-1.0, 0.0, 1.0])
        most = self.endowments[player]
        return jnp.sort(jnp.concatenate([jnp.linspace(0.0, most, _GRID), jnp.clip(beside, 0.0, most)]))

    def no_equilibrium(self):
        worth = float(jnp.sum(jnp.clip(self.values(), 0.0, self.endowments)))
        if worth < float(self.threshold):
            return (
                f"the players' values, each cut at the endowment, sum to {worth:g}, below the `threshold` of "
                f"{float(self.threshold):g}, so that in every equilibrium the good is not provided: lower the threshold, or "
                "raise `preferences` or `endowment`; `contributions(0.0)` is the profile in which nobody gives"
            )
        return (
            "no equilibrium with contributions that sum to the `threshold` was found: under UtilizationRebate nobody's "
            "marginal value of a second unit may exceed it (take NoRebate or ProportionalRebate, or raise it); else start "
            "from `contributions(0.0)`"
        )

    def selection(self, profile):
        del profile
        return (
            "the good is provided, by contributions in proportion to values and cut at endowments; so it is by any that "
            "sum to the threshold and exceed nobody's value, and nobody giving may be an equilibrium too"
        )
