"""The k-double auction with a softened rule of trade, to learn on: derivatives of a play see who trades.

A bid b and an ask a trade the share 1 / (1 + e^{-(b - a) / width}) of the unit at k b + (1 - k) a. The derivative of an
expected payoff then differs from that of the auction by terms of order width^2 (the share is a step blurred symmetrically).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, require_positive
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction, TradeOutcome
from dcg_econ.priors import number


class SoftAuction(AbstractGame):
    """`auction` between one buyer and one seller, its rule of trade softened over `width`, in money."""

    auction: DoubleAuction
    width: Array = eqx.field(converter=number("width"), default=0.02)

    def __check_init__(self):
        if (self.auction.buyers, self.auction.sellers) != (1, 1):
            raise InputError("auction", "several buyers or sellers", "soften the auction of one buyer and one seller")
        require_positive("width", self.width)

    @property
    def players(self):
        return self.auction.players

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        return self.auction.sample_types(key)

    def known(self, types):
        return self.auction.known(types)

    def handed_in(self, actions, types):
        return self.auction.handed_in(actions, types)

    def outcome(self, reports):
        share = jax.nn.sigmoid((reports.bids - reports.asks) / self.width)
        price = self.auction.k * reports.bids[0] + (1 - self.auction.k) * reports.asks[0]
        return TradeOutcome(price, share, share)

    def settled(self, outcome):
        return jnp.isfinite(outcome.price)

    def payoffs(self, types, outcome):
        return self.auction.payoffs(types, outcome)

    def welfare(self, types, outcome):
        return self.auction.welfare(types, outcome)

    def first_best(self, types):
        return self.auction.first_best(types)
