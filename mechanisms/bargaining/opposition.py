r"""What one trader of a k-double auction faces: the distribution of all the others' reports, and what that pays.

Of the others' m + n - 1 offers let j be below t. With B(t) and S(t) the shares of bids and of asks below t, chances of j
are those of a sum of two binomials. A buyer among m - 1 other buyers and n sellers buys with a bid b where at least m
others are below, and sets the price (with weight k) where exactly m are; a seller among m buyers and n - 1 other sellers
sells with an ask a where at most m - 1 are below, and sets the price (with weight 1 - k) where exactly m - 1 are:

    U_b(b; v) = (v - b) H(b) + int_{-inf}^b [H(t) - k h_m(t)] dt,         H = Pr(at least m below),          (1)
    U_s(a; c) = (a - c) K(a) + int_a^inf [K(t) - (1 - k) h_{m-1}(t)] dt,  K = Pr(at most m - 1 below),       (2)

h_j = Pr(exactly j below). (1) is the integral of dU_b/db = (v - b) H'(b) - k h_m(b) by parts, so that jumps of B and S
(many reports at one price) need no density. With m = n = 1: H = S, h_1 = S, K = 1 - B, h_0 = 1 - B. Sources: Chatterjee
and Samuelson (1983); Rustichini, Satterthwaite and Williams (1994).
"""

from __future__ import annotations

from itertools import accumulate
from math import comb
from operator import mul
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ.agents.bids import BUYERS, SELLERS, AbstractBids
from dcg_econ.priors import AbstractBoundedPrior


def exactly(j: int, bids: int, asks: int, below: tuple[Array, Array]) -> Array:
    """The chance that exactly j of so many bids and asks are below, when each of them is with chances `below`."""
    return _pairs(_chances(bids, below[0]), {a: chance for a, chance in enumerate(_chances(asks, below[1]))}, j, below)


def at_least(j: int, bids: int, asks: int, below: tuple[Array, Array]) -> Array:
    """The chance that j or more of them are."""
    tail = list(accumulate(reversed(_chances(asks, below[1]))))[::-1]
    # With fewer than no asks asked for, all of them count.
    return _pairs(_chances(bids, below[0]), {a: tail[max(a, 0)] for a in range(j - bids, asks + 1)}, j, below)


def at_most(j: int, bids: int, asks: int, below: tuple[Array, Array]) -> Array:
    """The chance that j or fewer of them are."""
    head = list(accumulate(_chances(asks, below[1])))
    return _pairs(_chances(bids, below[0]), {a: head[min(a, asks)] for a in range(j + 1)}, j, below)


def _pairs(bids: list[Array], asks: dict[int, Array], j: int, below: tuple[Array, Array]) -> Array:
    """The sum over b of the chance of b bids times what is listed for j - b asks."""
    terms = [chance * asks[j - b] for b, chance in enumerate(bids) if j - b in asks]
    return sum(terms, jnp.zeros_like(below[0] * below[1]))


def _chances(n: int, chance: Array) -> list[Array]:
    """The binomial chances of 0 ... n, none for n < 0."""
    if n < 0:
        return []
    up, down = (list(accumulate([jnp.ones_like(p)] + n * [p], mul)) for p in (chance, 1 - chance))
    return [comb(n, j) * up[j] * down[n - j] for j in range(n + 1)]


class Opposition(eqx.Module):
    """The others' offers as one trader of `side` meets them, with (1) and (2) integrated up to every kink."""

    side: int = eqx.field(static=True)
    buyers: int = eqx.field(static=True)
    sellers: int = eqx.field(static=True)
    k: Array
    bids: AbstractBids
    values: AbstractBoundedPrior
    costs: AbstractBoundedPrior
    knots: Float[Array, " q"]
    sums: Float[Array, " q"]

    def __init__(self, side, buyers, sellers, k, bids, values, costs):
        self.side, self.buyers, self.sellers, self.k = side, buyers, sellers, k
        self.bids, self.values, self.costs = bids, values, costs
        kinks = [bids.kinks(BUYERS, *values.support()), bids.kinks(SELLERS, *costs.support())]
        self.knots = jnp.sort(jnp.concatenate(kinks))
        pieces = self._integral(self.knots[:-1], self.knots[1:])
        self.sums = jnp.concatenate([jnp.zeros(1, pieces.dtype), jnp.cumsum(pieces)])

    def chance(self, moment: Array) -> Array:
        """The chance of trade with the report of this moment; at equality a buyer and a seller trade."""
        others, m = self._others, self.buyers
        if self.side == BUYERS:
            below = self._below(moment, ties=True)
            return at_least(m, *others, below)
        below = self._below(moment, ties=False)
        return at_most(m - 1, *others, below)

    def payoff(self, own_type: Array, moment: Array) -> Array:
        """The interim payoff (1) or (2) of the report of this moment, in money."""
        at = jnp.clip(jnp.searchsorted(self.knots, jax.lax.stop_gradient(moment), side="right") - 1, 0)
        up_to = self.sums[at] + self._integral(self.knots[at], moment)
        price, _ = self.bids.clock(moment)
        if self.side == BUYERS:
            return (own_type - price) * self.chance(moment) + up_to
        return (price - own_type) * self.chance(moment) + self.sums[-1] - up_to

    @property
    def _others(self) -> tuple[int, int]:
        """How many other buyers and sellers there are."""
        own = self.side == BUYERS
        return self.buyers - own, self.sellers - (not own)

    def _below(self, moment: Array, ties: bool) -> tuple[Array, Array]:
        """B and S at the price of `moment`, with the offers at it or without."""
        share = self.bids.share_at if ties else self.bids.share_below
        return share(BUYERS, moment, self.values), share(SELLERS, moment, self.costs)

    def _integral(self, start: Array, end: Array) -> Array:
        """The integral in (1) or (2) between two moments without a kink between them."""
        points, weights = np.polynomial.legendre.leggauss(self.bids.nodes)
        half = 0.5 * (end - start)
        moments = start[..., None] + half[..., None] * (1 + points)
        below = self._below(moments, ties=True)
        if self.side == BUYERS:
            own = self.k * exactly(self.buyers, *self._others, below)
        else:
            own = (1 - self.k) * exactly(self.buyers - 1, *self._others, below)
        _, pace = self.bids.clock(moments)
        return half * jnp.sum(weights * (self.chance(moments) - own) * pace, axis=-1)


class Faced(eqx.Module):
    """A profile, what its bids look like to others, and what a buyer and a seller face who meet it."""

    profile: Any
    bids: AbstractBids
    by_side: tuple[Opposition, Opposition]

    def __call__(self, known: Any) -> Any:
        return self.profile(known)


def expected_payoff(opposition: Opposition, own: AbstractBids, prior: AbstractBoundedPrior) -> Array:
    """The payoff of a trader who follows `own`, in expectation over its type: Gauss-Legendre between all kinks."""
    side, (low, high) = opposition.side, prior.support()
    at_kinks = jnp.clip(own.type_at(side, opposition.knots), low, high)
    # The ends stay outside of the sort: among equal edges a kink would take their place, and its derivative with it.
    inner = jnp.sort(jnp.concatenate([own.breaks(side, low, high), at_kinks]))
    edges = jnp.concatenate([low[None], inner, high[None]])
    points, weights = np.polynomial.legendre.leggauss(max(6, own.nodes // 2))
    half = 0.5 * jnp.diff(edges)[:, None]
    types = edges[:-1, None] + half * (1 + points)
    payoffs = opposition.payoff(types, own.moment_of(side, types))
    return jnp.sum(half * weights * prior.density(types) * payoffs)
