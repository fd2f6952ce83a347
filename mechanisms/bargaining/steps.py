r"""Step-function equilibria of the k-double auction with one buyer and one seller (Leininger, Linhart and Radner 1989).

All bids and asks are among prices p_1 < ... < p_q. Buyers bid p_j from the value x_j on, up to x_{j+1}; sellers ask p_j
from above the cost y_{j-1} up to y_j; lower values and higher costs stay out. With F of values, G of costs,
g_j = G(y_j) - G(y_{j-1}) the chance of the ask p_j and f_j = F(x_{j+1}) - F(x_j) that of the bid p_j (G(y_0) = 0,
F(x_{q+1}) = 1), a bid p_j and an ask p_j earn in expectation

    sum_{l <= j} g_l (v - k p_j - (1-k) p_l)     and     sum_{l >= j} f_l (k p_l + (1-k) p_j - c).        (1)

A bid between two prices costs more than the lower one and buys nothing more, so that among all bids those of (1) are best,
and where thresholds increase it is enough that the types at them are indifferent between neighbouring prices:

    g_j (x_j - p_j) = k (p_j - p_{j-1}) G(y_{j-1}),                        x_1 = p_1,                      (2)
    f_j (p_j - y_j) = (1-k) (p_{j+1} - p_j) (1 - F(x_{j+1})),              y_q = p_q.                      (3)

One price is a posted price: x_1 = y_1 = p_1. With many prices close together (2) and (3) become the differential equations
of smooth bids. Not every list of prices has an equilibrium: the chances f_j and g_j that solve (2) and (3) must be above zero.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete
from dcg_econ.agents.bids import StepBids
from dcg_econ.equilibrium.linear import Tolerant
from dcg_econ.equilibrium.tolerances import residual_tolerance, step_tolerance
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.priors import number

_STEPS = 256  # of the root finder
_AWAY = (
    0.8  # times the weight in the price of the own report: where a threshold starts between its price and the last type
)


def step_bids(auction: DoubleAuction, prices: ArrayLike) -> StepBids:
    """The equilibrium of `auction` in which all trade is at `prices` (q,) or () and weighted means of two of them.

    Differentiable in k, in the prices and in the parameters of the priors. Raises `InputError` for several traders a side
    and for prices that do not increase inside the range of possible trade, `EquilibriumError` where (2) and (3) of the
    file's head have no solution in which every price is bid and asked; under `jax.vmap`, `jax.jit` or a derivative such a
    lane is NaN.
    """
    prices = jnp.atleast_1d(number("prices")(prices))
    _check(auction, prices)
    values, costs, good = _thresholds(auction, prices)
    if is_concrete(good) and not bool(good):
        raise EquilibriumError(
            f"no step functions in which each of the prices {prices} is bid and asked were found: move the prices apart "
            "or towards the middle of the prices at which trade is efficient, or give fewer of them"
        )
    values, costs = (jnp.where(good, x, jnp.nan) for x in (values, costs))
    return StepBids(prices, values, costs, jnp.stack(_range(auction)))


def _range(auction: DoubleAuction) -> tuple[Array, Array]:
    """The lowest cost and the highest value: trade is possible at prices between them."""
    return auction.costs.support()[0], auction.values.support()[1]


def _check(auction: DoubleAuction, prices: Array) -> None:
    if (auction.buyers, auction.sellers) != (1, 1):
        raise InputError(
            "auction",
            f"{auction.buyers} buyers and {auction.sellers} sellers",
            "step functions with ties among several traders are not covered: use one buyer and one seller",
        )
    if prices.ndim != 1 or prices.shape[0] == 0:
        raise InputError("prices", f"shape {prices.shape}", "give one price or a list of them")
    low, high = _range(auction)
    if is_concrete(prices) and not bool(jnp.all(jnp.diff(prices) > 0)):
        raise InputError("prices", f"{prices} do not increase", "give them from low to high, each once")
    if is_concrete(prices, low, high) and not bool((low < prices[0]) & (prices[-1] < high)):
        raise InputError(
            "prices", f"{prices} leave the range of possible trade", f"stay between {float(low):g} and {float(high):g}"
        )


@eqx.filter_jit
def _thresholds(
    auction: DoubleAuction, prices: Array
) -> tuple[Float[Array, " q"], Float[Array, " q"], Bool[Array, ""]]:
    """Solves (2) and (3): the thresholds of value and of cost, and whether they make an equilibrium."""
    q, unit = prices.shape[0], step_tolerance(prices.dtype)
    low, high = _range(auction)
    if q == 1:
        return prices, prices, (low < prices[0]) & (prices[0] < high)

    def full(inner, prices):
        return prices.at[1:].set(inner[0]), prices.at[:-1].set(inner[1])

    def conditions(inner, given):
        auction, prices = given
        return _indifference(auction, prices, *full(inner, prices))

    start = jnp.stack(
        [
            prices[1:] + _AWAY * auction.k * (high - prices[1:]),
            prices[:-1] - _AWAY * (1 - auction.k) * (prices[:-1] - low),
        ]
    )
    solver = optx.LevenbergMarquardt(unit, unit, linear_solver=lx.AutoLinearSolver(well_posed=None))
    adjoint = optx.ImplicitAdjoint(linear_solver=Tolerant())
    sol = optx.root_find(
        conditions, solver, start, args=(auction, prices), adjoint=adjoint, max_steps=_STEPS, throw=False
    )
    values, costs = full(sol.value, prices)
    left = jnp.max(jnp.abs(_indifference(auction, prices, values, costs)))
    # Every price is bid and asked with some chance, hence thresholds increase.
    bids, asks = auction.values.survival(values), auction.costs.cdf(costs)
    used = jnp.minimum(-jnp.diff(bids, append=0), jnp.diff(asks, prepend=0))
    small = residual_tolerance(prices.dtype)
    inside = (low < prices[0]) & jnp.all(jnp.diff(prices) > 0) & (prices[-1] < high)
    return values, costs, inside & (left <= small) & jnp.all(used > small)


def _indifference(auction: DoubleAuction, prices: Array, values: Array, costs: Array) -> Float[Array, "2 n"]:
    """(2) for j = 2 ... q and (3) for j = 1 ... q - 1, n = q - 1, in shares of the range of prices."""
    low, high = _range(auction)
    bids, asks = auction.values.survival(values), auction.costs.cdf(costs)
    gap = jnp.diff(prices)
    buyers = jnp.diff(asks) * (values - prices)[1:] - auction.k * gap * asks[:-1]
    sellers = -jnp.diff(bids) * (prices - costs)[:-1] - (1 - auction.k) * gap * bids[1:]
    return jnp.stack([buyers, sellers]) / (high - low)
