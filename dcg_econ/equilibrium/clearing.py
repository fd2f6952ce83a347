"""The clearing price: the root of one scalar equation, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float

from dcg_econ.equilibrium.tolerances import step_tolerance

# A singular lane under vmap must not bring the others down: a linear solve that tolerates it, forward and backward.
_SCALAR = frozenset({lx.diagonal_tag})
_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)
_HALVINGS = 60


def clear(
    excess: Callable[[Array], Array], guess: Float[Array, ""], low: Array, high: Array, max_steps: int = 24
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """The price at which `excess` demand is zero, and whether one was found (inside finite bounds or not).

    Newton's method from `guess`; where it fails and excess demand changes sign between finite bounds, bisection first
    (schedules with kinks and flat pieces). The derivative in everything that `excess` closes over is implicit. Where no
    root is found the price is the last iterate and the flag is False. Schedules that fall smoothly take 3 to 7 steps;
    `max_steps` is kept small because under `jax.vmap` every lane waits for the slowest.
    """
    tolerance = step_tolerance(guess.dtype)
    solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_SAFE)
    bounded = jnp.isfinite(low) & jnp.isfinite(high)
    a, b = jnp.where(bounded, low, guess - 1), jnp.where(bounded, high, guess + 1)
    at_a, at_b = jax.lax.stop_gradient((excess(a), excess(b)))
    # Excess demand over its own slope is in units of the price, so that one tolerance serves pounds and tons.
    slope = jax.lax.stop_gradient(jax.grad(excess)(guess))
    unit = jnp.maximum(jnp.abs(slope), jnp.abs(at_b - at_a) / (b - a))
    unit = jnp.where((unit > 0) & jnp.isfinite(unit), unit, 1.0)

    def newton(start):
        sol = optx.root_find(
            lambda p, _: excess(p) / unit,
            solver,
            start,
            max_steps=max_steps,
            adjoint=_ADJOINT,
            tags=_SCALAR,
            throw=False,
        )
        return sol.value, (sol.result == optx.RESULTS.successful) & jnp.isfinite(sol.value)

    first, found = jax.lax.stop_gradient(newton(guess))
    found = found & (~bounded | (first >= a) & (first <= b))
    bracket = bounded & (at_a > 0) & (at_b < 0)
    middle = _bisect(excess, a, b, ~found & bracket)
    price, settled = newton(jnp.where(found, first, middle))
    return price, settled & (found | bracket)


def _bisect(excess, a, b, wanted):
    """The middle of a bracket after halving; lanes that do not want it cost nothing unless another does."""

    def more(state):
        step, _, _ = state
        return wanted & (step < _HALVINGS)

    def halve(state):
        step, a, b = state
        middle = 0.5 * (a + b)
        above = jax.lax.stop_gradient(excess(middle)) > 0
        return step + 1, jnp.where(above, middle, a), jnp.where(above, b, middle)

    _, a, b = jax.lax.while_loop(more, halve, (jnp.asarray(0), *jax.lax.stop_gradient((a, b))))
    return 0.5 * (a + b)
