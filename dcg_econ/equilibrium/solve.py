"""Equilibria by first-order conditions: one root-finding problem in the coefficients of a strategy profile.

    R(x; mechanism) = 0                                                                                 (1)

x the free coefficients, R the mechanism's `residuals`. Optimistix finds the root; its derivative in the mechanism's
parameters is implicit, dx = -(R_x)^-1 R_m dm. Acceptance is by regret, not by the solver having stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete
from dcg_econ.agents.frozen import split_learned
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.equilibrium.linear import Tolerant
from dcg_econ.equilibrium.regret import regret
from dcg_econ.equilibrium.result import Equilibrium
from dcg_econ.equilibrium.tolerances import regret_tolerance, residual_tolerance, step_tolerance
from dcg_econ.mechanism import AbstractMechanism

_DRAWS = 64  # of types in their support, at which an equilibrium must have an outcome


def solve(
    mechanism: AbstractMechanism,
    strategies: AbstractStrategy | None = None,
    solver: optx.AbstractRootFinder | None = None,
    adjoint: optx.AbstractAdjoint | None = None,
    max_steps: int = 64,
    tolerance: float | None = None,
) -> Equilibrium:
    """The equilibrium of `mechanism` in the class of `strategies`, started there; differentiable in every parameter.

    `tolerance` is the largest regret accepted, as a share of first best (by default 1e-8, or 1e-5 in 32 bits).
    Alone it raises `EquilibriumError` with a remedy where there is none; under `jax.vmap`, `jax.jit` or a derivative
    the lane carries `converged = False` and NaN values, and the others stay whole.
    """
    start = mechanism.initial_profile() if strategies is None else strategies
    _check(mechanism, start)
    dtype = jnp.result_type(float)
    one_unknown = sum(leaf.size for leaf in jax.tree.leaves(split_learned(start)[0])) == 1
    linear = Tolerant(lx.Diagonal() if one_unknown else lx.LU())
    step = step_tolerance(dtype)
    solver = solver or optx.Newton(step, step, linear_solver=linear)
    tolerance = regret_tolerance(dtype) if tolerance is None else tolerance
    adjoint = adjoint or optx.ImplicitAdjoint(linear_solver=linear)
    eq = _solve(mechanism, start, solver, adjoint, max_steps, tolerance)
    if is_concrete(eq.converged) and eq.converged.ndim == 0 and not bool(eq.converged):
        raise EquilibriumError(_why(mechanism, eq, tolerance))
    return eq


def _check(mechanism: AbstractMechanism, start: Any) -> None:
    """Refuses a start that is no profile of this mechanism's players."""
    if not isinstance(start, AbstractStrategy):
        raise InputError(
            "strategies", f"{type(start).__name__} is no strategy", "give one such as dcg.ProportionalDemand"
        )
    start.check(mechanism.players)


def _why(mechanism: AbstractMechanism, eq: Equilibrium, tolerance: float) -> str:
    """What to tell the user when nothing was accepted."""
    bits = "" if jnp.result_type(float) == jnp.float64 else " (JAX runs in 32 bits: try jax_enable_x64)"
    if not bool(eq.solved):
        return mechanism.no_equilibrium() + bits
    if not bool(eq.first_best > 0):
        return (
            f"the expected first best is {float(eq.first_best):.4g}, so that efficiency and regret, which are shares of it, "
            "are not defined: raise the values (in markets: let `outside_price` be the price at which outside demand is nil)"
        )
    if not bool(eq.settled):
        return (
            "the equilibrium has no outcome for some types (a price outside `price_bounds`, a public good below zero): widen "
            "the bounds, or change `supply` or the priors"
        )
    return f"{mechanism.no_equilibrium()} (regret {float(eq.regret):.3g} exceeds {tolerance:g}){bits}"


@eqx.filter_jit
def _solve(mechanism, start, solver, adjoint, max_steps, tolerance) -> Equilibrium:
    profile, solved, residual, steps = _root(mechanism, start, solver, adjoint, max_steps)
    payoffs, welfare = mechanism.expectations(profile)
    first_best = mechanism.expected_first_best()
    # The evidence is not differentiated.
    fixed_mechanism, fixed_profile = jax.lax.stop_gradient((mechanism, profile))
    found = regret(fixed_mechanism, fixed_profile)
    settled = solved & _settled(fixed_mechanism, fixed_profile)
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
        settled=settled,
        converged=settled & (found.epsilon <= tolerance),
        n_steps=steps,
        mechanism=type(mechanism).__name__,
        players=mechanism.players,
        selection=mechanism.selection(start),
    )


def _root(mechanism, start, solver, adjoint, max_steps):
    """Solves (1): the profile, whether it is an admissible root, its largest residual, and the steps taken."""
    flat, profile_of = _flat(start)

    def conditions(x, game):
        profile = game.bind(profile_of(x))
        return profile.unknowns(game.residuals(profile, profile))

    tags = frozenset({lx.diagonal_tag}) if flat.shape[0] == 1 else frozenset()
    sol = optx.root_find(
        conditions, solver, flat, args=mechanism, adjoint=adjoint, max_steps=max_steps, tags=tags, throw=False
    )
    profile = mechanism.bind(profile_of(sol.value))
    residual = jnp.max(jnp.abs(mechanism.residuals(profile, profile)))
    good = (
        (sol.result == optx.RESULTS.successful)
        & (residual <= residual_tolerance(flat.dtype))
        & mechanism.admissible(profile)
    )
    # Lanes without a root go on with the start, so that nothing downstream of them divides by zero.
    profile = jax.tree.map(lambda x, x0: jnp.where(good, x, x0), profile, start)
    return profile, good, jax.lax.stop_gradient(residual), sol.stats["num_steps"]


def _flat(profile: AbstractStrategy) -> tuple[Array, Callable[[Array], AbstractStrategy]]:
    """The free coefficients as one vector, and the way back to a profile."""
    free, rest = split_learned(profile)
    flat, unravel = ravel_pytree(free)
    return flat, lambda x: eqx.combine(unravel(x), rest)


def _settled(mechanism: AbstractMechanism, profile: Any) -> Array:
    """Whether there is an outcome at every one of some draws of the types (cubature nodes may lie outside)."""

    def at(key):
        types = mechanism.sample_types(key)
        return mechanism.settled(mechanism.outcome(mechanism.reports(profile, types)))

    return jnp.all(jax.vmap(at)(jax.random.split(jax.random.key(0), _DRAWS)))


def _best_reply_radius(mechanism: AbstractMechanism, profile: AbstractStrategy) -> Float[Array, ""]:
    """The spectral radius of d (best replies) / d (profile): -A^-1 B, A and B the derivatives of the conditions in the
    players' own coefficients and in the others'; NaN for a class that best replies to its members leave."""
    if not profile.replies_stay:
        return jnp.asarray(jnp.nan)
    flat, profile_of = _flat(profile.expand(len(mechanism.players)))

    def conditions(own, others):
        return mechanism.residuals(profile_of(own), profile_of(others)).ravel()

    own, cross = jax.jacfwd(conditions, argnums=(0, 1))(flat, flat)
    return jnp.max(jnp.abs(jnp.linalg.eigvals(jnp.linalg.solve(own, cross))))
