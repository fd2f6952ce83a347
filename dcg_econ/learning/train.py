"""Training: sessions by vmap, steps by one compiled scan, a progress bar between chunks of steps.

A session is one independently initialised and trained group. Session s of a run with key k uses fold_in(k, s), and step t
of it fold_in(fold_in(k, s), t): results depend neither on how many sessions run together nor on the order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError
from dcg_econ.agents.learned import AbstractPopulation, learned_axes, split_learned, unstack_frozen
from dcg_econ.equilibrium.regret import Draws, regret
from dcg_econ.learning.episode import AbstractProtocol, Silence, play
from dcg_econ.learning.estimators import AbstractEstimator, Pathwise
from dcg_econ.learning.objectives import AbstractObjective, Selfish
from dcg_econ.mechanism import AbstractMechanism

_EVALUATION = 2**31 - 1  # no session has this number


class Run(eqx.Module):
    """Trained populations, stacked over sessions, and their history.

    `steps` (R,): the steps after which a record was made, 0 first. `efficiency`, `regret`, `failed` (S, R): on fresh
    draws, the same for all sessions; `failed` is the share of training episodes since the last
    record that the mechanism did not settle (a price outside its bounds) or whose gradient is not a number; the latter
    are left out of the update, the former still teach. A record with an unsettled play has no efficiency (NaN).
    """

    agents: AbstractPopulation
    steps: Int[Array, " R"]
    efficiency: Float[Array, "S R"]
    regret: Float[Array, "S R"]
    failed: Float[Array, "S R"]

    @property
    def sessions(self) -> int:
        return self.efficiency.shape[0]

    def session(self, index: int) -> AbstractPopulation:
        """The population of one session, a profile like any other."""
        axes = learned_axes(self.agents)
        return jax.tree.map(
            lambda x, axis: x if axis is None else x[index], self.agents, axes, is_leaf=lambda x: x is None
        )

    def map(self, function: Callable[[AbstractPopulation], Any]) -> Any:
        """`function` of every session's population at once, by vmap."""
        return eqx.filter_vmap(function, in_axes=(learned_axes(self.agents),))(self.agents)

    def to_frame(self):
        """A pandas frame, one row for each session and record."""
        import pandas as pd

        sessions, records = self.efficiency.shape
        columns = {name: np.asarray(getattr(self, name)).ravel() for name in ("efficiency", "regret", "failed")}
        index = {"session": np.repeat(np.arange(sessions), records), "step": np.tile(np.asarray(self.steps), sessions)}
        return pd.DataFrame(index | columns)


def train(
    mechanism: AbstractMechanism,
    agents: Callable[[Array], AbstractPopulation],
    protocol: AbstractProtocol | None = None,
    *,
    estimator: AbstractEstimator | None = None,
    objective: AbstractObjective | None = None,
    optimiser: optax.GradientTransformation | None = None,
    steps: int = 2000,
    batch: int = 256,
    sessions: int = 1,
    records: int = 20,
    record_draws: int = 256,
    key: Array,
    progress: Callable[[int, int, str], None] | None = None,
) -> Run:
    """Trains `sessions` populations side by side, each initialised by `agents(key)`.

    A step plays `batch` fresh episodes. `optimiser` defaults to Adam from 1e-2 with cosine decay, gradients clipped to
    norm 1. `progress(done, steps, text)` is called after each of the `records` chunks of steps.
    """
    for name, value in {"steps": steps, "batch": batch, "sessions": sessions, "records": records}.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(name, f"{value!r}", "give a whole number above zero")
    if isinstance(agents, AbstractPopulation) or not callable(agents):
        raise InputError(
            "agents", f"{type(agents).__name__}", "give a function of a key, e.g. lambda key: dcg.Shared(...)"
        )
    if protocol is not None and not isinstance(protocol, AbstractProtocol):
        raise InputError("protocol", f"{protocol!r}", "give dcg.Silence(), the only protocol so far")
    records = min(records, steps)
    optimiser = optimiser or optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(1e-2, steps))
    )
    keys = jax.vmap(lambda s: jax.random.fold_in(key, s))(jnp.arange(sessions))
    population = unstack_frozen(eqx.filter_vmap(agents)(keys))
    learned, rest = split_learned(population)
    state = jax.vmap(optimiser.init)(learned)
    game = _Game(mechanism, estimator or Pathwise(), objective or Selfish(), optimiser, rest)
    evaluation = Draws(record_draws, jax.random.fold_in(key, _EVALUATION))

    history = [(0, *_assess(game, learned, evaluation), jnp.zeros(sessions))]
    marks = np.linspace(0, steps, records + 1).round().astype(int)
    for start, stop in pairwise(marks):
        learned, state, failed = _chunk(game, learned, state, keys, jnp.asarray(start), int(stop - start), batch)
        history.append((int(stop), *_assess(game, learned, evaluation), failed))
        if progress is not None:
            _, efficiency, epsilon, _ = history[-1]
            progress(
                int(stop), steps, f"efficiency {float(jnp.mean(efficiency)):.4f}, regret {float(jnp.mean(epsilon)):.1e}"
            )
    done, efficiency, epsilon, failed = zip(*history, strict=True)
    columns = (jnp.stack(column, axis=1) for column in (efficiency, epsilon, failed))
    return Run(eqx.combine(learned, rest), jnp.asarray(done), *columns)


class _Game(eqx.Module):
    """Everything that stays the same while learning."""

    mechanism: AbstractMechanism
    estimator: AbstractEstimator
    objective: AbstractObjective
    optimiser: optax.GradientTransformation = eqx.field(static=True)
    rest: Any

    def gradient(self, learned, key, batch):
        """The ascent direction of one session on `batch` episodes, shaped like `learned`; and the share that failed."""
        types = jax.vmap(self.mechanism.sample_types)(jax.random.split(key, batch))
        known = jax.vmap(self.mechanism.known)(types)
        numbers, pull = jax.vjp(lambda p: jax.vmap(eqx.combine(p, self.rest).numbers)(known), learned)
        assemble = eqx.combine(learned, self.rest).assemble

        def one(numbers, types):
            def outcome(x):
                return self.mechanism.outcome(self.mechanism.handed_in(assemble(x), types))

            def payoffs(x):
                return self.mechanism.payoffs(types, outcome(x))

            _, own = self.estimator.gradient(payoffs, numbers, self.objective)
            good = jnp.all(jnp.isfinite(own))
            settled = self.mechanism.settled(outcome(numbers))
            return jnp.where(good, own, 0), ~(good & settled)

        own, bad = jax.vmap(one)(numbers, types)
        (direction,) = pull(own / batch)
        return direction, jnp.mean(bad)


@eqx.filter_jit
def _chunk(game, learned, state, keys, start, length, batch):
    """`length` steps of all sessions."""

    def step(carry, t):
        def session(learned, state, key):
            direction, failed = game.gradient(learned, jax.random.fold_in(key, t), batch)
            descent = jax.tree.map(jnp.negative, direction)
            updates, state = game.optimiser.update(descent, state, learned)
            return eqx.apply_updates(learned, updates), state, failed

        learned, state = carry
        learned, state, failed = jax.vmap(session)(learned, state, keys)
        return (learned, state), failed

    (learned, state), failed = jax.lax.scan(step, (learned, state), start + jnp.arange(length))
    return learned, state, jnp.mean(failed, axis=0)


@eqx.filter_jit
def _assess(game, learned, evaluation):
    """Efficiency and regret of every session on the same draws."""
    keys = jax.random.split(evaluation.key, evaluation.draws)

    def session(learned):
        population = eqx.combine(learned, game.rest)
        episodes = jax.vmap(lambda k: play(game.mechanism, population, Silence(), key=k))(keys)
        settled = jnp.all(jax.vmap(game.mechanism.settled)(episodes.outcome))
        efficiency = jnp.sum(episodes.welfare) / jnp.sum(episodes.first_best)
        found = regret(game.mechanism, population, evaluation)
        return jnp.where(settled, efficiency, jnp.nan), found.epsilon

    return jax.vmap(session)(learned)
