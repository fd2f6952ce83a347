"""Quantised messages: the nearest word of a codebook that is learned along."""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ.channels.quantiser import VectorQuantiser
from dcg_econ.messages.language import AbstractLanguage, require_count, require_price
from dcg_econ.priors import number


class Codes(AbstractLanguage):
    """A vector of `width` numbers, said as the nearest of `words` codewords (van den Oord et al. 2017).

    Raw numbers: the vector, then the codebook (K, d), which no knowledge moves. Derivatives pass straight through to the
    vector, so they are biased; the codebook learns by the quantiser's penalty alone. The cost is log K nats.
    """

    words: int = eqx.field(static=True, default=8)
    width: int = eqx.field(static=True, default=4)
    commitment: Array = eqx.field(converter=number("commitment"), default=0.25)
    price: Array = eqx.field(converter=number("price"), default=0.0)
    length_price: Array = eqx.field(converter=number("length_price"), default=0.0)

    def __check_init__(self):
        require_count("words", self.words)
        require_count("width", self.width)
        require_price(self)

    @property
    def raw(self):
        return self.width + self.constant

    @property
    def constant(self):
        return self.words * self.width

    @property
    def heard(self):
        return self.width

    @property
    def bits(self):
        return math.log2(self.words)

    @property
    def pathwise(self):
        return True  # straight through: differentiable, and biased

    @property
    def likely(self):
        return False

    def quantiser(self, message: Float[Array, " R"]) -> VectorQuantiser:
        """The quantiser that raw numbers carry."""
        return VectorQuantiser(message[self.width :].reshape(self.words, self.width), self.commitment)

    def __call__(self, message, key):
        return self.quantiser(message)(message[: self.width], key)

    def sharp(self):
        return self

    def text(self, heard):
        return " ".join(f"{x:+.2f}" for x in np.asarray(heard))


class WithConstant(eqx.Module):
    """A net, and numbers that follow its answer whatever it is told: codebooks, priors over choices."""

    net: Callable[[Array], Array]
    constant: Float[Array, " c"]

    def __init__(self, net: Callable[[Array], Array], count: int, *, key: Array):
        self.net = net
        self.constant = jax.random.normal(key, (count,))

    def __call__(self, told: Float[Array, " n"]) -> Float[Array, " R"]:
        return jnp.concatenate([self.net(told), self.constant])
