"""The clearing price: the root of one scalar equation, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float

# A singular lane under vmap must not bring the others down: a linear solve that tolerates it, forward and backward.
SCALAR = frozenset({lx.diagonal_tag})
_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)


def clear(
    excess: Callable[[Array], Array], guess: Float[Array, ""], max_steps: int = 24
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """The price at which `excess` demand is zero, and whether one was found.

    Newton's method; the derivative in everything that `excess` closes over is implicit.
    Where no root is found the price is the last iterate and the flag is False. Schedules that fall take 3 to 7 steps;
    `max_steps` is kept small because under `jax.vmap` every lane waits for the slowest.
    """
    solver = optx.Newton(rtol=1e-10, atol=1e-10, linear_solver=_SAFE)
    sol = optx.root_find(
        lambda p, _: excess(p),
        solver,
        guess,
        max_steps=max_steps,
        adjoint=_ADJOINT,
        tags=SCALAR,
        throw=False,
    )
    found = (sol.result == optx.RESULTS.successful) & jnp.isfinite(sol.value)
    return sol.value, found
