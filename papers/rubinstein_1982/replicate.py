"""Rubinstein (1982): two players divide a pie of size one by offers in turn, each with its own discount factor."""

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.mechanisms import AlternatingOffers

DELTA = (0.9, 0.8)
RATES = (0.05, 0.1)  # of time preference, for rounds of length h: delta = exp(-rate h)
LENGTHS = (1e-3, 1e-4)
STEP = 1e-5  # of central differences

jax.config.update("jax_enable_x64", True)


def replicate():
    game = AlternatingOffers(delta=DELTA)
    eq = dcg.solve(game)
    slopes = dcg.sensitivity(game, lambda eq: eq.payoffs)["delta"][0]
    coarse, fine = (dcg.solve(AlternatingOffers(jnp.exp(-jnp.array(RATES) * h))).payoffs[0] for h in LENGTHS)
    return {
        "share": eq.payoffs[0],
        "equal_players": dcg.solve(AlternatingOffers(delta=0.75)).payoffs[0],
        "answering": 1 - eq.strategies.ask[1],
        "least_accepted": eq.strategies.accept[1],
        "own_patience": slopes[0],
        "other_patience": slopes[1],
        "short_rounds": (10 * fine - coarse) / 9,  # the error is of first order in h
        "regret": eq.regret,
    }


def independent():
    """Backward induction over so many rounds that the last one no longer matters."""

    def asks(delta):
        """What each asks who proposes first."""
        ask = (1.0, 1.0)
        for _ in range(int(np.ceil(80 / -np.log(delta[0] * delta[1])))):
            ask = 1 - delta[1] * ask[1], 1 - delta[0] * ask[0]
        return np.array(ask)

    def slope(player):
        step = STEP * np.eye(2)[player]
        return (asks(DELTA + step)[0] - asks(DELTA - step)[0]) / (2 * STEP)

    coarse, fine = (asks(np.exp(-np.array(RATES) * h))[0] for h in LENGTHS)
    return {
        "answering": 1 - asks(DELTA)[1],
        "least_accepted": DELTA[1] * asks(DELTA)[1],
        "own_patience": slope(0),
        "other_patience": slope(1),
        "short_rounds": (10 * fine - coarse) / 9,
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
