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


def solved(wealth, shares=SHARE):
    """Contributions, and the equilibrium."""
    utility = public_goods.CobbDouglas(jnp.broadcast_to(shares, wealth.shape))
    eq = dcg.solve(VoluntaryContribution(utility, jnp.asarray(wealth)))
    return np.asarray(eq.strategies.message), eq


def replicate():
    even = np.full(PLAYERS, WEALTH)
    given, eq = solved(even)
    moved, taken, unequal = solved(even + MOVED)[0], solved(even + TAKEN)[0], solved(WEALTHS, SHARES)[0]
    return {
        "nash": given.sum(),
        "first_best": eq.first_best,
        "neutral_level": moved.sum() - given.sum(),
        "neutral_consumption": np.max(np.abs((even + MOVED - moved) - (even - given))),
        "loser_gives": taken[0],
        "not_neutral": taken.sum(),
        "unequal": unequal.sum(),
        "free_riders": np.sum(unequal == 0),
    }


def independent():
    """Best replies in turn, and the total at which what players want to give to it adds up to it."""

    def wanted(total):
        return np.maximum(0, WEALTHS - total * (1 - SHARES) / SHARES)

    def settled(wealth):
        given = np.zeros(PLAYERS)
        for i in np.tile(np.arange(PLAYERS), 200):
            others = given.sum() - given[i]
            given[i] = max(0, SHARE * (wealth[i] + others) - others)
        return given

    total = brentq(lambda total: wanted(total).sum() - total, 1e-6, WEALTHS.sum(), xtol=1e-13)
    taken = settled(WEALTH + TAKEN)
    loss = minimize_scalar(lambda x: -((1 - x) ** (1 - SHARE)) * (PLAYERS * x) ** SHARE, bounds=(0, 1)).fun
    return {
        "nash": settled(np.full(PLAYERS, WEALTH)).sum(),
        "first_best": -loss * PLAYERS * WEALTH,  # x: the share of its wealth that everybody gives
        "loser_gives": taken[0],
        "not_neutral": taken.sum(),
        "unequal": total,
        "free_riders": np.sum(wanted(total) == 0),
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
