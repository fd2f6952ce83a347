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

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import ClearingError, InputError, is_concrete
from dcg_econ.agents.strategies import ProportionalDemand
from dcg_econ.equilibrium.clearing import clear
from dcg_econ.mechanisms.market import GRID, AbstractMarket, MarketOutcome
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
    price_bounds: tuple[Array, Array] = eqx.field(converter=lambda pair: _bounds(pair), default=(-jnp.inf, jnp.inf))

    def __check_init__(self):
        low, high = self.price_bounds
        if is_concrete(low, high) and not bool(jnp.all(low < high)):
            raise InputError("price_bounds", f"({low}, {high}) is empty", "give (low, high) with low < high")

    def known(self, types):
        return types.values

    def handed_in(self, actions, types):
        return MarketReports(actions, types.supply)

    def outcome(self, reports):
        total = reports.schedules.total()
        low, high = self.price_bounds

        def excess(p):
            return total(p) + self.outside_slope * (self.outside_price - p) - reports.supply

        guess = self.walras_price(self.values.mean(), reports.supply)
        price, found = clear(excess, guess, low, high)
        cleared = found & (price >= low) & (price <= high)
        if is_concrete(cleared, price) and not bool(cleared):
            raise ClearingError(
                f"the market has no clearing price in [{float(low):g}, {float(high):g}]: demand leaves "
                f"{float(excess(price)):+.4g} units at {float(price):.4g}; widen `price_bounds`, change `supply`, or "
                "make schedules fall in price"
            )
        return MarketOutcome(
            price, reports.schedules(price), self.outside_slope * (self.outside_price - price), cleared
        )

    def initial_profile(self):
        return ProportionalDemand(1 / self.curvature)

    def residuals(self, own, others):
        nodes = jnp.asarray(own.collocation(), self.curvature.dtype)
        slopes = jnp.broadcast_to(others.slope, self.curvature.shape)
        impact = 1 / (jnp.sum(slopes) - slopes + self.outside_slope)

        def condition(node):
            value, price = node
            demand = own(jnp.full(self.curvature.shape, value))(price)
            # (2) as best reply minus report, in units of money: monotone in the slopes, which Newton needs.
            return self.curvature * ((value - price) / (self.curvature + impact) - demand)

        return jax.vmap(condition, out_axes=1)(nodes)

    def admissible(self, profile):
        return jnp.all(jnp.asarray(profile.slope) * self.curvature > 1e-6)

    def interim_payoff(self, profile, player, types, report):
        # The report is a perfectly elastic schedule at a price: it takes whatever the others leave there. One such
        # price for every state of the world is all that any schedule can achieve, so the gain is ex post.
        schedules = profile(types.values)
        others = jnp.sum(schedules(report)) - schedules(report)[player]
        q = types.supply - self.outside_slope * (self.outside_price - report) - others
        return (types.values[player] - report) * q - 0.5 * self.curvature[player] * q**2

    def own_report(self, profile, player, types):
        del player
        return self.outcome(self.reports(profile, types)).price

    def report_grid(self, profile, player, types):
        outcome = self.outcome(self.reports(profile, types))
        slopes = profile(types.values).slope(outcome.price)
        residual_slope = jnp.abs(self.outside_slope - (jnp.sum(slopes) - slopes[player])) + 1e-12
        q = jnp.abs(outcome.quantities[player])
        width = jnp.abs(types.values[player] - outcome.price) + 2 * q / residual_slope + self.curvature[player] * q
        low, high = self.price_bounds
        wide = jnp.maximum(width, 1e-9 * (1 + jnp.abs(outcome.price)))
        bounded = jnp.isfinite(low) & jnp.isfinite(high)
        low, high = jnp.where(bounded, low, outcome.price - wide), jnp.where(bounded, high, outcome.price + wide)
        return jnp.linspace(low, high, GRID)

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


def _bounds(pair) -> tuple[Array, Array]:
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise InputError("price_bounds", f"{pair!r} is no pair", "give (low, high)") from None
    return number("price_bounds")(low), number("price_bounds")(high)
