"""The gradient that training follows, of one session on a batch of episodes.

It is taken at taps on everything that players emit, raw numbers of messages and what each makes of its report, with all
parameters held; a player's own taps, and no others, are then pulled back through its nets, with what they heard held.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.agents.inner import noisy
from dcg_econ.agents.transformer import listening
from dcg_econ.learning.estimators import AbstractEstimator, Drawn
from dcg_econ.learning.objectives import AbstractObjective, Joint, Shaped
from dcg_econ.learning.protocol import AbstractProtocol, Protocol
from dcg_econ.learning.rows import own_rows
from dcg_econ.learning.shaping import shaped_direction
from dcg_econ.learning.talk import Talk, Taps, converse, memory
from dcg_econ.mechanism import AbstractGame


class Draw(NamedTuple):
    """What the E episodes of a batch are played on: types, what players know of them, keys of talk, numbers of words."""

    types: Any
    known: Any
    keys: Array
    branches: Array | None


class Passage(NamedTuple):
    """What the derivative of an episode needs not: its talk, what was heard, what length cost, whether anything failed."""

    talk: Talk | None
    heard: Array | None
    length_charges: Array
    whole: Array
    settled: Array


class Game(eqx.Module):
    """What the gradient of learning is made of, besides what is learned."""

    mechanism: AbstractGame
    protocol: AbstractProtocol
    estimator: AbstractEstimator
    objective: AbstractObjective
    rest: Any

    def draw(self, key: Array, batch: int, noise: Array | None = None) -> Draw:
        """A batch; each episode is repeated for every course that talk can take, where the estimator asks for that.

        `noise`: another key for what channels draw, so that types are held while it is redrawn.
        """
        keys = jax.random.split(key, batch)
        types = jax.vmap(self.mechanism.sample_types)(keys)
        keys = keys if noise is None else jax.random.split(noise, batch)
        draw = Draw(
            types, jax.vmap(self.mechanism.known)(types), jax.vmap(lambda k: jax.random.fold_in(k, 1))(keys), None
        )
        branches = self.estimator.branches(self.protocol, self.mechanism.players)
        if branches is None:
            return draw
        repeated = jax.tree.map(lambda x: jnp.repeat(x, len(branches), axis=0), draw)
        return repeated._replace(branches=jnp.tile(jnp.asarray(branches), (batch, 1, 1)))

    def shown(self, learned, key: Array, batch: int) -> Drawn:
        """What a batch comes to, for its shapes."""
        population = eqx.combine(learned, self.rest)
        draw = self.draw(key, batch)
        (payoffs, log_probs, _), passage = self.played(population, draw, jnp.zeros(()), self.taps(population, draw))
        return self._drawn(draw, payoffs, log_probs, passage)

    def gradient(self, learned, remembered, key, step, batch, noise=None):
        """The ascent direction of one session on `batch` episodes, shaped like `learned`, what the estimator remembers,
        and the share that failed."""
        return self.ascent(learned, remembered, self.draw(key, batch, noise), step, batch)

    def ascent(self, learned, remembered, draw: Draw, step, batch: int):
        """`gradient` on a batch that was drawn."""
        if isinstance(self.objective, Shaped):
            direction, failed = shaped_direction(self, self.objective, learned, draw, step)
            return direction, remembered, failed
        population = eqx.combine(jax.lax.stop_gradient(learned), self.rest)
        (payoffs, log_probs, _), pull, passage = jax.vjp(
            lambda taps: self.played(population, draw, step, taps), self.taps(population, draw), has_aux=True
        )
        drawn = self._drawn(draw, payoffs, log_probs, passage)
        credit, remembered = self.estimator.credit(remembered, drawn)
        rows, players = drawn.weights.shape
        bonus = jnp.ones((1, players)) if rows < players else jnp.eye(players)

        def row(weights, log_probs, bonus):
            scale = credit.payoffs[:, None]
            (taps,) = pull((scale * weights, log_probs, scale * bonus))
            return taps

        at_taps = jax.vmap(row)(drawn.weights, credit.log_probs, bonus)
        own = jax.tree.map(lambda x: _own(x, common=rows < players), (at_taps.raw, at_taps.rows))
        good = passage.whole & _all_finite(own)
        own = jax.tree.map(lambda x: jnp.where(good.reshape(-1, *[1] * (x.ndim - 1)), x, 0) / batch, own)
        _, back = jax.vjp(
            lambda p: self._emitted(listening(eqx.combine(p, self.rest)), draw, passage, 1 / len(draw.keys)), learned
        )
        (direction,) = back(own)
        return direction, remembered, jnp.mean(~(good & passage.settled))

    def played(self, agents, draw: Draw, step, taps: Taps):
        """Payoffs net of charges (E, N), log-probabilities (E,) and bonuses (E, N), with what is not differentiated."""
        setting = self.estimator.setting(self.mechanism, agents)
        # Beyond it payoffs overflow, and Lineax raises on what is not finite in a derivative, for all sessions at once.
        limit = float(jnp.finfo(taps.received.dtype).max) ** (1 / 3)
        game, protocol, players = self.mechanism, self.protocol, self.mechanism.players

        def one(taps, types, known, key, branch):
            hear = self.estimator.hear(protocol.language, step, branch) if isinstance(protocol, Protocol) else None
            population = noisy(agents, key)
            talk, heard = converse(population, protocol, players, known, key, hear, taps)
            numbers = population.numbers(known, heard)
            whole = jnp.all(jnp.abs(numbers) < limit)
            rows, reports = own_rows(population, jnp.where(whole, numbers, 0))
            actions = reports(jax.tree.map(jnp.add, rows, taps.rows))
            outcome = game.outcome(game.handed_in(actions, types))
            payoffs = self.estimator.payoffs(game, setting, actions, types, outcome)
            settled = game.settled(outcome)
            nothing = jnp.zeros_like(payoffs)
            if talk is None:
                return (payoffs, jnp.zeros(()), nothing), Passage(None, None, nothing, whole, settled)
            bonus = jnp.sum(self.estimator.bonus() * talk.entropy - talk.penalty, axis=0)
            net = payoffs - jnp.sum(talk.charge, axis=0)
            passage = Passage(talk, heard, jnp.sum(talk.length_charge, axis=0), whole, settled)
            return (net, jnp.sum(talk.log_prob), bonus), passage

        return jax.vmap(one)(taps, draw.types, draw.known, draw.keys, draw.branches)

    def _drawn(self, draw: Draw, payoffs, log_probs, passage: Passage) -> Drawn:
        players = payoffs.shape[1]
        weights = self.objective.weights(players)
        weights = weights[:1] if isinstance(self.objective, Joint) else weights  # one backward pass serves all
        context = jnp.concatenate([x.reshape(payoffs.shape[0], -1) for x in jax.tree.leaves(draw.known)], axis=1)
        length = passage.length_charges
        return jax.lax.stop_gradient(Drawn(payoffs + length, length, log_probs, context, weights))

    def taps(self, population, draw: Draw) -> Taps:
        """Zeros on everything that is emitted in a batch; what comes through is not tapped."""
        shapes = eqx.filter_eval_shape(lambda: self._emitted(population, draw, None))
        raw, rows = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        unheard = jnp.zeros((draw.keys.shape[0], self.protocol.turns, 1, 1), raw.dtype)
        return Taps(raw, unheard, rows)

    def _emitted(self, agents, draw: Draw, passage: Passage | None, weight=None):
        """Raw numbers (E, T, N, R) and rows of reports (E, N, ...), given what was heard (zeros without `passage`).

        `weight`: of one episode, for what is charged inside nets.
        """
        protocol, players = self.protocol, self.mechanism.players
        if not isinstance(protocol, Protocol):

            def silent(known, key):
                population = noisy(agents, key, weight)
                numbers = population.numbers(known)
                return jnp.zeros((0, len(players), 0), numbers.dtype), own_rows(population, numbers)[0]

            return jax.vmap(silent)(draw.known, draw.keys)
        hears = protocol.hears(players)

        def one(known, received, key):
            population = noisy(agents, key, weight)
            said = [memory(list(received[:turn]), protocol, hears) for turn in range(protocol.turns + 1)]
            raw = [population.raw(known, said[turn], turn) for turn in range(protocol.turns)]
            return jnp.stack(raw), own_rows(population, population.numbers(known, said[-1]))[0]

        episodes = draw.keys.shape[0]
        nothing = jnp.zeros((episodes, protocol.turns, len(players), protocol.language.heard))
        return jax.vmap(one)(draw.known, _heard(passage, nothing), draw.keys)


def _heard(passage: Passage | None, nothing: Array) -> Array:
    """What came through (E, T, N, H), held."""
    return nothing if passage is None or passage.talk is None else jax.lax.stop_gradient(passage.talk.received)


def _own(x: Array, common: bool) -> Array:
    """Of the derivatives of each objective in everybody's taps (rows, E, [T,] N, ...), each player's of its own."""
    if common:
        return x[0]
    return jnp.einsum("ietir->etir" if x.ndim == 5 else "ieir->eir", x)


def _all_finite(tree: Any) -> Array:
    """Whether all numbers of each episode are finite, (E,)."""
    flags = [jnp.all(jnp.isfinite(x), axis=tuple(range(1, x.ndim))) for x in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(flags), axis=0)
