"""What learned talk and learned attention come to, by quadrature over types and noise instead of draws."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import dcg_econ as dcg
from dcg_econ.experiments.specification import Training
from dcg_econ.experiments.talkers import players_for
from dcg_econ.learning import default_optimiser

REACH = 7.0  # standard deviations that sums over a normal variable cover: beyond lies less than 3e-12
NODES, HEARD = (
    701,
    1401,
)  # evenly spaced: of the narrowest law here, of sd .2, 20 points of HEARD to a standard deviation
SAID = 1e-3  # a word that no type says more often is not in use
TYPES = 2001  # midpoints of equal cells of [0, 1]


class Channel(NamedTuple):
    """Of a learned channel from x to a number heard: the squared error of the action, E KL to N(0, I) (what is charged),
    the mutual information itself, and what the latter would be were the channel linear as it is at the mean of x."""

    error: jax.Array
    charged: jax.Array
    information: jax.Array
    linear: jax.Array


def learned(game, protocol, seed=0, learning_rate=1e-2, estimator=None, **settings):
    """A run of `dcg.train` with the lab's own players."""
    make = players_for(game, protocol, Training())
    optimiser = default_optimiser(settings["steps"], learning_rate)
    settings = {"records": 2, "record_draws": 64, "batch": 256} | settings
    return dcg.train(
        game, make, protocol, estimator=estimator, optimiser=optimiser, key=jax.random.key(seed), **settings
    )


def channel_of(population, through, sd):
    """`Channel` of a population of one number, with x normal of standard deviation `sd`."""
    z, weights = _normal(NODES)
    signals, spreads = (part[:, 0] for part in jax.vmap(lambda x: through.law(population.look(x[None])))(sd * z))
    noise, chances = _normal(NODES)
    heard = signals[:, None] + spreads[:, None] * noise
    actions = jax.vmap(jax.vmap(lambda y: population.act(y[None])[0]))(heard)
    error = weights @ ((actions - sd * z[:, None]) ** 2 @ chances)
    charged = weights @ (0.5 * (signals**2 + spreads**2 - 1) - jnp.log(spreads))
    law = jax.grad(lambda x: through.law(population.look(x[None]))[0][0])
    middle = through.law(population.look(jnp.zeros(1)))[1][0]
    linear = 0.5 * jnp.log1p((sd * law(0.0) / middle) ** 2)
    return Channel(error, charged, _information(signals, spreads, weights), linear)


def _normal(count):
    z = jnp.linspace(-REACH, REACH, count)
    density = jnp.exp(-0.5 * z**2)
    return z, density / density.sum()


def _information(signals, spreads, weights):
    """h(heard) - h(heard | x) in nats."""
    low, high = jnp.min(signals - REACH * spreads), jnp.max(signals + REACH * spreads)
    y = jnp.linspace(low, high, HEARD)
    each = jnp.exp(-0.5 * ((y - signals[:, None]) / spreads[:, None]) ** 2) / (spreads[:, None] * np.sqrt(2 * np.pi))
    density = weights @ each
    entropy = -jnp.sum(jax.scipy.special.xlogy(density, density)) * (y[1] - y[0])
    return entropy - weights @ (jnp.log(spreads) + 0.5 * np.log(2 * np.pi * np.e))


class Choice(NamedTuple):
    """Of a learned stochastic choice: P(a | s), its mutual information and what is charged (nats), and the expected payoff."""

    conditional: jax.Array
    information: jax.Array
    charged: jax.Array
    payoff: jax.Array


def choice_of(population, game):
    raw = jax.vmap(population.look)(jnp.eye(game.prior.shape[0]))
    options = game.table.shape[1]
    logs, prior = jax.nn.log_softmax(raw[:, :options]), jax.nn.log_softmax(raw[:, options:])
    conditional = jnp.exp(logs)
    marginal = game.prior @ conditional
    information, charged = (game.prior @ jnp.sum(conditional * (logs - p), axis=1) for p in (jnp.log(marginal), prior))
    return Choice(conditional, information, charged, game.prior @ jnp.sum(conditional * game.table, axis=1))


class Talk(NamedTuple):
    """Of learned cheap talk, as learned or as said most likely: words in use by distinct action, the receiver's expected
    loss, and what sender and receiver could gain by deviating, in squared units of the type; `in_use`: the sender, were it
    confined to words that some type says."""

    cells: jax.Array
    loss: jax.Array
    sender: jax.Array
    in_use: jax.Array
    receiver: jax.Array


def talk_of(population, game):
    """(soft, greedy): both `Talk`, for types uniform on [0, 1]."""
    types = (jnp.arange(TYPES) + 0.5) / TYPES
    weights = jnp.full(TYPES, 1 / TYPES)
    logits = jax.vmap(lambda t: population.sender(t[None]))(types)
    actions = population.receiver.actions

    def of(table):
        found = game.regret_of(types, weights, table, actions)
        loss = weights @ jnp.sum(table * (types[:, None] - actions) ** 2, axis=1)
        wanted = (actions - types[:, None] - game.bias) ** 2
        best = jnp.min(jnp.where(jnp.max(table, axis=0) > SAID, wanted, jnp.inf), axis=1)
        in_use = weights @ (jnp.sum(table * wanted, axis=1) - best)
        return Talk(found.cells, loss, found.sender, in_use, found.receiver)

    return of(jax.nn.softmax(logits)), of(jax.nn.one_hot(jnp.argmax(logits, axis=1), logits.shape[1]))


def row_of(values):
    """Mean, standard deviation, least and largest over sessions, as text."""
    values = np.asarray(values, float)
    return " ".join(f"{x:9.3g}" for x in (values.mean(), values.std(), values.min(), values.max()))
