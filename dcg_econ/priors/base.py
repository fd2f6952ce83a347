"""What every prior is, and the converters that mechanisms use for their fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from dcg_econ._errors import InputError


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


class AbstractBoundedPrior(AbstractPrior):
    """A prior with a density on an interval; everything is differentiable in its argument and in the parameters."""

    @abstractmethod
    def support(self) -> tuple[Array, Array]:
        """The ends (low, high) of the interval."""

    @abstractmethod
    def knots(self) -> Array:
        """The points (m, ...) between which the density is smooth, both ends among them."""

    @abstractmethod
    def density(self, x: ArrayLike) -> Array:
        """The density at `x`, per unit of the type; zero outside the support."""

    @abstractmethod
    def cdf(self, x: ArrayLike) -> Array:
        """The chance of a type of `x` or less."""

    @abstractmethod
    def survival(self, x: ArrayLike) -> Array:
        """The chance of a type above `x`: 1 - cdf(x), without the cancellation near the high end."""

    @abstractmethod
    def quantile(self, u: ArrayLike) -> Array:
        """The type below which the share `u` lies; an end of the support for `u` outside [0, 1]."""
