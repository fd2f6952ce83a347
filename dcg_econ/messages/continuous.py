"""Continuous messages: L tokens of d numbers each, with a soft STOP."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.channels.base import Info
from dcg_econ.channels.gaussian import AbstractGaussian, GaussianBottleneck, GaussianNoise
from dcg_econ.messages.language import AbstractLanguage, require_count, require_price
from dcg_econ.messages.soft_stop import alive, expected_length, hard_stop, stopping
from dcg_econ.priors import number

_GOING = 3.0  # a fresh net's stop probability is sigmoid(-3) = .05 a token, so that late tokens get to learn


class Continuous(AbstractLanguage):
    """`length` tokens of `width` numbers, each through a Gaussian channel; from the second on a token may not be said.

    With a price per nat the channel is a `GaussianBottleneck` unless told otherwise (the speaker buys precision), without
    one it is `GaussianNoise` (the capacity is fixed). With more than one token the last L raw numbers are stop logits: token t
    ends the message with probability h_t, and what is not said is sent as the prior, which costs nothing. The
    expected length is w_1 + 2 w_2 + ... with stick-breaking weights w; `hard`: stop at the first h_t of a half or more.
    """

    length: int = eqx.field(static=True, default=1)
    width: int = eqx.field(static=True, default=4)
    price: Array = eqx.field(converter=number("price"), default=0.0)
    length_price: Array = eqx.field(converter=number("length_price"), default=0.0)
    through: AbstractGaussian = None  # type: ignore[assignment]  # left out, `__init__` chooses
    hard: bool = eqx.field(static=True, default=False)

    def __init__(self, length=1, width=4, price=0.0, length_price=0.0, through=None, hard=False):
        self.length, self.width, self.hard = length, width, hard
        self.price, self.length_price = number("price")(price), number("length_price")(length_price)
        if through is None:
            priced = not is_concrete(self.price) or bool(self.price > 0)
            through = GaussianBottleneck() if priced else GaussianNoise()
        self.through = through

    def __check_init__(self):
        require_count("length", self.length)
        require_count("width", self.width)
        require_price(self)
        if not isinstance(self.through, AbstractGaussian):
            raise InputError("through", f"{self.through!r}", "give a Gaussian channel, e.g. dcg.GaussianNoise(sd=0.1)")

    @property
    def raw(self):
        return self.length * self.through.raw(self.width) + (self.length if self.length > 1 else 0)

    @property
    def constant(self):
        return 0

    @property
    def heard(self):
        return self.length * self.width

    @property
    def bits(self):
        later = (self.length - 1) * self.width  # whose noise tells whether they are said
        return self.through.bits(self.width) + self.through.bits(later, silent=True)

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return True

    def __call__(self, message, key):
        tokens = message[: self.length * self.through.raw(self.width)].reshape(self.length, -1)
        signals, spreads = jax.vmap(self.through.law)(tokens)
        weights = self._weights(message)
        on = alive(weights)[:, None]
        spreads = on * spreads + (1 - on)  # the prior's, where nothing is said
        heard, info = self.through.received((on * signals).ravel(), spreads.ravel(), key)
        return heard, Info(info.nats, expected_length(weights), info.log_prob, info.entropy, info.penalty)

    def _weights(self, message):
        if self.length == 1:
            return jnp.ones(1, message.dtype)
        hazards = jax.nn.sigmoid(message[-self.length :] - _GOING)
        return hard_stop(hazards) if self.hard else stopping(hazards)

    def sharp(self):
        return Continuous(self.length, self.width, self.price, self.length_price, self.through, hard=True)

    def text(self, heard):
        rows = np.asarray(heard).reshape(self.length, self.width)
        return " | ".join(" ".join(f"{x:+.2f}" for x in row) for row in rows)
