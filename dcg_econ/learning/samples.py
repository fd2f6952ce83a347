"""Samples of the gradient that an estimator gives at one place, on one batch of types: signal and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.agents.frozen import split_learned
from dcg_econ.agents.learned import AbstractPopulation
from dcg_econ.agents.sensitivity import quiet
from dcg_econ.learning.estimators import AbstractEstimator
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.objectives import AbstractObjective, Selfish
from dcg_econ.learning.protocol import as_protocol
from dcg_econ.learning.steps import first_memory
from dcg_econ.mechanism import AbstractGame


def gradient_samples(
    game: AbstractGame,
    population: AbstractPopulation,
    protocol: Any,
    *,
    estimator: AbstractEstimator,
    objective: AbstractObjective | None = None,
    of: Callable[[Any], Any] = lambda population: population,
    batch: int = 256,
    samples: int = 64,
    key: Array,
    noise: Array,
) -> Float[Array, "n P"]:
    """`samples` gradients in the parameters `of(population)`, one row each, for `diagnostics.gsnr`.

    The parameters and the batch of types, drawn with `key`, are held; what channels draw is drawn anew with `noise`. Baselines
    that remember have seen the batch once.
    """
    learned, rest = split_learned(population)
    whole = Game(game, as_protocol(protocol), estimator, objective or Selfish(), rest)
    estimator.check(game, whole.objective, whole.protocol, batch)
    return _samples(whole, learned, of, batch, samples, key, noise)


@eqx.filter_jit
def _samples(game, learned, of, batch, samples, key, noise):
    blank = first_memory(game, learned, key, batch)
    _, remembered, _ = game.gradient(learned, blank, key, 0, batch, jax.random.fold_in(noise, samples))

    def one(key_of_noise):
        direction, _, _ = game.gradient(learned, remembered, key, 0, batch, key_of_noise)
        return jnp.concatenate([x.ravel() for x in jax.tree.leaves(of(quiet(direction)))])

    return jax.lax.map(one, jax.random.split(noise, samples))
