r"""A uniform-price market in which N traders hand in whole demand schedules.

Trader i values q units at theta_i q - c_i q^2 / 2, knows theta_i, and reports a schedule D_i(p). A price-taking outside
side demands b (r - p), and S units are on offer. The price clears

    sum_i D_i(p) + b (r - p) = S                                                                        (1)

and trader i pays p D_i(p). A trader who faces residual supply of slope 1/lambda_i chooses, at every price,

    theta_i - p - (c_i + lambda_i) D_i(p) = 0,     lambda_i = 1 / (sum_{j != i} s_j + b),                  (2)

where s_j = -D_j'. (2) holds whatever the others' types and the supply turn out to be: the equilibrium in affine schedules
is ex post. Its slopes solve s_i = 1 / (c_i + lambda_i). With equal curvature c and b = 0 the slope is
(N-2) / ((N-1) c): no equilibrium with trade exists for N = 2. First best is the Walrasian allocation, the same with
lambda_i = 0. Special numbers give Kyle (1989) and Rostek and Weretka (2012) (S random, b = 0), Wilson's (1979) share
auction (S fixed, b = 0; Ausubel et al. 2014), and Klemperer and Meyer's (1989) supply functions (S = 0, firms are traders
who buy negative amounts: c the slope of marginal cost, theta its intercept, b the slope of demand and r its choke price).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import ClearingError, InputError, is_concrete
from dcg_econ.agents.strategies import AbstractCoefficients, ProportionalDemand
from dcg_econ.equilibrium.clearing import clear
from dcg_econ.mechanisms.market import (
    GRID,
    AbstractExchange,
    AbstractMarket,
    MarketOutcome,
    MarketTypes,
    with_own_value,
)
from dcg_econ.messages.curve import AbstractCurve
from dcg_econ.priors import AbstractPrior, Fixed, Uniform, number, prior


class MarketReports(NamedTuple):
    """One schedule for each trader, batched over N, and the quantity on offer ()."""

    schedules: AbstractCurve
    supply: Array


class CurveMarket(AbstractMarket):
    """N traders, demand schedules as reports, one price; see the head of this file.

    `curvature` (N,): slope of marginal value, money per unit squared. `values`: prior of the private values.
    `supply`: a number or a prior. `outside_slope` b >= 0, units per money, and `outside_price` r, at which the outside
    trades nothing. `price_bounds`: prices outside are refused as a clearing price.
    """

    curvature: Array = eqx.field(converter=number("curvature"))
    values: AbstractPrior = eqx.field(converter=prior("values"), default_factory=lambda: Uniform(-1.0, 1.0))
    supply: AbstractPrior = eqx.field(converter=prior("supply"), default_factory=lambda: Fixed(0.0))
    outside_slope: Array = eqx.field(converter=number("outside_slope"), default=0.0)
    outside_price: Array = eqx.field(converter=number("outside_price"), default=0.0)
    price_bounds: tuple[Array, Array] = eqx.field(converter=lambda pair: price_pair(pair), default=(-jnp.inf, jnp.inf))

    def __check_init__(self):
        require_interval(self.price_bounds)

    def spliced(self, own, player, others):
        return with_own_value(own, player, others)

    def known(self, types):
        return types.values

    def handed_in(self, actions, types):
        return MarketReports(actions, types.supply)

    def outcome(self, reports):
        schedules, supply = reports
        remedies = "widen `price_bounds`, change `supply`"
        return settle(self, self.price_bounds, schedules, schedules.total(), supply, remedies)

    def initial_profile(self):
        return ProportionalDemand(1 / self.curvature)

    def residuals(self, own, others):
        slopes = jnp.broadcast_to(others.slope, self.curvature.shape)
        return schedule_conditions(own, self.curvature, price_impact(slopes, self.outside_slope))

    def admissible(self, profile):
        return jnp.all(jnp.asarray(profile.slope) * self.curvature > 1e-6)

    def facing(self, profile, player, types):
        schedules = profile(types.values)
        return lambda price: residual_payoff(self, schedules, player, types, price)

    def own_report(self, profile, player, types):
        del player
        return self.outcome(self.reports(profile, types)).price

    def report_grid(self, profile, player, types):
        outcome = self.outcome(self.reports(profile, types))
        slopes = profile(types.values).slope(outcome.price)
        return deviation_prices(self, self.price_bounds, slopes, player, types, outcome)

    def no_equilibrium(self):
        if len(self.players) == 2 and is_concrete(self.outside_slope) and not bool(jnp.any(self.outside_slope > 0)):
            return "no equilibrium with trade exists for two traders and no outside demand: add a trader or `outside_slope`"
        return (
            "no equilibrium in affine schedules was found: check `curvature` (unequal curvatures need one slope a "
            "trader), add a trader or `outside_slope`, or start nearer with `strategies=`"
        )

    def selection(self, profile):
        del profile
        return "the equilibrium in affine schedules, unique in its class; with no noise in supply there are others"


def settle(
    market: AbstractExchange,
    bounds: tuple[Array, Array],
    schedules: Callable[[Array], Array],
    total: Callable[[Array], Array],
    supply: Array,
    remedies: str,
) -> MarketOutcome:
    """Clears (1): `schedules` gives quantities (N,) at a price, `total` their sum.

    Raises `ClearingError`, which names the `remedies`, where a single concrete market has no price inside `bounds`.
    """
    low, high = bounds

    def excess(p):
        return total(p) + market.outside_slope * (market.outside_price - p) - supply

    guess = market.walras_price(market.value_moments()[0], supply)
    price, found = clear(excess, guess, low, high)
    cleared = found & (price >= low) & (price <= high)
    if is_concrete(cleared, price) and not bool(cleared):
        raise ClearingError(
            f"the market has no clearing price in [{float(low):g}, {float(high):g}]: demand leaves "
            f"{float(excess(price)):+.4g} units at {float(price):.4g}; {remedies}, or make schedules fall in price"
        )
    return MarketOutcome(price, schedules(price), market.outside_slope * (market.outside_price - price), cleared)


def price_impact(slopes: Float[Array, " N"], outside_slope: Float[Array, ""]) -> Float[Array, " N"]:
    """Each party's lambda in (2), from everybody's slope."""
    return 1 / (jnp.sum(slopes) - slopes + outside_slope)


def schedule_conditions(
    own: AbstractCoefficients, curvature: Float[Array, " N"], impact: Float[Array, " N"]
) -> Float[Array, "N m"]:
    """(2) at the collocation nodes of affine schedules, as best reply minus report in units of money: monotone in the
    slopes, which Newton needs."""
    nodes = jnp.asarray(own.collocation(), curvature.dtype)

    def condition(node):
        value, price = node
        demand = own(jnp.full(curvature.shape, value))(price)
        return curvature * ((value - price) / (curvature + impact) - demand)

    return jax.vmap(condition, out_axes=1)(nodes)


def residual_payoff(
    market: AbstractExchange, schedules: Callable[[Array], Array], player: Array | int, types: MarketTypes, price: Array
) -> Float[Array, ""]:
    """What the player earns by taking, at this price, whatever the others' `schedules` leave there.

    The report is a perfectly elastic schedule at a price. One such price for every state of the world is all that any
    schedule can achieve, so the gain is ex post.
    """
    quantities = schedules(price)
    others = jnp.sum(quantities) - quantities[player]
    q = types.supply - market.outside_slope * (market.outside_price - price) - others
    return (types.values[player] - price) * q - 0.5 * market.curvature[player] * q**2


def deviation_prices(
    market: AbstractExchange,
    bounds: tuple[Array, Array],
    slopes: Float[Array, " N"],
    player: Array,
    types: MarketTypes,
    outcome: MarketOutcome,
) -> Float[Array, " r"]:
    """Prices among which the best one for the player lies, from the `slopes` (dq/dp) of all at the `outcome`."""
    residual_slope = jnp.abs(market.outside_slope - (jnp.sum(slopes) - slopes[player])) + 1e-12
    q = jnp.abs(outcome.quantities[player])
    width = jnp.abs(types.values[player] - outcome.price) + 2 * q / residual_slope + market.curvature[player] * q
    low, high = bounds
    wide = jnp.maximum(width, 1e-9 * (1 + jnp.abs(outcome.price)))
    bounded = jnp.isfinite(low) & jnp.isfinite(high)
    low, high = jnp.where(bounded, low, outcome.price - wide), jnp.where(bounded, high, outcome.price + wide)
    return jnp.linspace(low, high, GRID)


def require_interval(bounds: tuple[Array, Array]) -> None:
    """Raises `InputError` where concrete price bounds hold no price between them."""
    low, high = bounds
    if is_concrete(low, high) and not bool(jnp.all(low < high)):
        raise InputError("price_bounds", f"({low}, {high}) is empty", "give (low, high) with low < high")


def price_pair(pair: Any) -> tuple[Array, Array]:
    """A converter for `price_bounds`: two numbers; raises `InputError` for anything else."""
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise InputError("price_bounds", f"{pair!r} is no pair", "give (low, high)") from None
    return number("price_bounds")(low), number("price_bounds")(high)
