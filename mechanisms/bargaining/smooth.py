r"""Starts for the smooth equilibria of a k-double auction: the path of equal reports, shot from one price.

(2) and (3) of `double_auction` are two equations for dv/dp and dc/dp that lose their footing where v -> p or c -> p. In a
time tau with

    dp/dtau = (v - p)(p - c) / (v - c)                                                                  (1)

they are an autonomous system that is regular everywhere: the lowest price of trade (v = p, c at its lowest) is reached as
tau -> -inf and the highest as tau -> inf, exponentially. Every start with c < p < v gives one solution; it is an
equilibrium where v and c rise along the whole of it. For m = n = 1 that is a region of starts (Satterthwaite and
Williams 1989), for more traders a narrow band of mark-ups.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.agents.learned import Frozen
from dcg_econ.agents.smooth_bids import SmoothBids, times
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.opposition import exactly
from dcg_econ.priors import number

_NEARLY = 1e-5  # of the range of types: the path ends so near to where trade does
_STRETCHES = (0.1, 1.0, 2.0, 3.0)  # of time; the best fit is taken
_LONGEST = 1e4  # more time than any path was seen to take


def smooth_bids(auction: DoubleAuction, markup: Array, price: Array | None = None, degree: int = 128) -> SmoothBids:
    """The start of `solve` for the smooth equilibrium in which the value that bids `price` exceeds it by `markup`.

    `markup`: one number for both sides, or (2,): what buyers shade and what sellers add there, in money. `price`: by
    default the middle of the prices at which trade is efficient. `degree` of the Chebyshev series: 128 leaves a regret
    of 1e-15 to 1e-9 of first best, more towards the ends of the family. Raises `EquilibriumError` where no increasing
    solution passes there.
    """
    from scipy.integrate import solve_ivp

    (_, highest), (lowest, _) = auction.values.support(), auction.costs.support()
    price = 0.5 * (highest + lowest) if price is None else number("price")(price)
    markup = number("markup")(markup)
    shading = jnp.broadcast_to(markup, (2,))
    mark = jnp.stack([price, price + shading[0], price - shading[1]])
    _check(auction, mark)
    top, bottom, span = float(highest), float(lowest), float(highest - lowest)

    def rates(time, state):
        del time
        return np.asarray(_field(auction, jnp.asarray(state)))

    def margin(time, state):
        del time
        price, value, cost = state
        return min(value - price, price - cost, top - value, cost - bottom) - _NEARLY * span

    margin.terminal = True
    halves = [
        solve_ivp(rates, (0, end), np.asarray(mark), "DOP853", dense_output=True, events=margin, rtol=1e-11, atol=1e-13)
        for end in (-_LONGEST, _LONGEST)
    ]
    if not all(half.status == 1 and (np.diff(half.y * np.sign(half.t[-1])) > 0).all() for half in halves):
        raise EquilibriumError(_left_the_band(mark))
    fits = [_fit(halves, degree, stretch) for stretch in _STRETCHES]
    span, fit = min(fits, key=lambda found: np.abs(found[1][:, -8:]).max())
    return SmoothBids(jnp.asarray(fit), Frozen((mark, span)))


def _fit(halves: list, degree: int, stretch: float) -> tuple[Array, np.ndarray]:
    """The span of time of a shot path, and its Chebyshev series at such a stretch."""
    span = jnp.asarray([half.t[-1] for half in halves] + [stretch])
    points = np.polynomial.chebyshev.chebpts1(degree + 1)
    when = np.asarray(times(points, span)[0])
    path = np.where(when < 0, halves[0].sol(np.minimum(when, 0)), halves[1].sol(np.maximum(when, 0)))
    return span, np.linalg.solve(np.polynomial.chebyshev.chebvander(points, degree), path.T).T


@eqx.filter_jit
def _field(auction: DoubleAuction, state: Float[Array, " 3"]) -> Float[Array, " 3"]:
    """(1), and (2) and (3) of `double_auction` solved for the speeds of value and cost."""
    price, value, cost = state
    m, n = auction.buyers, auction.sellers
    below = auction.values.cdf(value), auction.costs.cdf(cost)
    both = exactly(m - 1, m - 1, n - 1, below)
    rows = jnp.stack(
        [
            jnp.stack([(m - 1) * exactly(m - 1, m - 2, n, below), n * both]),
            jnp.stack([m * both, (n - 1) * exactly(m - 1, m, n - 2, below)]),
        ]
    )
    shaded, added = value - price, price - cost
    pace = shaded * added / (shaded + added)
    gains = jnp.stack(
        [
            auction.k * exactly(m, m - 1, n, below) * added,
            (1 - auction.k) * exactly(m - 1, m, n - 1, below) * shaded,
        ]
    ) / (shaded + added)
    (a, b), (c, d) = rows
    bids, asks = (d * gains[0] - b * gains[1]), (a * gains[1] - c * gains[0])
    speeds = jnp.stack([bids / auction.values.density(value), asks / auction.costs.density(cost)]) / (a * d - b * c)
    return jnp.append(pace, speeds)


def _check(auction: DoubleAuction, mark: Array) -> None:
    price, value, cost = map(float, mark)
    (low_value, high_value), (low_cost, high_cost) = auction.values.support(), auction.costs.support()
    if not 0 < float(auction.k) < 1:
        raise InputError("k", f"{float(auction.k):g}", "smooth families need 0 < k < 1: one side names the price alone")
    if not (cost < price < value and low_value < value < high_value and low_cost < cost < high_cost):
        raise InputError(
            "markup",
            f"value {value:g} and cost {cost:g} at price {price:g} are not both inside their supports",
            "give a smaller one above zero, or another `price`",
        )


def _left_the_band(mark: Array) -> str:
    price, value, cost = map(float, mark)
    return (
        f"no increasing bids pass through value {value:g} and cost {cost:g} at price {price:g}: change `markup`; with "
        "several traders a side only a narrow band of them, of the order of (highest value - lowest cost) / (20 m), works"
    )
