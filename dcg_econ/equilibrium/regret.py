"""Regret: how much a player could still gain by deviating, the epsilon of an epsilon-equilibrium.

    regret_i = E over situations [ max over reports of interim payoff - interim payoff of the own report ]     (1)
    regret = max_i regret_i / E first best                                                             (2)

The expectation over what a player does not know is inside `interim_payoff`, taken *before* the maximum. The maximum is
global: the mechanism's grid of reports, then golden-section search (Optimistix) around its best point.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Float

from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.mechanism import AbstractMechanism


class AbstractSituations(eqx.Module):
    """The situations over which regret takes its outer expectation."""

    @abstractmethod
    def nodes(self, mechanism: AbstractMechanism, profile: Any) -> tuple[Any, Float[Array, " k"]]:
        """Types at k nodes (leading axis) and their weights."""


class Cubature(AbstractSituations):
    """The mechanism's own nodes: in markets exact where payoffs are quadratic and strategies affine."""

    def nodes(self, mechanism, profile):
        return mechanism.situations(profile)


class Draws(AbstractSituations):
    """Independent draws of the types, for profiles of any shape."""

    draws: int = eqx.field(static=True, default=1024)
    key: Array = eqx.field(default_factory=lambda: jax.random.key(0))

    def nodes(self, mechanism, profile):
        del profile
        types = jax.vmap(mechanism.sample_types)(jax.random.split(self.key, self.draws))
        return types, jnp.full(self.draws, 1 / self.draws)


class Regret(eqx.Module):
    """What deviations would gain: `epsilon` and `largest_gain` in shares of expected first best, by player in payoffs.

    `by_player` (N,): expected gain; `standard_error` (): of epsilon, over situations (not defined for cubature nodes,
    where it is zero); `largest_gain` (): at the worst situation looked at; `curvature` (): the largest second
    derivative of payoff in the own report, negative where following the profile is a strict local maximum.
    """

    epsilon: Float[Array, ""]
    by_player: Float[Array, " N"]
    standard_error: Float[Array, ""]
    largest_gain: Float[Array, ""]
    curvature: Float[Array, ""]

    def __float__(self):
        return float(self.epsilon)

    def __str__(self):
        return f"regret {float(self.epsilon):.3g} of first best (largest gain seen {float(self.largest_gain):.3g})"


def regret(mechanism: AbstractMechanism, profile: Any, over: AbstractSituations | None = None) -> Regret:
    """The regret of any profile, learned ones too; `over` defaults to cubature for strategies in closed form.

    A profile is an equilibrium up to `regret(...).epsilon`. Between grid points the search is local, so for payoffs
    with more than one peak between two points of the mechanism's grid it is a lower bound. Where a mechanism's deviations are
    ex post (demand schedules), the gain is of a deviator who sees the others' types: for strategies in closed form a
    schedule can do as well, for learned ones it is an upper bound on the interim gain. NaN if E first best <= 0.
    """
    if over is None:
        over = Cubature() if isinstance(profile, AbstractStrategy) else Draws()
    sampled = not isinstance(over, Cubature)
    return _regret(mechanism, profile, over, sampled)


@eqx.filter_jit
def _regret(mechanism, profile, over, sampled):
    types, weights = over.nodes(mechanism, profile)
    profile = mechanism.prepared(profile)
    players = jnp.arange(len(mechanism.players))

    def at_node(node):
        return jax.vmap(lambda i: _gain(mechanism, profile, i, node))(players)

    gains, curvatures = jax.vmap(at_node)(types)
    scale = mechanism.expected_first_best()
    scale = jnp.where(scale > 0, scale, jnp.nan)  # a share of nothing, or of a loss, means nothing
    by_player = weights @ gains
    worst = jnp.argmax(by_player)
    error = jnp.sqrt(jnp.sum(weights**2 * (gains[:, worst] - by_player[worst]) ** 2)) if sampled else jnp.zeros(())
    return Regret(by_player[worst] / scale, by_player, error / scale, jnp.max(gains) / scale, jnp.max(curvatures))


def _gain(mechanism, profile, player, types):
    """The ex-post or interim gain of the best deviation of one player in one situation, and the payoff's curvature."""
    payoff = mechanism.facing(profile, player, types)
    own = mechanism.own_report(profile, player, types)
    grid = mechanism.report_grid(profile, player, types)
    values = jax.vmap(payoff)(grid)
    best = jnp.argmax(values)
    start, end = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, grid.shape[0] - 1)]

    def inside(share):
        return start + share * (end - start)

    # The search runs on [0, 1]: Optimistix 0.1.0 misplaces its first point where the lower bound is not zero.
    solver = optx.GoldenSearch(rtol=1e-7, atol=1e-7)
    options = {"lower": 0.0, "upper": 1.0}
    half = jnp.full_like(start, 0.5)
    sol = optx.minimise(lambda u, _: -payoff(inside(u)), solver, half, options=options, max_steps=64, throw=False)
    reached = jnp.maximum(jnp.max(values), payoff(inside(jnp.clip(sol.value, 0, 1))))
    return jnp.maximum(reached - payoff(own), 0), jax.grad(jax.grad(payoff))(own)
