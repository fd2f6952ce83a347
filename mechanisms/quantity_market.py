r"""Cournot's game in the same market: each trader names one number instead of a schedule.

Traders, values and the outside side are those of `curve_market`, but trader i reports the quantity q_i, knowing its value
theta_i and the supply S (the day's catch lies on the floor). The price-taking outside, of slope b > 0, prices them:

    p = r - (S - sum_i q_i) / b                                                                         (1)

so that a unit more of demand raises the price by 1/b, against lambda_i = 1 / (sum of the others' slopes + b) when
reports are schedules: the poorer message makes the residual supply steeper and the market less competitive. The
Bayes-Nash condition, with the expectation over the others' values, is

    theta_i - c_i q_i - E[p | theta_i, S] - q_i / b = 0                                                  (2)

and its solution is affine in (theta_i, S). Source: Cournot (1838); with private values Vives (1999), chapter 8.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.strategies import AffineQuantity
from dcg_econ.mechanisms.market import GRID, AbstractMarket, MarketOutcome, with_own_value
from dcg_econ.priors import AbstractPrior, Fixed, Uniform, number, prior


class QuantityMarket(AbstractMarket):
    """N traders, quantities as reports, priced by the outside; fields as in `CurveMarket`, `outside_slope` above zero."""

    curvature: Array = eqx.field(converter=number("curvature"))
    values: AbstractPrior = eqx.field(converter=prior("values"), default_factory=lambda: Uniform(-1.0, 1.0))
    supply: AbstractPrior = eqx.field(converter=prior("supply"), default_factory=lambda: Fixed(0.0))
    outside_slope: Array = eqx.field(converter=number("outside_slope"), default=1.0)
    outside_price: Array = eqx.field(converter=number("outside_price"), default=0.0)

    def __check_init__(self):
        if is_concrete(self.outside_slope) and not bool(jnp.all(self.outside_slope > 0)):
            raise InputError("outside_slope", "zero", "quantities are priced by the outside: set it above zero")

    def spliced(self, own, player, others):
        return with_own_value(own, player, others)._replace(supply=own.supply)  # which everybody sees

    def known(self, types):
        return types.values, jnp.broadcast_to(types.supply, types.values.shape)

    def handed_in(self, actions, types):
        return actions, types.supply

    def outcome(self, reports):
        quantities, supply = reports
        price = self._price(jnp.sum(quantities), supply)
        outside = supply - jnp.sum(quantities)
        return MarketOutcome(price, quantities, outside, jnp.isfinite(price))

    def initial_profile(self):
        # Demand at the mean type if the outside alone set the price: near enough, since (2) is linear.
        weight = 1 / (self.curvature + 2 / self.outside_slope)
        return AffineQuantity(jnp.zeros_like(weight), weight, jnp.zeros_like(weight))

    def residuals(self, own, others):
        nodes = jnp.asarray(own.collocation(), self.curvature.dtype)

        def condition(node):
            value, supply = node
            quantity = own((jnp.full(self.curvature.shape, value), jnp.full(self.curvature.shape, supply)))
            mean = self._mean_quantities(others, supply)
            price = self._price(jnp.sum(mean) - mean + quantity, supply)
            return value - self.curvature * quantity - price - quantity / self.outside_slope  # (2)

        return jax.vmap(condition, out_axes=1)(nodes)

    def admissible(self, profile):
        return jnp.all(jnp.asarray(profile.weight) > 0)

    def facing(self, profile, player, types):
        mean = self._mean_quantities(profile, types.supply)
        others = jnp.sum(mean) - mean[player]

        def payoff(quantity):
            price = self._price(others + quantity, types.supply)
            return (types.values[player] - price) * quantity - 0.5 * self.curvature[player] * quantity**2

        return payoff

    def own_report(self, profile, player, types):
        return self.reports(profile, types)[0][player]

    def report_grid(self, profile, player, types):
        # Payoff is a parabola in the own quantity; its peak lies within this distance of zero.
        mean = self._mean_quantities(profile, types.supply)
        price = self._price(jnp.sum(mean) - mean[player], types.supply)
        own = jnp.abs(self.own_report(profile, player, types))
        width = own + jnp.abs(types.values[player] - price) / self.curvature[player] + 1e-9
        return jnp.linspace(-width, width, GRID)

    def no_equilibrium(self):
        return (
            "no equilibrium in affine quantities was found: check that `outside_slope` and `curvature` are above zero"
        )

    def selection(self, profile):
        del profile
        return "the Bayes-Nash equilibrium in affine quantities; best replies are affine, so it is the only affine one"

    def _price(self, quantity, supply):
        return self.outside_price - (supply - quantity) / self.outside_slope  # (1)

    def _mean_quantities(self, profile, supply):
        """E[q_j | S] of each trader by quadrature over its own value, shape (N,)."""
        nodes, weights = self.values.quadrature()
        n = self.curvature.shape[-1]
        values = jnp.broadcast_to(nodes.reshape(nodes.shape[0], -1), (nodes.shape[0], n))
        quantities = jax.vmap(lambda v: profile((v, jnp.broadcast_to(supply, (n,)))))(values)
        return weights @ quantities
