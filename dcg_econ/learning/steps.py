"""What training compiles: a chunk of steps of all sessions, and an assessment of where they stand."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from dcg_econ.equilibrium.regret import regret
from dcg_econ.learning.devices import on_each
from dcg_econ.learning.episode import Silence, play
from dcg_econ.learning.estimators import AbstractEstimator
from dcg_econ.learning.objectives import AbstractObjective
from dcg_econ.mechanism import AbstractMechanism


class Game(eqx.Module):
    """What the gradient of learning is made of, besides what is learned."""

    mechanism: AbstractMechanism
    estimator: AbstractEstimator
    objective: AbstractObjective
    rest: Any

    def gradient(self, learned, key, batch):
        """The ascent direction of one session on `batch` episodes, shaped like `learned`; and the share that failed."""
        types = jax.vmap(self.mechanism.sample_types)(jax.random.split(key, batch))
        known = jax.vmap(self.mechanism.known)(types)
        numbers, pull = jax.vjp(lambda p: jax.vmap(eqx.combine(p, self.rest).numbers)(known), learned)
        population = eqx.combine(jax.lax.stop_gradient(learned), self.rest)
        setting = self.estimator.setting(self.mechanism, population)
        # Beyond it payoffs overflow, and Lineax raises on what is not finite in a derivative, for all sessions at once.
        limit = float(jnp.finfo(numbers.dtype).max) ** (1 / 3)

        def one(numbers, types):
            whole = jnp.all(jnp.abs(numbers) < limit)
            numbers = jnp.where(whole, numbers, 0)

            def payoffs(x):
                return self.estimator.payoffs(self.mechanism, setting, population.assemble(x), types)

            _, own = self.estimator.gradient(payoffs, numbers, self.objective)
            good = whole & jnp.all(jnp.isfinite(own))
            reports = self.mechanism.handed_in(population.assemble(numbers), types)
            settled = self.mechanism.settled(self.mechanism.outcome(reports))
            return jnp.where(good, own, 0), ~(good & settled)

        own, bad = jax.vmap(one)(numbers, types)
        (direction,) = pull(own / batch)
        return direction, jnp.mean(bad)


@eqx.filter_jit
def advance(game, optimiser, learned, state, keys, start, length, batch, mesh):
    """`length` steps of all sessions from step `start`, split over `mesh`: what is learned, optimiser state, failed (S,)."""

    def chunk(whole, learned, state, keys):
        game, start = whole

        def step(carry, t):
            def session(learned, state, key):
                direction, failed = game.gradient(learned, jax.random.fold_in(key, t), batch)
                descent = jax.tree.map(jnp.negative, direction)
                updates, state = optimiser.update(descent, state, learned)
                return eqx.apply_updates(learned, updates), state, failed

            learned, state = carry
            learned, state, failed = jax.vmap(session)(learned, state, keys)
            return (learned, state), failed

        (learned, state), failed = jax.lax.scan(step, (learned, state), start + jnp.arange(length))
        return learned, state, jnp.mean(failed, axis=0)

    return on_each(chunk, mesh, (game, start), learned, state, keys)


@eqx.filter_jit
def assess(mechanism, rest, learned, evaluation, mesh):
    """Efficiency and regret (S,) of every session on the same draws, split over `mesh`."""

    def each(whole, learned):
        mechanism, rest, evaluation = whole
        keys = jax.random.split(evaluation.key, evaluation.draws)

        def session(learned):
            population = eqx.combine(learned, rest)
            episodes = jax.vmap(lambda k: play(mechanism, population, Silence(), key=k))(keys)
            settled = jax.vmap(mechanism.settled)(episodes.outcome)
            efficiency = jnp.sum(episodes.welfare) / jnp.sum(episodes.first_best)
            epsilon = regret(mechanism, population, evaluation).epsilon
            return jnp.where(jnp.all(settled), efficiency, jnp.nan), jnp.where(jnp.any(settled), epsilon, jnp.nan)

        return jax.vmap(session)(learned)

    return on_each(each, mesh, (mechanism, rest, evaluation), learned)
