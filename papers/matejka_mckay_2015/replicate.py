"""Matejka and McKay (2015): a choice whose attention has a price is a logit with chances that come before the facts."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from dcg_econ.mechanisms import inattention

LAM, SAFE = 0.4, 0.5
BUS = np.array([[1.0, 0.0], [0.0, 0.6]])  # states down: what bus and train pay
PRIOR = np.array([0.4, 0.6])

jax.config.update("jax_enable_x64", True)


def risky(chance_of_zero):
    """An action that pays 0 or 1 where another pays .5 for sure."""
    payoffs, prior = jnp.array([[0.0, SAFE], [1.0, SAFE]]), jnp.array([chance_of_zero, 1 - chance_of_zero])
    return inattention.attention(payoffs, prior, LAM)


def replicate():
    even = inattention.attention(jnp.eye(2), jnp.full(2, 0.5), 0.5)
    bus = inattention.attention(jnp.asarray(BUS), jnp.asarray(PRIOR), LAM)
    colours = inattention.attention(jnp.asarray(BUS[:, [0, 0, 1]]), jnp.asarray(PRIOR), LAM)
    return {
        "right_choice": even.conditional[0, 0],
        "risky": risky(0.6).probabilities[0],
        "risky_ignored": risky(0.9).probabilities[0],
        "condition_ignored": 1 - risky(0.9).slack[0],
        "bus": bus.probabilities[0],
        "red_and_blue_bus": jnp.sum(colours.probabilities[:2]) - bus.probabilities[0],
        "condition": jnp.max(1 - jnp.concatenate([bus.slack, colours.slack, even.slack])),
        "nats": even.rate,
    }


def independent():
    """The first-order condition in the chance of the bus, and two expectations taken by hand."""
    weights, chances = np.exp(BUS / LAM), np.array([expit(1 / 0.5), expit(-1 / 0.5)])

    def slope(bus):
        return PRIOR @ ((weights[:, 0] - weights[:, 1]) / (weights @ np.array([bus, 1 - bus])))

    return {
        "condition_ignored": (0.9 + 0.1 * np.exp(1 / LAM)) / np.exp(SAFE / LAM),
        "bus": brentq(slope, 0, 1, xtol=1e-14),
        "nats": np.log(2) + chances @ np.log(chances),
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
