"""Bids and asks as a smooth path in time: price, the value that bids it and the cost that asks it, in Chebyshev series.

Near the lowest and the highest price at which trade is possible, bid functions of general equilibria have no Taylor
series in the price (the cost grows like a fractional power of it), but all three coordinates approach their ends like
exponentials of a well-chosen time. In that time Chebyshev series converge geometrically.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ.agents.bids import AbstractBidCurves, Path, require_sides, sides_of
from dcg_econ.agents.chebyshev import collocation, derivative, series
from dcg_econ.agents.frozen import Frozen

_SHOWN = 513  # points of the table from which inverses start
_KINKS = 33  # moments between which the path is integrated; dense at the ends in price
_FLAT = 1e-8  # slope of the reports of the few types beyond one end, who trade almost surely
_BEYOND = ((1.0, 1 / _FLAT), (1 / _FLAT, 1.0))  # types per price before and after the span: of buyers, of sellers


class SmoothBids(AbstractBidCurves):
    """Path of equal reports: `coefficients` (3, q), Chebyshev series of price, value and cost in time.

    `given`, not solved for: the start (price, value, cost) at time zero, which tells which of the equilibria is meant,
    and the span of time (3,), see `times`. Types beyond its ends hardly trade: buyers of lower value bid what they
    need to lose, sellers of higher cost likewise; the few beyond the other ends report almost what the last one does.
    """

    coefficients: Float[Array, "3 q"]
    given: Frozen

    def at(self, moments: Array) -> Float[Array, "3 ..."]:
        """Price, value and cost at `moments` in [-1, 1], the span of time rescaled."""
        return jax.vmap(lambda row: series(row, moments))(self.coefficients)

    def report(self, side, types):
        return self.clock(self.moment_of(side, types))[0]

    def clock(self, moment):
        inside, beyond = jnp.clip(moment, -1, 1), moment - jnp.clip(moment, -1, 1)
        row = self.coefficients[0]
        return series(row, inside) + beyond, jnp.where(beyond == 0, series(derivative(row), inside), 1.0)

    def moment(self, price):
        return self._moment(0, price, (1.0, 1.0))

    def moment_of(self, side, types):
        return self._moment(1 + side, types, _BEYOND[side])

    def type_at(self, side, moment):
        inside = jnp.clip(moment, -1, 1)
        before, after = _BEYOND[side]
        types = series(self.coefficients[1 + side], inside)
        return types + before * jnp.minimum(moment + 1, 0) + after * jnp.maximum(moment - 1, 0)

    def share_at(self, side, moment, prior):
        return prior.cdf(self.type_at(side, moment))

    def share_below(self, side, moment, prior):
        return self.share_at(side, moment, prior)

    def kinks(self, side, low, high):
        return jnp.concatenate([self.moment_of(side, jnp.stack([low, high])), jnp.linspace(-1, 1, _KINKS)])

    @property
    def nodes(self):
        return 8

    def breaks(self, side, low, high):
        return jnp.clip(self.at(jnp.linspace(-1, 1, _KINKS))[1 + side], low, high)

    def path(self, lowest_cost, highest_value):
        del lowest_cost, highest_value
        points, values, slopes = collocation(self.coefficients.shape[1])
        _, span = self.given.value
        price, value, cost = self.coefficients @ values
        return Path(price, value, cost, *(self.coefficients @ slopes / times(points, span)[1]))

    def increasing(self):
        _, _, _, *speeds = self.path(0.0, 1.0)
        return jnp.all(jnp.stack(speeds) > 0)

    def check(self, players):
        require_sides(players)

    def unknowns(self, residuals):
        path, (mark, span) = self.path(0.0, 1.0), self.given.value
        bid_shading, ask_shading = path.value - path.price, path.price - path.cost
        pace = path.d_price - bid_shading * ask_shading / (bid_shading + ask_shading)
        now = self.at(moment_at_zero(span)) - mark
        return jnp.concatenate([residuals.ravel(), pace, now])

    def table(self, players):
        low, high = np.asarray(self.at(jnp.array([-1.0, 1.0])))[0]
        n = len(players)
        return {"lowest price": np.full(n, low), "highest price": np.full(n, high)} | {
            "mark-up": np.asarray(jnp.abs(self.given.value[0][1:] - self.given.value[0][0]))[sides_of(players)]
        }

    @property
    def replies_stay(self):
        return False

    @property
    def selection(self):
        return (
            "the smooth equilibrium through the start's value and cost at the start's price, which stay fixed in derivatives "
            "too; others have other mark-ups there, and step functions are equilibria as well"
        )

    def _moment(self, row, target, beyond):
        """When the coordinate `row` has the value `target`; `beyond`: its speeds before and after the span."""
        course, grid = self.coefficients[row], jnp.linspace(-1, 1, _SHOWN)
        table, slope = series(course, grid), derivative(course)
        inside = jnp.clip(target, table[0], table[-1])
        moment = jax.lax.stop_gradient(jnp.interp(inside, table, grid))
        # From a table so fine two steps reach rounding and carry the first two derivatives; an Optimistix loop inside two
        # maps and two derivatives took minutes to compile.
        for _ in range(2):
            moment = jnp.clip(moment - (series(course, moment) - inside) / series(slope, moment), -1, 1)
        before, after = beyond
        return moment + jnp.minimum(target - table[0], 0) / before + jnp.maximum(target - table[-1], 0) / after


def times(moments: Array | np.ndarray, span: Array) -> tuple[Array, Array]:
    """Time at moments in [-1, 1], and its derivative: the larger the stretch, the slower in the middle.

    `span` (3,): when the path starts and ends, and the stretch, above zero.
    """
    start, end, stretch = span
    half = 0.5 * (end - start) / jnp.sinh(stretch)
    return 0.5 * (start + end) + half * jnp.sinh(stretch * moments), half * stretch * jnp.cosh(stretch * moments)


def moment_at_zero(span: Array) -> Array:
    """The moment of time zero, the inverse of `times` there."""
    start, end, stretch = span
    return jnp.arcsinh(-(start + end) / (end - start) * jnp.sinh(stretch)) / stretch
