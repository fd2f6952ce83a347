r"""The path of equal reports of a k-double auction, shot from one price.

(2) and (3) of `double_auction` are two equations for dv/dp and dc/dp that lose their footing where v -> p or c -> p. In a
time tau with

    dp/dtau = (v - p)(p - c) / (v - c)                                                                  (1)

they are an autonomous system that is regular everywhere: the lowest price of trade (v = p, c at its lowest) is reached as
tau -> -inf and the highest as tau -> inf, exponentially. Every start with c < p < v gives one solution; it is an
equilibrium where v and c rise along the whole of it. For m = n = 1 that is a region of starts (Satterthwaite and
Williams 1989), for more traders a narrow band of mark-ups.

With one trader a side, near the lowest price p_0 the cost grows like (p - p_0)^(k Gamma_0 / (v'(p_0) - 1)), Gamma_0 the
limit of G / (g (c - c_0)) at the lowest cost c_0. One solution has whole powers at both ends, the *regular* one: there

    (1 - k) Phi(p_0) / (p_0 - c_0) = 1 + k Gamma_0,    k Gamma(p_1) / (v_1 - p_1) = 1 + (1 - k) Phi_0,        (2)

Gamma = G / g, Phi = (1 - F) / f. With uniform priors it is the affine equilibrium.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.smooth_bids import SmoothBids, times
from dcg_econ.mechanisms.bargaining.opposition import exactly
from dcg_econ.priors import AbstractBoundedPrior

_NEARLY = 1e-5  # of the range of types: the path ends so near to where trade does
_STRETCHES = (0.1, 1.0, 2.0, 3.0)  # of time; the best fit is taken
_REGULAR = 24  # degree of the regular path in the price
_NO_REGULAR = "no regular path of smooth bids was found for these priors: start from `smooth_bids` with a `markup`"
_LONGEST = 1e4  # more time than any path was seen to take
_BAND = 0.22  # of the range of types, over the number of traders a side: the middle of the band for uniform priors


class Terms(eqx.Module):
    """What a k-double auction is made of."""

    k: Array
    values: AbstractBoundedPrior
    costs: AbstractBoundedPrior
    buyers: int = eqx.field(static=True)
    sellers: int = eqx.field(static=True)

    def range(self) -> tuple[Array, Array]:
        """The lowest cost and the highest value."""
        return self.costs.support()[0], self.values.support()[1]


def shoot(terms: Terms, mark: Float[Array, " 3"], degree: int) -> SmoothBids:
    """The path through `mark` = (price, value, cost); `EquilibriumError` where value or cost fall along it."""
    halves = _halves(terms, mark)
    if not all(half.status == 1 and (np.diff(half.y * np.sign(half.t[-1])) > 0).all() for half in halves):
        raise EquilibriumError(_left_the_band(mark))
    fits = [_fit(halves, degree, stretch) for stretch in _STRETCHES]
    span, fit = min(fits, key=lambda found: np.abs(found[1][:, -8:]).max())
    return SmoothBids(jnp.asarray(fit), Frozen((mark, span)))


def regular_mark(terms: Terms, price: Array) -> Float[Array, " 3"]:
    """Where the regular path (2) passes `price`; with several traders a side, a start in the middle of the band."""
    (low, high), at = map(float, terms.range()), float(price)
    if max(terms.buyers, terms.sellers) > 1:
        markup = _BAND * (high - low) / max(terms.buyers, terms.sellers)
        return jnp.asarray([at, at + markup, at - markup])
    first, last = _regular_ends(terms, low, high)
    if not first < at < last:
        raise EquilibriumError(_NO_REGULAR)
    return jnp.append(at, _regular(terms, jnp.asarray([first, last]), jnp.asarray(at)))


@eqx.filter_jit
def _regular(terms: Terms, ends: Array, price: Array) -> Float[Array, " 2"]:
    """Value and cost at `price` of the regular path between its `ends`: Chebyshev least squares in the price.

    The four conditions at the ends and the two differential equations are two conditions too many, and consistent.
    """
    points = np.polynomial.chebyshev.chebpts1(_REGULAR)
    basis = np.polynomial.chebyshev.chebvander(points, _REGULAR)
    slopes = np.stack([np.polynomial.chebyshev.chebder(row) for row in np.eye(_REGULAR + 1)], axis=1)
    middle, half = 0.5 * (ends[0] + ends[1]), 0.5 * (ends[1] - ends[0])
    low, high = terms.range()
    prices = middle + half * points
    edge = 1e-9 * (high - low)

    def conditions(series, _):
        value, cost = series @ basis.T
        d_value, d_cost = series @ (basis[:, :-1] @ slopes).T / half
        at_value, at_cost = jnp.clip(value, terms.values.support()[0] + edge, high - edge), jnp.clip(cost, low + edge)
        gamma = terms.costs.cdf(at_cost) / terms.costs.density(at_cost)
        phi = terms.values.survival(at_value) / terms.values.density(at_value)
        signs = (-1.0) ** np.arange(_REGULAR + 1)
        return (
            terms.k * gamma - (value - prices) * d_cost,
            (1 - terms.k) * phi - (prices - cost) * d_value,
            series @ signs - jnp.stack([ends[0], low]),
            jnp.sum(series, axis=1) - jnp.stack([high, ends[1]]),
        )

    straight = jnp.zeros((2, _REGULAR + 1)).at[:, 0].set(0.5 * jnp.stack([ends[0] + high, low + ends[1]]))
    straight = straight.at[:, 1].set(0.5 * jnp.stack([high - ends[0], ends[1] - low]))
    solver = optx.LevenbergMarquardt(1e-12, 1e-12)
    series = optx.least_squares(conditions, solver, straight, max_steps=256, throw=False).value
    return series @ jnp.cos(jnp.arange(_REGULAR + 1) * jnp.arccos((price - middle) / half))


def _regular_ends(terms: Terms, low: float, high: float) -> tuple[float, float]:
    """The lowest and the highest price of trade of the regular path, the roots of (2)."""
    k, tiny = float(terms.k), 1e-6 * (high - low)

    def gamma(cost):
        return float(terms.costs.cdf(cost) / terms.costs.density(cost))

    def phi(value):
        return float(terms.values.survival(value) / terms.values.density(value))

    at_low, at_high = k * gamma(low + tiny) / tiny, (1 - k) * phi(high - tiny) / tiny
    first = _root(lambda p: (1 - k) * phi(p) - (p - low) * (1 + at_low), low + tiny, high - tiny)
    last = _root(lambda p: k * gamma(p) - (high - p) * (1 + at_high), low + tiny, high - tiny)
    return first, last


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    if function(low) * function(high) > 0:
        raise EquilibriumError(_NO_REGULAR)
    return brentq(function, low, high, xtol=1e-14)


def _halves(terms: Terms, mark: Float[Array, " 3"]) -> list:
    """The path from `mark` backward and forward in time, as scipy's solutions."""
    from scipy.integrate import solve_ivp

    bottom, top = map(float, terms.range())

    def rates(time, state):
        del time
        return np.asarray(_field(terms, jnp.asarray(state)))

    def margin(time, state):
        del time
        price, value, cost = state
        return min(value - price, price - cost, top - value, cost - bottom) - _NEARLY * (top - bottom)

    setattr(margin, "terminal", True)  # noqa: B010  # how solve_ivp is told to stop there
    how = {"method": "DOP853", "dense_output": True, "events": margin, "rtol": 1e-11, "atol": 1e-13}
    return [solve_ivp(rates, (0, end), np.asarray(mark), **how) for end in (-_LONGEST, _LONGEST)]


def _fit(halves: list, degree: int, stretch: float) -> tuple[Array, np.ndarray]:
    """The span of time of a shot path, and its Chebyshev series at such a stretch."""
    span = jnp.asarray([half.t[-1] for half in halves] + [stretch])
    points = np.polynomial.chebyshev.chebpts1(degree + 1)
    when = np.asarray(times(points, span)[0])
    path = np.where(when < 0, halves[0].sol(np.minimum(when, 0)), halves[1].sol(np.maximum(when, 0)))
    return span, np.linalg.solve(np.polynomial.chebyshev.chebvander(points, degree), path.T).T


@eqx.filter_jit
def _field(terms: Terms, state: Float[Array, " 3"]) -> Float[Array, " 3"]:
    """(1), and (2) and (3) of `double_auction` solved for the speeds of value and cost."""
    price, value, cost = state
    m, n = terms.buyers, terms.sellers
    below = terms.values.cdf(value), terms.costs.cdf(cost)
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
            terms.k * exactly(m, m - 1, n, below) * added,
            (1 - terms.k) * exactly(m - 1, m, n - 1, below) * shaded,
        ]
    ) / (shaded + added)
    (a, b), (c, d) = rows
    bids, asks = (d * gains[0] - b * gains[1]), (a * gains[1] - c * gains[0])
    speeds = jnp.stack([bids / terms.values.density(value), asks / terms.costs.density(cost)]) / (a * d - b * c)
    return jnp.append(pace, speeds)


def _left_the_band(mark: Array) -> str:
    price, value, cost = map(float, mark)
    return (
        f"no increasing bids pass through value {value:g} and cost {cost:g} at price {price:g}: change `markup`; with "
        "several traders a side only a narrow band of them, of the order of (highest value - lowest cost) / (20 m), works"
    )
