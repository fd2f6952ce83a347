"""What training compiles: a chunk of steps of all sessions, and an assessment of where they stand."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.agents.sensitivity import notice, quiet
from dcg_econ.equilibrium.regret import regret
from dcg_econ.learning.devices import on_each
from dcg_econ.learning.episode import play
from dcg_econ.learning.gradient import Game
from dcg_econ.mechanism import AbstractMechanism

_EPISODES = 256  # of all sessions that learn side by side on a processor
_DRAWN = 4096  # episodes, of all sessions side by side, whose types are drawn at once


@eqx.filter_jit
def begin(game, learned, keys, batch):
    """What the estimator remembers of each session before anything was played."""
    return jax.vmap(lambda p, k: first_memory(game, p, k, batch))(learned, keys)


def first_memory(game: Game, learned, key: Array, batch: int):
    """What the estimator remembers of one session before anything was played."""
    shapes = jax.eval_shape(lambda p, k: game.shown(p, k, batch), learned, key)
    return game.estimator.begin(key, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes))


def learn(game: Game, optimiser, learned, state, key: Array, start: Array, length: int, batch: int, beside: int = 1):
    """`length` steps of one session from step `start`: what is learned, the optimiser's state with the estimator's memory,
    and the share that failed. `beside`: how many sessions learn side by side, this one included.

    Batches are drawn for many steps at once: a call of the generator takes a processor ten times as long as the numbers of
    a small batch.
    """
    size = _largest_divisor(length, _DRAWN // (batch * beside))

    def step(carry, at):
        learned, (moments, remembered) = carry
        t, draw = at
        direction, remembered, failed = game.ascent(learned, remembered, draw, t, batch)
        descent = jax.tree.map(jnp.negative, quiet(direction))
        updates, moments = optimiser.update(descent, moments, learned)
        return (notice(eqx.apply_updates(learned, updates), direction), (moments, remembered)), failed

    def block(carry, first):
        steps = first + jnp.arange(size)
        draws = jax.vmap(lambda t: game.draw(jax.random.fold_in(key, t), batch))(steps)
        return jax.lax.scan(step, carry, (steps, draws))

    (learned, state), failed = jax.lax.scan(block, (learned, state), start + jnp.arange(0, length, size))
    return learned, state, jnp.mean(failed)


def _largest_divisor(number: int, most: int) -> int:
    return max(size for size in range(1, max(1, min(number, most)) + 1) if number % size == 0)


def together(sessions: int, batch: int) -> int:
    """How many sessions to learn side by side: all, but on processors as many as play about `_EPISODES` episodes a step.

    What so many episodes need stays in the caches; sessions in one go, 256 of them with batches of 256, took 1.6 times as
    long as one after the other. The largest divisor of `sessions`, so that all groups are of one size and compile once.
    """
    if jax.default_backend() != "cpu":
        return sessions
    return _largest_divisor(sessions, _EPISODES // batch)


@eqx.filter_jit
def advance(game, optimiser, learned, state, keys, start, length, batch, mesh):
    """`length` steps of all sessions from step `start`, split over `mesh`: what is learned, state, failed (S,).

    `state`: the optimiser's, and what the estimator remembers.
    """

    def chunk(whole, learned, state, keys):
        game, start = whole

        size = together(keys.shape[0], batch)

        def session(mine):
            learned, state, key = mine
            return learn(game, optimiser, learned, state, key, start, length, batch, beside=size)

        split = lambda x: x.reshape(len(x) // size, size, *x.shape[1:])  # noqa: E731
        groups = jax.tree.map(split, (learned, state, keys))
        done = jax.lax.map(jax.vmap(session), groups)
        return jax.tree.map(lambda x: x.reshape(keys.shape[0], *x.shape[2:]), done)

    return on_each(chunk, mesh, (game, start), learned, state, keys)


class Standing(NamedTuple):
    """Where sessions stand, each (S,): efficiency with nothing soft, the same as trained (soft, sampled), regret, and the
    mean cost of all messages of an episode in nats and in tokens."""

    efficiency: Any
    soft: Any
    regret: Any
    nats: Any
    length: Any


@eqx.filter_jit
def assess(game, learned, evaluation, step, mesh):
    """The `Standing` of every session on the same draws, split over `mesh`."""

    def each(whole, learned):
        game, evaluation, step = whole
        keys = jax.random.split(evaluation.key, evaluation.draws)

        def session(learned):
            population = eqx.combine(learned, game.rest)
            sharp, talk, settled = _efficiency(game, population, game.protocol.sharp(), None, keys)
            if talk is None:
                soft, nats, length = sharp, jnp.zeros(()), jnp.zeros(())
            else:
                branches = game.estimator.branches(game.protocol, game.mechanism.players)
                hear = None if branches is not None else game.estimator.hear(game.protocol.language, step, None)
                soft, talk, _ = _efficiency(game, population, game.protocol, hear, keys)
                nats, length = (jnp.mean(jnp.sum(x, axis=(1, 2))) for x in (talk.nats, talk.length))
            if talk is None and isinstance(game.mechanism, AbstractMechanism):
                epsilon = jnp.where(settled, regret(game.mechanism, population, evaluation).epsilon, jnp.nan)
            else:
                epsilon = jnp.full((), jnp.nan)
            return Standing(sharp, soft, epsilon, nats, length)

        return jax.vmap(session)(learned)

    return on_each(each, mesh, (game, evaluation, step), learned)


def _efficiency(game: Game, population, protocol, hear, keys):
    """Efficiency over plays, NaN where one did not settle; their talk; whether any settled."""
    episodes = jax.vmap(lambda k: play(game.mechanism, population, protocol, key=k, hear=hear))(keys)
    settled = jax.vmap(game.mechanism.settled)(episodes.outcome)
    efficiency = jnp.sum(episodes.welfare) / jnp.sum(episodes.first_best)
    return jnp.where(jnp.all(settled), efficiency, jnp.nan), episodes.talk, jnp.any(settled)
