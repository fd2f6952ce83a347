"""What a bidder of a one-sided auction meets: how many of each other bidder's types bid less than a bid."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.agents.bid_function import BidFunction
from dcg_econ.priors import AbstractBoundedPrior

_TABLE = 129  # values at which a learned profile is looked at


class AbstractMet(eqx.Module):
    """A profile of bids, with the distribution of every bidder's bid."""

    @abstractmethod
    def __call__(self, known: Any) -> Any:
        """The bids (n,) of the profile itself."""

    @abstractmethod
    def shares_below(self, bid: Float[Array, ""]) -> Float[Array, " n"]:
        """The share of each bidder's types that bid less than `bid`."""


class MetFunction(AbstractMet):
    """All bidders use one function, whose inverse is known."""

    profile: BidFunction
    values: AbstractBoundedPrior
    bidders: int = eqx.field(static=True)

    def __call__(self, known):
        return self.profile(known)

    def shares_below(self, bid):
        return jnp.full(self.bidders, self.profile.share_below(bid, self.values))


class MetTable(AbstractMet):
    """Any profile, a learned one for example: tables of every bidder's bids at equally spaced values, decreases cut off."""

    profile: Any
    shares: Float[Array, " t"]
    bids: Float[Array, "n t"]

    def __init__(self, profile, values, bidders):
        self.profile = profile
        low, high = values.support()
        shown = jnp.linspace(low, high, _TABLE)
        self.shares = values.cdf(shown)
        bids = jax.lax.cummax(jax.vmap(lambda v: profile(jnp.full(bidders, v)), out_axes=1)(shown), axis=1)
        # Equal neighbours would leave the inverse open.
        apart = jnp.arange(_TABLE) * 64 * jnp.finfo(bids.dtype).eps * (1 + jnp.abs(bids[:, -1:]))
        self.bids = bids + apart

    def __call__(self, known):
        return self.profile(known)

    def shares_below(self, bid):
        def one(bids):
            inside = jnp.interp(bid, bids, self.shares)
            return jnp.where(bid < bids[0], 0.0, jnp.where(bid >= bids[-1], 1.0, inside))

        return jax.vmap(one)(self.bids)
