"""Tolerances that follow the precision: closed forms are promised in 64 bits, and 32 bits give what they can."""

from __future__ import annotations

import jax.numpy as jnp


def step_tolerance(dtype) -> float:
    """When an iteration may stop: 7e-11 in 64 bits, 3e-5 in 32."""
    return float(jnp.finfo(dtype).eps) ** 0.65


def residual_tolerance(dtype) -> float:
    """The largest first-order residual of a root, in the units of price: 7e-9 in 64 bits, 3e-3 in 32."""
    return 100 * step_tolerance(dtype)


def regret_tolerance(dtype) -> float:
    """The largest regret of an equilibrium, a share of first best: 1e-8 in 64 bits, 1e-5 in 32."""
    return max(1e-8, 100 * float(jnp.finfo(dtype).eps))
