r"""Bargaining over a divisible good in whole curves: a buyer hands in a demand schedule, a seller a supply schedule.

The buyer values q units at v q - c_b q^2 / 2 and knows v; q units cost the seller s q + c_s q^2 / 2, and it knows s. A
price-taking fringe demands b (r - p). This is the two-trader case of `curve_market`: the seller is a trader of value s who
buys -q. The schedules D(p) = beta (v - p) and -S(p) = sigma (s - p) and the fringe clear at the price

    p = (beta v + sigma s + b r) / (beta + sigma + b).                                                  (1)

Each side is the other's residual monopolist. A selfish side sets its slope to the best reply, whatever the other's type
(the equilibrium is ex post); a side that is committed to honesty hands in its true marginal value or cost:

    selfish: beta = 1 / (c_b + 1 / (sigma + b)), sigma = 1 / (c_s + 1 / (beta + b));  honest: beta = 1/c_b, sigma = 1/c_s. (2)

With b = 0 and two selfish sides, 1/beta = c_b + 1/sigma and 1/sigma = c_s + 1/beta contradict each other: no equilibrium
in affine schedules has trade. Otherwise

    b > 0, no commitment:  1/beta  = c_b/2 + sqrt(c_b^2/4 + (c_b + c_s + b c_b c_s) / (b (2 + b c_s)))       (3)
                           1/sigma = c_s/2 + sqrt(c_s^2/4 + (c_b + c_s + b c_b c_s) / (b (2 + b c_b)))
    honest seller:         1/beta  = c_b + c_s / (1 + b c_s)         honest buyer: 1/sigma = c_s + c_b / (1 + b c_b)  (4)

and with quantities q_b = beta (v - p) and q_s = sigma (s - p) < 0 the payoffs are

    q_b^2 (1/beta - c_b/2),     q_s^2 (1/sigma - c_s/2).                                                  (5)

Without a fringe q = (v - s) / (1/beta + 1/sigma), and first best is (v - s)^2 / (2 (c_b + c_s)), which both honest reach.
An honest seller facing a monopsonist leaves the efficiency 1 - (c_s / (c_b + 2 c_s))^2, an honest buyer facing a
monopolist 1 - (c_b / (2 c_b + c_s))^2: 8/9 at equal curvatures.

Trade is two-directional: schedules are not cut at zero, and where v < s the seller buys. With costs <= r <= values the
price (1) lies between s and v and that never happens, which the default priors see to; priors whose supports overlap are
taken, with a warning.

Sources: (2) Klemperer and Meyer (1989); no trade between two Kyle (1989), Rostek and Weretka (2012); (3) and (4) by
elimination from (2).
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.strategies import ProportionalDemand
from dcg_econ.mechanisms.curve_market import (
    deviation_prices,
    price_impact,
    price_pair,
    require_interval,
    residual_payoff,
    schedule_conditions,
    settle,
)
from dcg_econ.mechanisms.market import AbstractExchange, with_own_value
from dcg_econ.messages.curve import AbstractCurve, AffineCurve
from dcg_econ.priors import AbstractBoundedPrior, AbstractPrior, Fixed, Uniform, number, prior

_SMALLEST = 1e-6  # of the honest slope: a schedule flatter in quantity than this is no trade, not an equilibrium


class AbstractCommitment(eqx.Module):
    """Who is bound to hand in its true schedule."""

    @property
    @abstractmethod
    def honest(self) -> tuple[bool, bool]:
        """Whether the buyer is, and whether the seller is."""


class NoCommitment(AbstractCommitment):
    """Both sides hand in what they like."""

    @property
    def honest(self):
        return False, False


class HonestBuyer(AbstractCommitment):
    """The buyer's demand is its true marginal value: it faces a monopolist."""

    @property
    def honest(self):
        return True, False


class HonestSeller(AbstractCommitment):
    """The seller's supply is its true marginal cost: it faces a monopsonist."""

    @property
    def honest(self):
        return False, True


class HonestBoth(AbstractCommitment):
    """Both schedules are true: the competitive outcome, first best."""

    @property
    def honest(self):
        return True, True


def as_commitment(value: Any) -> AbstractCommitment:
    """A converter for `commitment`; raises `InputError` for anything else."""
    if not isinstance(value, AbstractCommitment):
        remedy = "give NoCommitment(), HonestBuyer(), HonestSeller() or HonestBoth()"
        raise InputError("commitment", f"{value!r} is none", remedy)
    return value


class UpheldSchedules(eqx.Module):
    """The two schedules that count: of a committed side the true one, whatever it handed in."""

    handed: AbstractCurve
    true: AffineCurve
    honest: tuple[bool, bool] = eqx.field(static=True)

    def __call__(self, price: Array) -> Array:
        """The quantities (2,) bought at `price`, the seller's negative."""
        return jnp.where(jnp.asarray(self.honest), self.true(price), self.handed(price))

    def slope(self, price: Array) -> Array:
        """dq/dp of both (2,)."""
        return jnp.where(jnp.asarray(self.honest), self.true.slope(price), self.handed.slope(price))


class BargainingReports(NamedTuple):
    """The two schedules, the buyer's first."""

    schedules: UpheldSchedules


class CurveBargaining(AbstractExchange):  # type: ignore[misc]  # `supply` has no place among the fields
    """A buyer and a seller of a divisible good, schedules as reports, one price; see the head of this file.

    `values`, `costs`: priors of v and s, money per unit. `curvature` (2,): c_b and c_s, money per unit squared.
    `outside_slope` b >= 0, units per money, and `outside_price` r, at which the fringe trades nothing. `commitment`: who
    is bound to honesty. `price_bounds`: prices outside are refused as a clearing price. A committed side has no
    deviation, hence no regret. Warns where a cost can exceed a value, since the seller then buys.
    """

    values: AbstractPrior = eqx.field(converter=prior("values"), default_factory=lambda: Uniform(2.0, 3.0))
    costs: AbstractPrior = eqx.field(converter=prior("costs"), default_factory=lambda: Uniform(0.0, 1.0))
    curvature: Array = eqx.field(converter=number("curvature"), default=(1.0, 1.0))
    outside_slope: Array = eqx.field(converter=number("outside_slope"), default=0.0)
    outside_price: Array = eqx.field(converter=number("outside_price"), default=1.5)
    commitment: AbstractCommitment = eqx.field(converter=as_commitment, default_factory=NoCommitment)
    price_bounds: tuple[Array, Array] = eqx.field(converter=price_pair, default=(-jnp.inf, jnp.inf))

    def __check_init__(self):
        if self.curvature.shape != (2,):
            raise InputError("curvature", f"shape {self.curvature.shape}", "give two numbers, the buyer's first")
        for field in ("values", "costs"):
            if jnp.shape(getattr(self, field).mean()) != ():
                raise InputError(field, f"shape {jnp.shape(getattr(self, field).mean())}", "give one number or prior")
        require_interval(self.price_bounds)
        _check_direction(self.values, self.costs)

    @property  # type: ignore[misc]  # Equinox lets a property stand for an abstract variable
    def supply(self) -> AbstractPrior:  # type: ignore[override]
        """Nothing is on offer but what the seller makes."""
        return Fixed(jnp.zeros((), self.curvature.dtype))

    @property
    def players(self):
        return "buyer", "seller"

    def sample_values(self, key):
        value_key, cost_key = jax.random.split(key)
        return jnp.stack([self.values.sample(value_key, ()), self.costs.sample(cost_key, ())])

    def value_moments(self):
        sides = self.values, self.costs
        return jnp.stack([side.mean() for side in sides]), jnp.stack([side.std() for side in sides])

    def spliced(self, own, player, others):
        return with_own_value(own, player, others)

    def known(self, types):
        return types.values

    def handed_in(self, actions, types):
        return BargainingReports(self._upheld(actions, types))

    def outcome(self, reports):
        schedules = reports.schedules

        def total(p):
            return jnp.sum(schedules(p))

        return settle(self, self.price_bounds, schedules, total, self.supply.mean(), "widen `price_bounds`")

    def initial_profile(self):
        return ProportionalDemand(1 / self.curvature)

    def residuals(self, own, others):
        honest = jnp.asarray(self.commitment.honest)
        slopes = jnp.where(honest, 1 / self.curvature, others.slope)
        # Honesty is to behave as if one's own quantity did not move the price.
        impact = jnp.where(honest, 0.0, price_impact(slopes, self.outside_slope))
        return schedule_conditions(own, self.curvature, impact)  # (2)

    def admissible(self, profile):
        return jnp.all(jnp.asarray(profile.slope) * self.curvature > _SMALLEST)

    def facing(self, profile, player, types):
        schedules = self._upheld(profile(types.values), types)
        return lambda price: residual_payoff(self, schedules, player, types, price)

    def own_report(self, profile, player, types):
        del player
        return self.outcome(self.reports(profile, types)).price

    def report_grid(self, profile, player, types):
        reports = self.reports(profile, types)
        outcome = self.outcome(reports)
        slopes = reports.schedules.slope(outcome.price)
        prices = deviation_prices(self, self.price_bounds, slopes, player, types, outcome)
        # A committed side can do nothing else than what it does.
        return jnp.where(jnp.asarray(self.commitment.honest)[player], outcome.price, prices)

    def no_equilibrium(self):
        selfish = not any(self.commitment.honest)
        if selfish and is_concrete(self.outside_slope) and not bool(jnp.any(self.outside_slope > 0)):
            return (
                "no equilibrium with trade exists for two selfish parties and no outside demand, each the other's only "
                "counterpart: set `outside_slope` above zero, or give a `commitment` such as HonestSeller()"
            )
        return (
            "no equilibrium in affine schedules was found: give `strategies` with one slope a party, start nearer, "
            "raise `outside_slope`, or check `curvature`"
        )

    def selection(self, profile):
        del profile
        return "the equilibrium in affine schedules, unique in its class; where types are certain there are others"

    def _upheld(self, schedules, types):
        true = ProportionalDemand(1 / self.curvature)(types.values)
        return UpheldSchedules(schedules, true, self.commitment.honest)


def _check_direction(values: AbstractPrior, costs: AbstractPrior) -> None:
    """Refuses priors between which no trade is possible, and warns where it can go the other way."""
    if not is_concrete(values, costs):
        return
    (least_value, most_value), (least_cost, most_cost) = _range(values), _range(costs)
    if most_value <= least_cost:
        raise InputError(
            "values",
            f"no value exceeds {most_value:g} and no cost is below {least_cost:g}: no trade is possible",
            "raise the values or lower the costs",
        )
    if least_value < most_cost:
        warnings.warn(
            f"costs reach {most_cost:g} and values {least_value:g}: where the cost exceeds the value the seller buys; "
            "keep `costs` below `values` to have the buyer buy always",
            stacklevel=2,
        )


def _range(side: AbstractPrior) -> tuple[float, float]:
    """The least and the largest type; for a prior without bounds, of its quadrature nodes."""
    low, high = side.support() if isinstance(side, AbstractBoundedPrior) else _ends(side.quadrature()[0])
    return float(low), float(high)


def _ends(nodes: Array) -> tuple[Array, Array]:
    return jnp.min(nodes), jnp.max(nodes)
