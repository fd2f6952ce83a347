"""A small bargaining game with talk, and joint tests of gradient samples."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

import dcg_econ as dcg
from dcg_econ.agents import SeparateSpeakers
from dcg_econ.agents.frozen import split_learned
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.talk import heard_size
from dcg_econ.mechanisms import DoubleAuction, SoftAuction

GAME = SoftAuction(DoubleAuction(k=0.4), width=0.2)


def bargainers(protocol, width=3):
    """A buyer and a seller who talk as `protocol` says, each with nets of its own."""
    heard = heard_size(protocol, GAME.players)
    first, second, third = jax.random.split(jax.random.key(3), 3)
    bidders = dcg.Bidders(
        dcg.BidAgent(key=first, width=width, heard=heard), dcg.BidAgent(key=second, width=width, heard=heard)
    )
    told = 1 + heard + (protocol.turns if protocol.turns > 1 else 0)
    speakers = SeparateSpeakers(
        lambda k: eqx.nn.MLP(told, protocol.language.raw, width, 1, jax.nn.tanh, key=k), 2, key=third
    )
    return dcg.Talkers(bidders, speakers, turns=protocol.turns)


def sampler(protocol, estimator, batch, objective=None, population=None):
    """(sample, P): `sample(keys)` are gradients (n, P), types held, one for each key of what channels draw."""
    learned, rest = split_learned(bargainers(protocol) if population is None else population)
    game = Game(GAME, protocol, estimator, objective or dcg.Selfish(), rest)
    data = jax.random.key(7)
    drawn = jax.eval_shape(lambda p: game.shown(p, data, batch), learned)
    blank = estimator.begin(data, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), drawn))
    _, memory, _ = game.gradient(learned, blank, data, 0, batch, data)  # baselines remember a batch

    @jax.jit
    def sample(keys):
        def one(key):
            direction, _, failed = game.gradient(learned, memory, data, 0, batch, key)
            return flat(direction), failed

        found, failed = jax.lax.map(one, keys, batch_size=256)
        return found, jnp.max(failed)

    def checked(keys):
        found, failed = sample(keys)
        assert float(failed) == 0
        return np.asarray(found)

    return checked


def flat(tree):
    return jnp.concatenate([x.ravel() for x in jax.tree.leaves(tree)])


def projections(size, count, seed=0):
    return np.random.default_rng(seed).normal(size=(size, count)) / np.sqrt(size)


def hotelling(samples, truth):
    """The p-value of one joint test that the mean of samples (n, d) is `truth` (d,)."""
    n, d = samples.shape
    gap = samples.mean(0) - truth
    t2 = n * gap @ np.linalg.solve(np.cov(samples.T).reshape(d, d), gap)
    return stats.f.sf(t2 * (n - d) / (d * (n - 1)), d, n - d)
