"""Groves and Ledyard (1977), Chen and Tang (1998): Nash is efficient; whether players get there depends on gamma."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

import dcg_econ as dcg
from dcg_econ.mechanisms import GrovesLedyard, public_goods

INTERCEPT, CURVATURE, COST = np.array([26.0, 104, 38, 82, 60]), np.array([1.0, 8, 2, 6, 4]), 100.0
SPREAD = np.array([1.0, 2, 3, 4, 8])  # curvatures of the second group
N = len(INTERCEPT)

jax.config.update("jax_enable_x64", True)


def game(gamma, intercept=INTERCEPT, curvature=CURVATURE):
    return GrovesLedyard(public_goods.QuadraticPreferences(intercept, curvature), gamma, COST)


def cross_derivatives(gamma, messages):
    """d2 u_i / dx_i dx_j, the diagonal left out."""
    mechanism = game(gamma)
    types = mechanism.preferences.at(jnp.zeros(()))
    found = jax.hessian(lambda x: mechanism.payoffs(types, mechanism.provide(x)))(messages)
    return jnp.einsum("iij->ij", found)[~np.eye(N, dtype=bool)]


def replicate():
    low, high = dcg.solve(game(1.0)), dcg.solve(game(100.0))
    drawn = jax.random.uniform(jax.random.key(1), (1000, N), minval=-4.0, maxval=6.0)
    surplus = jax.vmap(lambda x: game(1.0).budget_surplus(game(1.0).provide(x)))
    path = public_goods.dynamics(
        game(100.0), public_goods.BestResponse(inertia=0.5), start=high.strategies.message + 1, rounds=200
    )
    threshold = brentq(lambda gamma: float(jnp.min(cross_derivatives(gamma, drawn[0]))), 1.0, 300.0)
    return {
        "level": jnp.sum(low.strategies.message),
        "efficiency": low.efficiency,
        **{f"message_{i + 1}": x for i, x in enumerate(low.strategies.message)},
        "largest_message_100": jnp.max(high.strategies.message),
        "budget": jnp.max(jnp.abs(surplus(drawn))),
        "supermodular": threshold,
        **{f"radius_{g}": dcg.solve(game(float(g), INTERCEPT, SPREAD)).stability for g in (1, 50, 300)},
        "settles_100": np.isfinite(path.rounds_to(high.strategies.message, 1e-6)),
    }


def independent():
    """First-order conditions a - 2 b Y = cost / N + gamma (x_i - mean x) and the slopes of best replies, with numpy."""

    def slopes(curvature, gamma):
        return gamma / N * np.ones((N, N)) - 2 * curvature[:, None] - gamma * np.eye(N)

    def nash(gamma):
        return np.linalg.solve(slopes(CURVATURE, gamma), COST / N - INTERCEPT)

    def radius(gamma):
        matrix = slopes(SPREAD, gamma)
        replies = -matrix / np.diag(matrix)[:, None] + np.eye(N)
        return np.max(np.abs(np.linalg.eigvals(replies)))

    return {
        "level": nash(1.0).sum(),
        **{f"message_{i + 1}": x for i, x in enumerate(nash(1.0))},
        "largest_message_100": nash(100.0).max(),
        **{f"radius_{gamma}": radius(float(gamma)) for gamma in (1, 50, 300)},
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
