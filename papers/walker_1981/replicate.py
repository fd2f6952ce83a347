"""Walker (1981): a mechanism whose Nash equilibria are Lindahl's, and which repeated best replies leave."""

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.mechanisms import Walker, public_goods

INTERCEPT, CURVATURE, COST = np.array([10.0, 12.0, 14.0, 16.0, 30.0]), np.array([1.0, 2.0, 3.0, 4.0, 8.0]), 2.0

jax.config.update("jax_enable_x64", True)


def game(intercept, curvature):
    return Walker(public_goods.QuadraticPreferences(intercept, curvature), COST)


def radius(players, curvature):
    return dcg.solve(game(INTERCEPT[:players], np.full(players, curvature))).stability


def replicate():
    walker = game(INTERCEPT, CURVATURE)
    eq = dcg.solve(walker)
    outcome = walker.provide(eq.strategies.message)
    lindahl = public_goods.lindahl_allocation(walker, walker.preferences.at(jnp.zeros(())))
    drawn = jax.random.uniform(jax.random.key(1), (1000, len(INTERCEPT)), minval=-5.0, maxval=5.0)
    surplus = jax.vmap(lambda x: walker.budget_surplus(walker.provide(x)))(drawn)
    return {
        "level": outcome.built - lindahl.level,
        "taxes": jnp.max(jnp.abs(outcome.taxes - lindahl.prices * lindahl.level)),
        "efficiency": eq.efficiency,
        "budget": jnp.max(jnp.abs(surplus)),
        "radius_3": radius(3, 1.0),
        "radius_5": radius(5, 1.0),
        "radius_3_flat": radius(3, 0.1),
        "radius_5_flat": radius(5, 0.1),
    }


def independent():
    """Player i pays (cost / N + x_{i+1} - x_{i+2}) Y, so that a - 2 b Y = that price; slopes by numpy."""

    def radius(players, b):
        price = np.roll(np.eye(players), 1, axis=1) - np.roll(np.eye(players), 2, axis=1)
        slopes = -2 * b * np.ones((players, players)) - price  # of du_i / dx_i, in x_j
        replies = -slopes / np.diag(slopes)[:, None] + np.eye(players)
        return np.max(np.abs(np.linalg.eigvals(replies)))

    curvatures = {"": 1.0, "_flat": 0.1}
    return {f"radius_{n}{name}": radius(n, b) for n in (3, 5) for name, b in curvatures.items()}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
