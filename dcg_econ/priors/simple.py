"""Priors without a bounded density: certainty, the normal, and observed values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, require_finite, require_positive
from dcg_econ.priors.base import AbstractPrior, as_number, number


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
