"""Features of kernels of finite rank: monomials, whose weights add in sums of kernels and convolve in products."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ.messages.kernels import AbstractKernel, AbstractMonomial, Linear, Polynomial, Product, Sum


def features(kernel: AbstractKernel, x: Array) -> Array | None:
    """Features of a kernel of finite rank, shape x.shape + (rank,); None where the rank is infinite."""
    return _expand(kernel, lambda degree: [x**k for k in range(degree)])


def feature_slopes(kernel: AbstractKernel, x: Array) -> Array | None:
    """d features / dx, shape x.shape + (rank,); None where the rank is infinite."""
    return _expand(kernel, lambda degree: [k * x ** max(k - 1, 0) for k in range(degree)])


def feature_integrals(kernel: AbstractKernel, a: Array, b: Array) -> Array | None:
    """The integrals of the features from a to b, shape broadcast(a, b) + (rank,); None where the rank is infinite."""
    return _expand(kernel, lambda degree: [(b ** (k + 1) - a ** (k + 1)) / (k + 1) for k in range(degree)])


def _expand(kernel: AbstractKernel, monomials) -> Array | None:
    weights = _monomial_weights(kernel)
    if weights is None:
        return None
    terms = jnp.stack([jnp.asarray(t, weights.dtype) for t in jnp.broadcast_arrays(*monomials(weights.shape[0]))], -1)
    live = _live_degrees(kernel)
    return (jnp.sqrt(weights) * terms)[..., live]


def _monomial_weights(kernel: AbstractKernel) -> Array | None:
    """w_k such that k(x, y) = sum_k w_k (x y)^k, or None; sums add them and products convolve them."""
    if isinstance(kernel, AbstractMonomial):
        return kernel.weights()
    if not isinstance(kernel, Sum | Product):
        return None
    first, second = _monomial_weights(kernel.first), _monomial_weights(kernel.second)
    if first is None or second is None:
        return None
    if isinstance(kernel, Product):
        return jnp.convolve(first, second)
    size = max(first.shape[0], second.shape[0])
    return jnp.pad(first, (0, size - first.shape[0])) + jnp.pad(second, (0, size - second.shape[0]))


def _live_degrees(kernel: AbstractKernel) -> np.ndarray:
    """The degrees whose weight is not zero by construction (known without looking at any array)."""
    return np.flatnonzero(_degree_mask(kernel))


def _degree_mask(kernel: AbstractKernel) -> np.ndarray:
    if isinstance(kernel, Sum | Product):
        first, second = _degree_mask(kernel.first), _degree_mask(kernel.second)
        if isinstance(kernel, Product):
            return np.convolve(first, second) > 0
        size = max(first.size, second.size)
        return (np.pad(first, (0, size - first.size)) + np.pad(second, (0, size - second.size))) > 0
    if isinstance(kernel, Linear):
        return np.array([0.0, 1.0])
    return np.ones(kernel.degree + 1 if isinstance(kernel, Polynomial) else 1)
