"""The root of a scalar function that rises throughout, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Float

_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)
_SCALAR = frozenset({lx.diagonal_tag})
_STEPS = 64


def monotone_root(
    residual: Callable[[Array], Array], start: Float[Array, ""], bounds: dict[str, Any] | None = None
) -> Float[Array, ""]:
    """Newton's method from `start`, to rounding; the last iterate where that is not reached."""
    tolerance = 16 * float(jnp.finfo(start.dtype).eps)
    solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_SAFE)
    found = optx.root_find(
        lambda y, _: residual(y),
        solver,
        start,
        options=bounds,
        max_steps=_STEPS,
        adjoint=_ADJOINT,
        tags=_SCALAR,
        throw=False,
    )
    return found.value
