"""Quadrature rules that the bounded priors share."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_finite

_PANEL = 64


def panel(integrand: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """The integral from `low` to `high` by 64 Gauss-Legendre nodes, on a new last axis that `integrand` sees."""
    points, weights = np.polynomial.legendre.leggauss(_PANEL)
    low, high = jnp.asarray(low), jnp.asarray(high)
    half = 0.5 * (high - low)
    nodes = 0.5 * (low + high)[..., None] + half[..., None] * jnp.asarray(points, half.dtype)
    return half * jnp.sum(integrand(nodes) * jnp.asarray(weights, half.dtype), -1)


def expectation_shares(dtype) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Shares u in (0, 1) and weights, with E f(x) = sum_k weight_k f(quantile(u_k)) for smooth f.

    The trapezoidal rule after u = 1 / (1 + exp(-pi sinh t)) (Takahasi and Mori 1974): the weights do not depend on the
    prior, and a quantile that ends in a root of u or 1 - u costs no accuracy.
    """
    step, reach = 0.1, 3.0
    t = np.arange(-reach, reach + step / 2, step)
    u = 1 / (1 + np.exp(-np.pi * np.sinh(t)))
    weights = np.cosh(t) / np.cosh(0.5 * np.pi * np.sinh(t)) ** 2
    return jnp.asarray(u, dtype), jnp.asarray(weights / weights.sum(), dtype)


def require_interval(low: Array, high: Array, strict: bool = True) -> None:
    """Raises `InputError` unless concrete ends are finite and in order."""
    require_finite("low", low)
    require_finite("high", high)
    if is_concrete(low, high) and bool(jnp.any(low >= high if strict else low > high)):
        sign = "<" if strict else "<="
        where = "does not lie below" if strict else "lies above"
        raise InputError("low", f"{low} {where} high = {high}", f"give low {sign} high")


def inside(x: ArrayLike, low: Array, high: Array) -> tuple[Array, Array]:
    """Whether `x` lies in the support, ends included, and a point of the support that stands in where it does not."""
    x = jnp.asarray(x)
    within = (x >= low) & (x <= high)
    return within, jnp.where(within, x, 0.5 * (low + high))


def clipped(value: Array, x: ArrayLike, low: Array, high: Array, below: float, above: float) -> Array:
    """`value` where `x` lies in the support, and constants beside it."""
    x = jnp.asarray(x)
    return jnp.where(x < low, below, jnp.where(x > high, above, value))
