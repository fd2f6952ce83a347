r"""Gaussian channels: noise that a sender cannot shout down.

With law N(x, s^2) of what is received and prior N(0, I), the cost of a message is, in nats,

    KL = 1/2 sum (x^2 + s^2 - 1 - log s^2)                                                              (1)

whose average over messages is their mutual information with what is received, plus KL(marginal || prior) >= 0 (Alemi et al.
2017). Signals are cut smoothly at a power limit A, x = A tanh(raw / A): without a limit or a price, rescaling beats any
noise. A signal of power at most A^2 in noise of s carries at most 1/2 ln(1 + A^2 / s^2) nats a coordinate (Shannon 1949);
where the sender chooses s in [s0, s1], which listeners can tell, at most 1/2 ln((A^2 + s1^2) / s0^2): the entropy of what is
received is at most that of a normal of its power, and that of the noise at least that of the quietest.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.channels.base import AbstractChannel, Info
from dcg_econ.priors import number

_LOUDEST = 2.0  # of noise that a sender chooses: without a bound, its size alone could say anything


class AbstractGaussian(AbstractChannel):
    """Signals of d coordinates in Gaussian noise, from `raw(d)` numbers of a net; `limit` bounds the signal's size."""

    limit: eqx.AbstractVar[Array]

    @abstractmethod
    def raw(self, width: int) -> int:
        """How many numbers a net gives for `width` coordinates."""

    @abstractmethod
    def law(self, message: Float[Array, " r"]) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """The signal and the noise's standard deviation, from the numbers of a net."""

    @abstractmethod
    def quietest(self) -> Float[Array, ""]:
        """The least standard deviation of the noise."""

    @abstractmethod
    def loudest(self) -> Float[Array, ""]:
        """The largest standard deviation of the noise."""

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return True

    def bits(self, width: int, silent: bool = False) -> float:
        """The most that `width` coordinates carry, in bits, the noise's size included where it says something; with `silent`
        the noise may be the prior's too."""
        quiet, loud = float(self.quietest()), float(self.loudest())
        quiet, loud = (min(quiet, 1.0), max(loud, 1.0)) if silent else (quiet, loud)
        return width * 0.5 * math.log2((float(self.limit) ** 2 + loud**2) / quiet**2)

    def received(self, signal: Array, spread: Array, key: Array) -> tuple[Array, Info]:
        """A draw of N(signal, spread^2), and its facts."""
        heard = signal + spread * jax.random.normal(key, signal.shape, signal.dtype)
        z = (jax.lax.stop_gradient(heard) - signal) / spread
        density = -0.5 * jnp.sum(z**2 + 2 * jnp.log(spread) + np.log(2 * np.pi))
        entropy = jnp.sum(jnp.log(spread) + 0.5 * np.log(2 * np.pi * math.e))
        nats = 0.5 * jnp.sum(signal**2 + spread**2 - 1 - 2 * jnp.log(spread))
        zero = jnp.zeros((), signal.dtype)
        return heard, Info(nats, zero + 1, density, entropy, zero)

    def __call__(self, message, key):
        return self.received(*self.law(message), key)


class GaussianNoise(AbstractGaussian):
    """A signal in noise of a fixed standard deviation `sd`, both in units of the prior's: the capacity is fixed."""

    sd: Array = eqx.field(converter=number("sd"), default=0.1)
    limit: Array = eqx.field(converter=number("limit"), default=1.0)

    def __check_init__(self):
        _require_one("sd", self.sd)
        _require_one("limit", self.limit)

    def raw(self, width):
        return width

    def law(self, message):
        signal = self.limit * jnp.tanh(message / self.limit)
        return signal, jnp.broadcast_to(self.sd, signal.shape)

    def quietest(self):
        return self.sd

    def loudest(self):
        return self.sd


class GaussianBottleneck(AbstractGaussian):
    """A signal in noise that the sender chooses, never less than `floor` or more than 2: what it pays for is precision.

    Half of the raw numbers are signals, half log standard deviations; at zero both cost nothing and say nothing.
    """

    limit: Array = eqx.field(converter=number("limit"), default=10.0)
    floor: Array = eqx.field(converter=number("floor"), default=0.01)

    def __check_init__(self):
        _require_one("floor", self.floor)
        _require_one("limit", self.limit)
        if is_concrete(self.floor) and float(self.floor) >= 1:
            raise InputError("floor", f"found {float(self.floor):g}", "give less than 1, the noise that costs nothing")

    def raw(self, width):
        return 2 * width

    def law(self, message):
        signal, scale = jnp.split(message, 2)
        # The spread is 1 at scale = 0, falls to the floor and rises to _LOUDEST.
        span, shift = _LOUDEST - self.floor, jnp.log((1 - self.floor) / (_LOUDEST - 1))
        return self.limit * jnp.tanh(signal / self.limit), self.floor + span * jax.nn.sigmoid(scale + shift)

    def quietest(self):
        return self.floor

    def loudest(self):
        return jnp.full_like(self.floor, _LOUDEST)


def _require_one(field: str, value: Array) -> None:
    require_positive(field, value)
    if is_concrete(value) and value.ndim > 0:
        raise InputError(field, f"shape {value.shape}", "give one number")
