"""What the public good costs: money for a level of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.priors import number


class AbstractCost(eqx.Module):
    """A convex cost C of the level Y, with C(0) = 0."""

    @abstractmethod
    def __call__(self, level: Array) -> Array:
        """C(Y), money."""

    @abstractmethod
    def marginal(self, level: Array) -> Array:
        """C'(Y), money per unit of the good."""

    @abstractmethod
    def bought(self, money: Array, beside: Array | float = 0.0) -> Array:
        """The level that so much money pays for, the inverse of C; `beside`: money that each unit takes besides."""


class QuadraticCost(AbstractCost):
    """C(Y) = price Y + slope Y^2 / 2: constant marginal cost `price`, or one that rises by `slope` a unit."""

    price: Array = eqx.field(converter=number("cost.price"), default=1.0)
    slope: Array = eqx.field(converter=number("cost.slope"), default=0.0)

    def __check_init__(self):
        require_positive("cost.price", self.price)
        require_positive("cost.slope", self.slope, strict=False)
        if self.price.ndim or self.slope.ndim:
            raise InputError("cost", "more than one number", "give one `price` and one `slope`")

    def __call__(self, level):
        return self.price * level + 0.5 * self.slope * level**2

    def marginal(self, level):
        return self.price + self.slope * level

    def bought(self, money, beside=0.0):
        price = self.price + beside
        return 2 * money / (price + jnp.sqrt(jnp.maximum(price**2 + 2 * self.slope * money, 0.0)))


def cost(value: Any) -> AbstractCost:
    """A converter for `cost`: a number is a constant marginal cost."""
    if isinstance(value, AbstractCost):
        return value
    return QuadraticCost(number("cost")(value))


def require_linear(cost: AbstractCost, who: str) -> None:
    """Raises `InputError` where a concrete cost is not linear."""
    if isinstance(cost, QuadraticCost) and (not is_concrete(cost.slope) or float(cost.slope) == 0):
        return
    raise InputError("cost", f"not linear, and {who}", "give one number, the constant marginal cost")
