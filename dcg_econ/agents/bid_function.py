"""A bid as a function of the bidder's value: the strategy of one-sided auctions with bidders who are alike."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ.agents.chebyshev import collocation, derivative, series
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.priors import AbstractBoundedPrior

_SHOWN, _FEWEST = 512, 32  # cells of the table from which inverses start: in all, and in each piece at least


class Collocation(NamedTuple):
    """Where first-order conditions are imposed, in each of m pieces: values, bids and slopes (m, c), the slopes in money per
    half the width of the piece, which is `half` (m, 1)."""

    values: Array
    bids: Array
    slopes: Array
    half: Array


class BidFunction(AbstractStrategy):
    """An increasing bid b(v), the same for all: `coefficients` (m, q), Chebyshev series on each of the m pieces of values.

    `given`, not solved for: the edges (m + 1,) of the pieces, in money. Values below the first edge bid themselves, which is
    below any reserve price there; above the last edge the bid stays.
    """

    coefficients: Float[Array, "m q"]
    given: Frozen

    @property
    def edges(self) -> Float[Array, " e"]:
        """The values between which the bid is smooth: the lowest that takes part first, the highest last."""
        return self.given.value

    def bid(self, values: Array) -> Array:
        """The bids of these values."""
        piece, inside, _ = self._place(values)
        bids = _each(series, self.coefficients[piece], inside)
        return jnp.where(values < self.edges[0], values, bids)

    def slope(self, values: Array) -> Array:
        """db / dv."""
        piece, inside, half = self._place(values)
        slopes = _each(lambda row, x: series(derivative(row), x), self.coefficients[piece], inside)
        return jnp.where(values < self.edges[0], 1.0, slopes / half)

    def value_of(self, bids: Array) -> Array:
        """The values that bid so, the inverse of `bid`; the highest value for any bid above its own."""
        table = self._table()
        shown = jax.lax.stop_gradient(self.bid(table))
        inside = jnp.clip(bids, shown[0], shown[-1])
        held = jax.lax.stop_gradient(inside)
        at = jnp.clip(jnp.searchsorted(shown, held, side="right") - 1, 0, table.shape[0] - 2)
        low, high = table[at], table[at + 1]
        value = jnp.interp(held, shown, table)
        # From a table so fine two steps reach rounding and carry the first two derivatives. They stay in the cell of the table,
        # because bids start flat at a reserve price.
        for _ in range(2):
            slope = self.slope(value)
            moved = value - (self.bid(value) - inside) / jnp.where(slope > 0, slope, 1.0)
            value = jnp.where(moved < low, low, jnp.where(moved > high, high, moved))
        return jnp.where(bids < self.edges[0], bids, value)

    def share_below(self, bids: Array, prior: AbstractBoundedPrior) -> Array:
        """The share of bidders of this prior who bid less."""
        return prior.cdf(self.value_of(bids))

    def __call__(self, known):
        return self.bid(known)

    def check(self, players):
        del players

    def expand(self, players):
        del players  # all move together
        return self

    def unknowns(self, residuals):
        return residuals.ravel()

    def table(self, players):
        n = len(players)
        middle = 0.5 * (self.edges[0] + self.edges[-1])
        return {
            "lowest value": np.full(n, self.edges[0]),
            "bid of the middle value": np.full(n, self.bid(middle)),
            "highest bid": np.full(n, self.bid(self.edges[-1])),
        }

    @property
    def replies_stay(self):
        return False

    def collocation(self) -> Collocation:
        """Values, bids and slopes at the q - 1 Gauss points of the first kind in every piece."""
        points, at, slopes = collocation(self.coefficients.shape[1])
        middle, half = 0.5 * (self.edges[1:] + self.edges[:-1])[:, None], 0.5 * jnp.diff(self.edges)[:, None]
        return Collocation(middle + half * points, self.coefficients @ at, self.coefficients @ slopes, half)

    def jumps(self) -> Float[Array, " m"]:
        """By how much each piece misses where the one before it ends; the first, the lowest value that takes part."""
        starts = self.coefficients @ jnp.asarray((-1.0) ** np.arange(self.coefficients.shape[1]))
        ends = jnp.sum(self.coefficients, axis=1)
        return starts - jnp.concatenate([self.edges[:1], ends[:-1]])

    def _place(self, values):
        """The piece of each value, its place there in [-1, 1], and half the width of the piece, in money."""
        edges, last = self.edges, self.edges.shape[0] - 2
        piece = jnp.clip(jnp.searchsorted(edges, jax.lax.stop_gradient(values), side="right") - 1, 0, last)
        half = 0.5 * (edges[piece + 1] - edges[piece])
        safe = jnp.where(half > 0, half, 1.0)
        inside = (jnp.clip(values, edges[0], edges[-1]) - 0.5 * (edges[piece] + edges[piece + 1])) / safe
        return piece, inside, safe

    def _table(self) -> Float[Array, " t"]:
        """Values that crowd towards the edges of the pieces, where a bid may start flat."""
        cells = max(_SHOWN // (self.edges.shape[0] - 1), _FEWEST)
        share = jnp.asarray(0.5 * (1 - np.cos(np.linspace(0, np.pi, cells + 1))), self.edges.dtype)
        inner = self.edges[:-1, None] + jnp.diff(self.edges)[:, None] * share[:-1]
        return jax.lax.stop_gradient(jnp.append(inner.ravel(), self.edges[-1]))


def _each(function, rows, places):
    """`function(row, place)` for every place with a row of its own."""
    places = jnp.asarray(places)
    flat = jax.vmap(function)(rows.reshape(-1, rows.shape[-1]), places.ravel())
    return flat.reshape(places.shape)
