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


def game(gamma, curvature=CURVATURE):
    return GrovesLedyard(public_goods.QuadraticPreferences(INTERCEPT, curvature), gamma, COST)


def least_cross_derivative(gamma):
    """Of d2 u_i / dx_i dx_j, i other than j; the same at all messages."""
    mechanism = game(gamma)
    types = mechanism.preferences.at(jnp.zeros(()))
    found = jax.hessian(lambda x: mechanism.payoffs(types, mechanism.provide(x)))(jnp.ones(N))
    return float(jnp.min(jnp.einsum("iij->ij", found)[~np.eye(N, dtype=bool)]))


def replicate():
    low, high, drawn_on = dcg.solve(game(1.0)), dcg.solve(game(100.0)), game(1.0)
    drawn = jax.random.uniform(jax.random.key(1), (1000, N), minval=-4.0, maxval=6.0)
    surplus = jax.vmap(lambda x: drawn_on.budget_surplus(drawn_on.provide(x)))(drawn)
    return {
        "level": jnp.sum(low.strategies.message),
        "efficiency": low.efficiency,
        **{f"message_{i + 1}": x for i, x in enumerate(low.strategies.message)},
        "largest_message_100": jnp.max(high.strategies.message),
        "budget": jnp.max(jnp.abs(surplus)),
        "supermodular": brentq(least_cross_derivative, 1.0, 300.0),
        "design_radius_1": low.stability,
        "design_radius_100": high.stability,
        **{f"radius_{g}": dcg.solve(game(float(g), SPREAD)).stability for g in (1, 50, 300)},
    }


def independent():
    """First-order conditions a - 2 b Y = cost / N + gamma (x_i - mean x) and the slopes of best replies, with numpy."""

    def slopes(gamma, curvature=CURVATURE):
        return gamma / N * np.ones((N, N)) - 2 * curvature[:, None] - gamma * np.eye(N)

    def radius(gamma, curvature=CURVATURE):
        matrix = slopes(gamma, curvature)
        return np.max(np.abs(np.linalg.eigvals(np.eye(N) - matrix / np.diag(matrix)[:, None])))

    low, high = (np.linalg.solve(slopes(gamma), COST / N - INTERCEPT) for gamma in (1.0, 100.0))
    found = {"level": low.sum(), "largest_message_100": high.max()} | {f"message_{i + 1}": x for i, x in enumerate(low)}
    found |= {f"design_radius_{gamma}": radius(float(gamma)) for gamma in (1, 100)}
    return found | {f"radius_{gamma}": radius(float(gamma), SPREAD) for gamma in (1, 50, 300)}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
