"""Starts of `solve` for the smooth equilibria of a k-double auction; the theory is at the head of `shooting`."""

from __future__ import annotations

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.agents.smooth_bids import SmoothBids
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.shooting import regular_mark, shoot
from dcg_econ.priors import number


def smooth_bids(
    auction: DoubleAuction, markup: ArrayLike | None = None, price: ArrayLike | None = None, degree: int = 128
) -> SmoothBids:
    """The start of `solve` for the smooth equilibrium in which the value that bids `price` exceeds it by `markup`.

    `markup`: one number for both sides, or (2,): what buyers shade and what sellers add there, in money; by default that
    of the regular equilibrium (one trader a side) or the middle of the band (several). `price`: by default the middle of
    the prices at which trade is efficient. `degree` of the Chebyshev series: 128 leaves a regret of 1e-15 to 1e-9 of first
    best, more towards the ends of the family. Raises `EquilibriumError` where no increasing solution passes there.
    """
    terms = auction.terms
    low, high = terms.range()
    if not 0 < float(auction.k) < 1:
        raise InputError("k", f"{float(auction.k):g}", "smooth families need 0 < k < 1: one side names the price alone")
    price = 0.5 * (high + low) if price is None else number("price")(price)
    if markup is None:
        return shoot(terms, regular_mark(terms, price), degree)
    shading = jnp.broadcast_to(number("markup")(markup), (2,))
    mark = jnp.stack([price, price + shading[0], price - shading[1]])
    _check(auction, mark)
    return shoot(terms, mark, degree)


def _check(auction: DoubleAuction, mark: Array) -> None:
    price, value, cost = map(float, mark)
    (low_value, high_value), (low_cost, high_cost) = auction.values.support(), auction.costs.support()
    if not (cost < price < value and low_value < value < high_value and low_cost < cost < high_cost):
        raise InputError(
            "markup",
            f"value {value:g} and cost {cost:g} at price {price:g} are not both inside their supports",
            "give a smaller one above zero, or another `price`",
        )
