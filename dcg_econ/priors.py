"""Priors: what is commonly known about a private type before it is drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive


def as_number(value) -> Array:
    """A floating-point array of JAX's default precision."""
    return number("value")(value)


def number(field: str) -> Callable[[Any], Array]:
    """A converter for a field: to a floating-point array, with an error that names the field."""

    def convert(value):
        try:
            return jnp.asarray(value, dtype=jnp.result_type(float))
        except (TypeError, ValueError):
            raise InputError(field, f"{value!r} is not a number or an array", "give numbers") from None

    return convert


def prior(field: str) -> Callable[[Any], AbstractPrior]:
    """A converter for a field that holds a prior: a number becomes the certainty of it."""

    def convert(value):
        if isinstance(value, AbstractPrior):
            return value
        fixed = number(field)(value)
        if isinstance(value, tuple | list):
            raise InputError(
                field, f"{value!r} is no prior", "write dcg.Uniform(low, high), dcg.Normal(loc, scale) ..."
            )
        return Fixed(fixed)

    return convert


class AbstractPrior(eqx.Module):
    """An independent distribution for each entry of an array of types; its parameters broadcast."""

    @abstractmethod
    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Independent draws of the given shape (the parameters broadcast against its last axes)."""

    @abstractmethod
    def mean(self) -> Array:
        """The expectation."""

    @abstractmethod
    def std(self) -> Array:
        """The standard deviation."""

    @abstractmethod
    def quadrature(self) -> tuple[Array, Array]:
        """Nodes (k, ...) and weights (k,) for expectations over one type."""


class Fixed(AbstractPrior):
    """A number that everybody knows."""

    value: Array = eqx.field(converter=as_number)

    def __check_init__(self):
        require_finite("value", self.value)

    def sample(self, key, shape):
        del key
        return jnp.broadcast_to(self.value, shape)

    def mean(self):
        return self.value

    def std(self):
        return jnp.zeros_like(self.value)

    def quadrature(self):
        return self.value[None], jnp.ones(1, self.value.dtype)


class Uniform(AbstractPrior):
    """Uniform on [low, high]."""

    low: Array = eqx.field(converter=as_number, default=0.0)
    high: Array = eqx.field(converter=as_number, default=1.0)

    def __check_init__(self):
        require_finite("low", self.low)
        require_finite("high", self.high)
        if is_concrete(self.low, self.high) and bool(jnp.any(self.low > self.high)):
            raise InputError("low", f"{self.low} lies above high = {self.high}", "give low <= high")

    def sample(self, key, shape):
        return self.low + (self.high - self.low) * jax.random.uniform(key, shape, self.low.dtype)

    def mean(self):
        return 0.5 * (self.low + self.high)

    def std(self):
        return (self.high - self.low) / jnp.sqrt(12.0)

    def quadrature(self):
        points, weights = np.polynomial.legendre.leggauss(16)
        nodes = jnp.asarray(points, self.low.dtype).reshape((-1,) + (1,) * jnp.ndim(self.mean()))
        return self.mean() + 0.5 * (self.high - self.low) * nodes, jnp.asarray(weights / 2, self.low.dtype)


class Normal(AbstractPrior):
    """Normal with mean `loc` and standard deviation `scale`."""

    loc: Array = eqx.field(converter=as_number, default=0.0)
    scale: Array = eqx.field(converter=as_number, default=1.0)

    def __check_init__(self):
        require_finite("loc", self.loc)
        require_positive("scale", self.scale, strict=False)

    def sample(self, key, shape):
        return self.loc + self.scale * jax.random.normal(key, shape, self.loc.dtype)

    def mean(self):
        return self.loc

    def std(self):
        return self.scale

    def quadrature(self):
        points, weights = np.polynomial.hermite_e.hermegauss(16)
        nodes = jnp.asarray(points, self.loc.dtype).reshape((-1,) + (1,) * jnp.ndim(self.loc + self.scale))
        return self.loc + self.scale * nodes, jnp.asarray(weights / weights.sum(), self.loc.dtype)


class Empirical(AbstractPrior):
    """Equal chances for each of k observed values, for example the daily catches of a season."""

    values: Array = eqx.field(converter=as_number)

    def __check_init__(self):
        require_finite("values", self.values)
        if self.values.ndim != 1 or self.values.shape[0] == 0:
            raise InputError("values", f"shape {self.values.shape}", "give a list of observed numbers")

    def sample(self, key, shape):
        return jax.random.choice(key, self.values, shape)

    def mean(self):
        return jnp.mean(self.values)

    def std(self):
        variance = jnp.var(self.values)
        positive = variance > 0  # the square root has no derivative at zero
        return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)

    def quadrature(self):
        n = self.values.shape[0]
        return self.values, jnp.full(n, 1 / n, self.values.dtype)
