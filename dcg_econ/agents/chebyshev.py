"""Chebyshev series: their values, with derivatives that are series again."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float


@jax.custom_jvp
def series(coefficients: Float[Array, " q"], x: Array) -> Array:
    """The Chebyshev series at x, by Clenshaw's recurrence; its derivatives are series, not derived recurrences."""

    def step(carry, a):
        b, c = carry
        return (2 * x * b - c + a, b), None

    zero = jnp.zeros_like(x, dtype=coefficients.dtype)
    (b, c), _ = jax.lax.scan(step, (zero, zero), coefficients[:0:-1])
    return x * b - c + coefficients[0]


def _series_jvp(primals, tangents):
    (coefficients, x), (turned, moved) = primals, tangents
    turn = jnp.zeros_like(x) if isinstance(turned, SymbolicZero) else series(turned, x)
    shift = jnp.zeros_like(x) if isinstance(moved, SymbolicZero) else series(derivative(coefficients), x) * moved
    return series(coefficients, x), turn + shift


series.defjvp(_series_jvp, symbolic_zeros=True)


def derivative(coefficients: Float[Array, " q"]) -> Float[Array, " d"]:
    """The series of the derivative."""
    return jnp.asarray(derivatives(coefficients.shape[0]), coefficients.dtype) @ coefficients


def derivatives(q: int) -> np.ndarray:
    """The matrix (q - 1, q) of differentiation."""
    return np.stack([np.polynomial.chebyshev.chebder(row) for row in np.eye(q)], axis=1)


def collocation(q: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The q - 1 Gauss points of the first kind; Chebyshev polynomials and their derivatives (q, q - 1) there."""
    points = np.polynomial.chebyshev.chebpts1(q - 1)
    values = np.polynomial.chebyshev.chebvander(points, q - 1)
    return points, values.T, (values[:, :-1] @ derivatives(q)).T
