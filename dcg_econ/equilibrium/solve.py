"""Equilibria by first-order conditions: one root-finding problem in the coefficients of a strategy profile.

    R(x; mechanism) = 0                                                                                 (1)

x the free coefficients, R the mechanism's `residuals`. Optimistix finds the root; its derivative in the mechanism's
parameters is implicit, dx = -(R_x)^-1 R_m dm. Acceptance is by regret, not by the solver having stopped.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError, is_concrete
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.equilibrium.linear import Tolerant
from dcg_econ.equilibrium.regret import regret
from dcg_econ.equilibrium.result import Equilibrium
from dcg_econ.mechanism import AbstractMechanism

REGRET_TOLERANCE = 1e-8  # share of first best; quadratic payoffs turn a residual of 1e-10 into far less
RESIDUAL_TOLERANCE = 1e-8


def solve(
    mechanism: AbstractMechanism,
    strategies: AbstractStrategy | None = None,
    solver: optx.AbstractRootFinder | None = None,
    adjoint: optx.AbstractAdjoint | None = None,
    max_steps: int = 64,
    tolerance: float = REGRET_TOLERANCE,
) -> Equilibrium:
    """The equilibrium of `mechanism` in the class of `strategies`, started there; differentiable in every parameter.

    Alone it raises `EquilibriumError` with a remedy where there is none; under `jax.vmap`, `jax.jit` or a derivative
    the lane carries `converged = False` and NaN values, and the others stay whole.
    """
    start = mechanism.initial_profile() if strategies is None else strategies
    one_unknown = sum(leaf.size for leaf in jax.tree.leaves(start)) == 1
    linear = Tolerant(lx.Diagonal() if one_unknown else lx.LU())
    solver = solver or optx.Newton(1e-10, 1e-10, linear_solver=linear)
    adjoint = adjoint or optx.ImplicitAdjoint(linear_solver=linear)
    eq = _solve(mechanism, start, solver, adjoint, max_steps, tolerance)
    if is_concrete(eq.converged) and eq.converged.ndim == 0 and not bool(eq.converged):
        why = "" if not bool(eq.solved) else f" (regret {float(eq.regret):.3g} exceeds {tolerance:g})"
        raise EquilibriumError(mechanism.no_equilibrium() + why)
    return eq


@eqx.filter_jit
def _solve(mechanism, start, solver, adjoint, max_steps, tolerance) -> Equilibrium:
    profile, solved, residual, steps = _root(mechanism, start, solver, adjoint, max_steps)
    payoffs, welfare, first_best = _expectations(mechanism, profile)
    # The evidence is not differentiated.
    fixed_mechanism, fixed_profile = jax.lax.stop_gradient((mechanism, profile))
    found = regret(fixed_mechanism, fixed_profile)
    mask = lambda value: jnp.where(solved, value, jnp.nan)  # noqa: E731
    return Equilibrium(
        strategies=jax.tree.map(mask, profile),
        payoffs=mask(payoffs),
        welfare=mask(welfare),
        first_best=first_best,
        residual=residual,
        regret=mask(found.epsilon),
        largest_gain=mask(found.largest_gain),
        second_order=mask(found.curvature),
        stability=mask(_best_reply_radius(fixed_mechanism, fixed_profile)),
        solved=solved,
        converged=solved & (found.epsilon <= tolerance),
        n_steps=steps,
        mechanism=type(mechanism).__name__,
        players=mechanism.players,
        selection=mechanism.selection,
    )


def _root(mechanism, start, solver, adjoint, max_steps):
    """Solves (1): the profile, whether it is an admissible root, its largest residual, and the steps taken."""
    flat, unravel = ravel_pytree(start)

    def conditions(x, game):
        profile = unravel(x)
        return profile.unknowns(game.residuals(profile))

    tags = frozenset({lx.diagonal_tag}) if flat.shape[0] == 1 else frozenset()
    sol = optx.root_find(
        conditions, solver, flat, args=mechanism, adjoint=adjoint, max_steps=max_steps, tags=tags, throw=False
    )
    profile = unravel(sol.value)
    residual = jnp.max(jnp.abs(mechanism.residuals(profile)))
    good = (sol.result == optx.RESULTS.successful) & (residual <= RESIDUAL_TOLERANCE) & mechanism.admissible(profile)
    # Lanes without a root go on with the start, so that nothing downstream of them divides by zero.
    profile = jax.tree.map(lambda x, x0: jnp.where(good, x, x0), profile, start)
    return profile, good, jax.lax.stop_gradient(residual), sol.stats["num_steps"]


def _expectations(mechanism: AbstractMechanism, profile: Any) -> tuple[Float[Array, " N"], Array, Array]:
    """Expected payoffs, welfare and first best over the mechanism's cubature."""
    types, weights = mechanism.cubature()

    def at_node(node):
        outcome = mechanism.outcome(mechanism.reports(profile, node))
        return mechanism.payoffs(node, outcome), mechanism.welfare(node, outcome), mechanism.first_best(node)

    payoffs, welfare, first_best = jax.vmap(at_node)(types)
    return weights @ payoffs, weights @ welfare, weights @ first_best


def _best_reply_radius(mechanism: AbstractMechanism, profile: AbstractStrategy) -> Float[Array, ""]:
    """The spectral radius of d (best replies) / d (profile): -D^-1 (R_x - D), D the players' own blocks of R_x."""
    n = len(mechanism.players)
    flat, unravel = ravel_pytree(profile.expand(n))
    size = flat.shape[0] // n
    # ravel_pytree puts coefficients first and players last: x has shape (size, n).
    jacobian = jax.jacfwd(lambda x: mechanism.residuals(unravel(x)))(flat).reshape(n, size, size, n)
    jacobian = jnp.moveaxis(jacobian, 3, 2)  # [player, condition, by player, by coefficient]
    own = jacobian[jnp.arange(n), :, jnp.arange(n), :]
    cross = jacobian * (1 - jnp.eye(n))[:, None, :, None]
    replies = -jnp.linalg.solve(own, cross.reshape(n, size, n * size)).reshape(n * size, n * size)
    return jnp.max(jnp.abs(jnp.linalg.eigvals(replies)))
