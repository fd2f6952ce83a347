"""Sims (2003): attention to a normal variable at a price per nat, in theory, on a grid, and as learned through a channel."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

import dcg_econ as dcg
from dcg_econ.agents import Attentive
from dcg_econ.mechanisms import GaussianChoice, inattention

PRICE, PRICES, SESSIONS, FAR = 0.4, (0.2, 0.4, 0.8), 8, 0.2
GRID = np.linspace(-4, 4, 25)

jax.config.update("jax_enable_x64", True)


def chooser(key):
    look, act = jax.random.split(key)
    return Attentive(eqx.nn.Linear(1, 2, key=look), eqx.nn.Linear(1, 1, key=act))


def learned(price):
    """Nats of each session at the end of learning."""
    language = dcg.Continuous(width=1, price=price, through=dcg.GaussianBottleneck(limit=30.0))
    protocol = dcg.Protocol(language, private=True)
    run = dcg.train(
        GaussianChoice(sd=1.0), chooser, protocol, steps=1500, batch=256, sessions=SESSIONS, key=jax.random.key(1)
    )
    return np.asarray(run.nats[:, -1])


def payoffs_and_prior():
    weights = norm.pdf(GRID)
    return -((GRID[:, None] - GRID[None, :]) ** 2), weights / weights.sum()


def replicate():
    theory = inattention.GaussianAttention(1.0, PRICE)
    nats = {price: learned(price) for price in PRICES}
    far = [np.abs(own - float(inattention.GaussianAttention(1.0, price).rate)) > FAR for price, own in nats.items()]
    grid = inattention.attention(*map(jnp.asarray, payoffs_and_prior()), PRICE)
    return {
        "posterior_variance": theory.posterior_variance,
        "rate": theory.rate,
        "no_attention": inattention.GaussianAttention(1.0, 2.0).rate,
        "distortion_rate": inattention.gaussian_distortion(1.0, 1.0),
        "discrete": grid.value,
        **{f"learned_nats_{str(price).replace('.', '_')}": own.mean() for price, own in nats.items()},
        "failed_sessions": np.sum(far),
    }


def independent():
    """The algorithm of Blahut and Arimoto on the grid."""
    payoffs, prior = payoffs_and_prior()
    weights, p = np.exp(payoffs / PRICE), np.full(len(GRID), 1 / len(GRID))
    for _ in range(5000):
        p = p * (prior @ (weights / (weights @ p)[:, None]))
    return {"discrete": PRICE * prior @ np.log(weights @ p)}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
