"""Sims (2003): attention to a normal variable at a price per nat, in theory, on a grid, and as learned through a channel."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

import dcg_econ as dcg
from dcg_econ.agents import Attentive
from dcg_econ.mechanisms import GaussianChoice, inattention

PRICE, PRICES, FAR = 0.4, (0.2, 0.4, 0.8), 0.05
TRAINING = {"sessions": 8, "steps": 1500, "batch": 256, "record_draws": 100_000, "records": 1}
GRID = np.linspace(-4, 4, 25)
PAYOFFS, PRIOR = -((GRID[:, None] - GRID) ** 2), norm.pdf(GRID) / norm.pdf(GRID).sum()

jax.config.update("jax_enable_x64", True)


def chooser(key):
    look, act = jax.random.split(key)
    return Attentive(eqx.nn.Linear(1, 2, key=look), eqx.nn.Linear(1, 1, key=act))


def learned(price):
    """Nats of each session at the end of learning."""
    told = dcg.Continuous(width=1, price=price, through=dcg.GaussianBottleneck(limit=30.0))
    run = dcg.train(GaussianChoice(1.0), chooser, dcg.Protocol(told, private=True), key=jax.random.key(1), **TRAINING)
    return np.asarray(run.nats[:, -1])


def replicate():
    theory = inattention.GaussianAttention(1.0, jnp.array([*PRICES, 2.0]))
    nats = {f"learned_nats_0_{10 * price:.0f}": learned(price) for price in PRICES}
    return {
        "posterior_variance": theory.posterior_variance[1],
        "rate": theory.rate[1],
        "no_attention": theory.rate[3],
        "distortion_rate": inattention.gaussian_distortion(1.0, 1.0),
        "discrete": inattention.attention(PAYOFFS, PRIOR, PRICE).value,
        **{name: own.mean() for name, own in nats.items()},
        "failed_sessions": np.sum(np.abs(np.stack(list(nats.values())) - theory.rate[:3, None]) > FAR),
    }


def independent():
    """A signal whose noise has the variance 1 / t, searched for; and the algorithm of Blahut and Arimoto on the grid."""

    def nats(t):
        return 0.5 * np.log1p(t)

    def best(price):
        return minimize_scalar(lambda t: 1 / (1 + t) + price * nats(t), bounds=(0, 100), options={"xatol": 1e-10}).x

    weights, p = np.exp(PAYOFFS / PRICE), np.full(len(GRID), 1 / len(GRID))
    for _ in range(5000):
        p = p * (PRIOR @ (weights / (weights @ p)[:, None]))
    return {
        "posterior_variance": 1 / (1 + best(PRICE)),
        "rate": nats(best(PRICE)),
        "no_attention": nats(best(2.0)),
        "distortion_rate": 1 / (1 + brentq(lambda t: nats(t) - 1, 0, 100)),
        "discrete": PRICE * PRIOR @ np.log(weights @ p),
        **{f"learned_nats_0_{10 * price:.0f}": nats(best(price)) for price in PRICES},
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
