"""Training: sessions by vmap, steps by one compiled scan, a progress bar between chunks of steps.

A session is one independently initialised and trained group. Session s of a run with key k uses fold_in(k, s), and step t
of it fold_in(fold_in(k, s), t): results depend neither on how many sessions run together nor on the order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.frozen import learned_axes, split_learned, unstack_frozen
from dcg_econ.agents.learned import AbstractPopulation
from dcg_econ.equilibrium.regret import Draws
from dcg_econ.learning.checkpoint import Checkpoint
from dcg_econ.learning.devices import gathered, placement, put
from dcg_econ.learning.estimators import AbstractEstimator, default_estimator
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.objectives import AbstractObjective, Selfish, Shaped
from dcg_econ.learning.optimiser import default_optimiser
from dcg_econ.learning.protocol import as_protocol
from dcg_econ.learning.shaping import require_differentiable
from dcg_econ.learning.steps import advance, assess, begin
from dcg_econ.mechanism import AbstractGame

_EVALUATION = 2**31 - 1  # no session has this number


class Run(eqx.Module):
    """Trained populations, stacked over sessions, and their history.

    `steps` (R,): the steps after which a record was made, 0 first. All else (S, R), on fresh draws that are the same for all
    sessions: `efficiency` with nothing soft (symbols as most likely, not drawn; a hard STOP), `soft` the same as trained,
    `nats` and `length` what all messages of an episode come to, `regret` (NaN after talk: see `talk_regret`). `failed` is
    the share of training episodes since the last record that the mechanism did not settle (a price outside its bounds) or
    whose gradient is not a number; the latter are left out of the update, the former still teach. A record with an
    unsettled play has no efficiency (NaN), and one with no other has no regret: a session that diverges ends so, and the
    others go on.
    """

    agents: AbstractPopulation
    steps: Int[Array, " R"]
    efficiency: Float[Array, "S R"]
    soft: Float[Array, "S R"]
    regret: Float[Array, "S R"]
    nats: Float[Array, "S R"]
    length: Float[Array, "S R"]
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
        columns = {name: np.asarray(getattr(self, name)).ravel() for name in _Record._fields}
        index = {"session": np.repeat(np.arange(sessions), records), "step": np.tile(np.asarray(self.steps), sessions)}
        return pd.DataFrame(index | columns)

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return frame[frame["step"] == int(self.steps[-1])].to_html(index=False)


def train(
    mechanism: AbstractGame,
    agents: Callable[[Array], AbstractPopulation],
    protocol: Any = None,
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
    checkpoint: Checkpoint | None = None,
    devices: Sequence[jax.Device] | None = None,
    watch: Callable[[int, AbstractPopulation], None] | None = None,
) -> Run:
    """Trains `sessions` populations side by side, each initialised by `agents(key)`.

    A step plays `batch` fresh episodes, with the talk of `protocol` before the reports: `Silence()` by default, a language that
    everybody speaks once, or a `Protocol`. `estimator` defaults to what suits the two (`default_estimator`), and
    `optimiser` to `default_optimiser(steps)`; compiled code is found again for the same object only, whatever the numbers
    of the mechanism. `progress(done, steps, text)` is called after each of the `records` chunks of steps. With a
    `checkpoint`, the same call goes on where an earlier one was interrupted and ends in the same numbers (OSError where it
    cannot be written). `devices`: sessions are shared out over the largest number of them that divides `sessions`.
    `watch(step, population)` is shown the first session's players at every record.
    """
    _check(mechanism, agents, checkpoint, steps=steps, batch=batch, sessions=sessions, records=records)
    protocol = as_protocol(protocol)
    protocol.speaking(mechanism.players)
    optimiser = optimiser or default_optimiser(steps)
    keys = jax.vmap(lambda s: jax.random.fold_in(key, s))(jnp.arange(sessions))
    learned, rest = split_learned(unstack_frozen(eqx.filter_vmap(agents)(keys)))
    estimator, objective = estimator or default_estimator(mechanism, protocol), objective or Selfish()
    estimator.check(mechanism, objective, protocol, batch)
    if isinstance(objective, Shaped):
        require_differentiable(estimator)
    game = Game(mechanism, protocol, estimator, objective, rest)
    evaluation = Draws(record_draws, jax.random.fold_in(key, _EVALUATION))
    marks = np.linspace(0, steps, min(records, steps) + 1).round().astype(int).tolist()
    keeper = _Keeper(checkpoint, marks, sessions, (marks, batch, *_given(game, keys, evaluation)))
    state = jax.vmap(optimiser.init)(learned), begin(game, learned, keys, batch)
    now = keeper.load(_Standing(learned, state, ()))

    where = placement(devices, keys)
    game, evaluation = put((game, evaluation), where.whole)
    keys, now = put((keys, now), where.by_session)

    def assessed(learned, state, records, failed):
        standing = assess(game, learned, evaluation, jnp.asarray(marks[len(records)]), where.mesh)
        return _Standing(learned, state, (*records, _Record(**standing._asdict(), failed=failed)))

    def report():
        if progress is not None:
            last = _Record(*map(np.asarray, now.records[-1]))
            more = f"{last.nats.mean():.2f} nats" if protocol.turns else f"regret {last.regret.mean():.1e}"
            text = f"efficiency {last.efficiency.mean():.4f}, {more}"
            progress(marks[len(now.records) - 1], steps, text)

    def show():
        if watch is not None:
            watch(marks[len(now.records) - 1], eqx.combine(jax.tree.map(lambda x: x[0], now.learned), rest))

    if now.records:
        report()
    else:
        now = assessed(now.learned, now.state, (), jnp.zeros(sessions))
    show()
    for start, stop in pairwise(marks[len(now.records) - 1 :]):
        learned, state, failed = advance(
            game, optimiser, now.learned, now.state, keys, jnp.asarray(start), stop - start, batch, where.mesh
        )
        now = assessed(learned, state, now.records, failed)
        keeper.save(now)
        report()
        show()
    learned, columns = gathered(
        (now.learned, [jnp.stack(column, axis=1) for column in zip(*now.records, strict=True)]), where
    )
    return Run(eqx.combine(learned, rest), jnp.asarray(marks), *columns)


class _Record(NamedTuple):
    """What is on record after a chunk, each (S,): the `Standing`, and what failed since the last."""

    efficiency: Any
    soft: Any
    regret: Any
    nats: Any
    length: Any
    failed: Any


class _Standing(NamedTuple):
    """Where a training stands: what changes while learning, and the records so far, the first before any step."""

    learned: Any
    state: Any
    records: tuple[_Record, ...]


class _Keeper:
    """Takes a training to its checkpoint and back; does nothing without one."""

    def __init__(self, checkpoint: Checkpoint | None, marks: list[int], sessions: int, given: Any):
        self.checkpoint, self.marks, self.sessions, self.given = checkpoint, marks, sessions, given
        self.saved = time.monotonic()

    def load(self, fresh: _Standing) -> _Standing:
        """The training as it was saved, or `fresh`."""
        if self.checkpoint is None:
            return fresh

        def shapes(records):
            column = jax.ShapeDtypeStruct((records, self.sessions), jnp.result_type(float))
            return fresh.learned, fresh.state, [column] * len(_Record._fields)

        found = self.checkpoint.load(self.given, {step: shapes(n + 1) for n, step in enumerate(self.marks) if n})
        if found is None:
            return fresh
        learned, state, columns = found
        return _Standing(learned, state, tuple(_Record(*row) for row in zip(*map(np.asarray, columns), strict=True)))

    def save(self, now: _Standing) -> None:
        """Saves if it is time; waits for the computation first, since time passes there and not where it is asked for."""
        if self.checkpoint is None:
            return
        jax.block_until_ready(now)
        if time.monotonic() - self.saved >= self.checkpoint.every:
            columns = [np.stack(column).astype(jnp.result_type(float)) for column in zip(*now.records, strict=True)]
            self.checkpoint.save(self.marks[len(now.records) - 1], self.given, (now.learned, now.state, columns))
            self.saved = time.monotonic()


def _given(game: Game, keys: Array, evaluation: Draws) -> tuple:
    """What must be the same for a training to go on, as far as it can be written down."""
    parts = (game.mechanism, game.protocol, game.estimator, game.objective)
    kinds = [type(part).__qualname__ for part in parts]
    arrays = eqx.filter((*parts, game.rest, keys, evaluation.key), eqx.is_array)
    return kinds, evaluation.draws, arrays


def _check(mechanism, agents, checkpoint, **counts):
    """Raises `InputError` for arguments of `train` that cannot be used."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(mechanism):
        if eqx.is_inexact_array(leaf) and is_concrete(leaf) and np.any(np.isnan(leaf)):
            raise InputError("mechanism", f"{jax.tree_util.keystr(path)[1:]} is not a number", "give finite numbers")
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(name, f"{value!r}", "give a whole number above zero")
    if isinstance(agents, AbstractPopulation) or not callable(agents):
        raise InputError(
            "agents", f"{type(agents).__name__}", "give a function of a key, e.g. lambda key: dcg.Shared(...)"
        )
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise InputError("checkpoint", f"{checkpoint!r}", 'give dcg.Checkpoint("name of a file")')
