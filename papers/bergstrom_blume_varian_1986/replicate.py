"""Bergstrom, Blume and Varian (1986): voluntary contributions to a public good, and who pays when wealth is moved."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms import VoluntaryContribution, public_goods

SHARE, WEALTH, PLAYERS = 0.4, 2.0, 4
MOVED = np.array([0.2, -0.2, 0.1, -0.1])  # less than what each gives
TAKEN = np.array([-1.6, 0.5, 0.5, 0.6])  # more than the first gives
SHARES, WEALTHS = np.array([0.3, 0.3, 0.5, 0.6]), np.array([0.5, 2.0, 3.0, 4.0])

jax.config.update("jax_enable_x64", True)


def solved(shares, wealth):
    """Contributions, and the equilibrium."""
    eq = dcg.solve(VoluntaryContribution(public_goods.CobbDouglas(jnp.asarray(shares)), jnp.asarray(wealth)))
    return np.asarray(eq.strategies.message), eq


def replicate():
    even = np.full(PLAYERS, SHARE), np.full(PLAYERS, WEALTH)
    given, eq = solved(*even)
    moved, _ = solved(even[0], even[1] + MOVED)
    taken, _ = solved(even[0], even[1] + TAKEN)
    unequal, _ = solved(SHARES, WEALTHS)
    return {
        "nash": given.sum(),
        "first_best": eq.first_best,
        "neutral_level": moved.sum() - given.sum(),
        "neutral_consumption": np.max(np.abs((WEALTH + MOVED - moved) - (WEALTH - given))),
        "loser_gives": taken[0],
        "not_neutral": taken.sum(),
        "unequal": unequal.sum(),
        "free_riders": np.sum(unequal == 0),
    }


def independent():
    """Best replies in turn, and the total at which what players want to give to it adds up to it."""

    def wanted(total):
        return np.maximum(0, WEALTHS - total * (1 - SHARES) / SHARES)

    def loss(share):
        """Of equal players who each give this share of their wealth."""
        return -PLAYERS * (WEALTH * (1 - share)) ** (1 - SHARE) * (PLAYERS * WEALTH * share) ** SHARE

    given, wealth = np.zeros(PLAYERS), WEALTH + TAKEN
    for _ in range(200):
        for i in range(PLAYERS):
            others = given.sum() - given[i]
            given[i] = max(0, SHARE * (wealth[i] + others) - others)
    total = brentq(lambda total: wanted(total).sum() - total, 1e-6, WEALTHS.sum(), xtol=1e-13)
    best = minimize_scalar(loss, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-10})
    return {
        "first_best": -best.fun,
        "not_neutral": given.sum(),
        "unequal": total,
        "free_riders": np.sum(wanted(total) == 0),
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
