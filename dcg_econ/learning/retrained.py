"""Regret by retrained best replies: one player learns on, from its own strategy, against the others as they are.

For each player a copy of the population is trained by the same estimator, on the same form of the game, while only that
player acts by the copy; its gain is then measured on fresh plays of the game itself, both profiles on the same draws. A net
that did not find the best reply gains less, so this is a lower bound of regret; it needs no grid of words or reports.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.frozen import split_learned
from dcg_econ.agents.talkers import AbstractTalkers
from dcg_econ.learning.episode import settle
from dcg_econ.learning.estimators import AbstractEstimator, default_estimator
from dcg_econ.learning.gradient import Game
from dcg_econ.learning.objectives import AbstractObjective, Selfish
from dcg_econ.learning.optimiser import default_optimiser
from dcg_econ.learning.protocol import AbstractProtocol, as_protocol
from dcg_econ.learning.steps import first_memory, learn
from dcg_econ.mechanism import AbstractGame, AbstractMechanism
from dcg_econ.messages.language import require_count

_TOGETHER = 1024  # plays of an evaluation that are held in memory at once


class Retrained(eqx.Module):
    """How long best replies are trained (`steps` of `batch` episodes, Adam from `learning_rate`), and on how many `draws`
    their gains are measured."""

    steps: int = eqx.field(static=True, default=200)
    batch: int = eqx.field(static=True, default=128)
    learning_rate: float = eqx.field(static=True, default=5e-3)
    draws: int = eqx.field(static=True, default=16_384)

    def __check_init__(self):
        for name in ("steps", "batch", "draws"):
            require_count(name, getattr(self, name))
        if not 0 < self.learning_rate <= 1:
            raise InputError("learning_rate", f"{self.learning_rate}", "give a number above 0 and at most 1")


class RetrainedRegret(eqx.Module):
    """What retrained players gain, a lower bound of regret: `epsilon` in shares of E first best, `by_player` (N,) in payoffs
    with the standard error `se` (N,) of its measurement (a gain below zero counts as zero: the player may stay)."""

    epsilon: Float[Array, ""]
    by_player: Float[Array, " N"]
    se: Float[Array, " N"]

    def __float__(self):
        return float(self.epsilon)


class _Own(AbstractObjective):
    """The payoff of one player, in everybody's eyes."""

    player: Any

    def weights(self, players):
        return (jnp.arange(players) == self.player)[None].astype(float)


class Deviation(AbstractTalkers):
    """`player` acts by the population `own`, everybody else by `others`."""

    own: Any
    others: Any
    player: Any

    def _spliced(self, own, others):
        return jnp.where(jnp.arange(own.shape[0])[:, None] == self.player, own, others)

    def raw(self, known, heard, turn):
        return self._spliced(self.own.raw(known, heard, turn), self.others.raw(known, heard, turn))

    def numbers(self, known, heard=None):
        return self._spliced(self.own.numbers(known, heard), self.others.numbers(known, heard))

    def assemble(self, numbers):
        return self.others.assemble(numbers)


def retrained_regret(
    game: AbstractGame,
    population: Any,
    protocol: Any = None,
    *,
    rule: Retrained | None = None,
    learning_form: AbstractGame | None = None,
    estimator: AbstractEstimator | None = None,
    begin: int = 0,
    key: Array,
) -> RetrainedRegret:
    """The regret of a learned `population` in `game` after the talk of `protocol`, from below.

    `learning_form`: the game that best replies are trained on where that is not `game` itself (`SoftAuction`); `begin`: the
    step of training from which what is soft in the estimator and its channels goes on, so that it is as at the end.
    """
    protocol, form = as_protocol(protocol), game if learning_form is None else learning_form
    estimator = estimator or default_estimator(form, protocol)
    estimator.check(form, Selfish(), protocol, (rule or Retrained()).batch)
    return _regret(game, form, population, protocol, estimator, rule or Retrained(), jnp.asarray(begin), key)


@eqx.filter_jit
def _regret(game, form, population, protocol, estimator, rule: Retrained, begin, key) -> RetrainedRegret:
    learned, rest = split_learned(population)
    optimiser = default_optimiser(rule.steps, rule.learning_rate)
    train_key, draw_key = jax.random.split(key)
    keys = jax.random.split(draw_key, rule.draws)

    def payoffs(profile):
        return jax.lax.map(
            lambda key: _net(game, profile, protocol.sharp(), key), keys, batch_size=min(_TOGETHER, rule.draws)
        )

    def reply(player):
        held = Deviation(rest, population, player)
        lesson = Game(form, protocol, estimator, _Own(player), held)
        start = Deviation(learned, None, None)  # all else is held
        own = jax.random.fold_in(train_key, player)
        remembered = first_memory(lesson, start, own, rule.batch)

        state = optimiser.init(start), remembered
        found, _, _ = learn(lesson, optimiser, start, state, own, begin, rule.steps, rule.batch)
        return eqx.combine(found, held)

    def gain(player):
        better = reply(player)

        gains = payoffs(better)[:, player] - base[:, player]
        mean, se = jnp.mean(gains), jnp.std(gains) / jnp.sqrt(rule.draws)
        # A reply that diverged is none: the player stays. Where the profile itself has no payoff, nothing is known.
        found = jnp.where(jnp.isfinite(mean), jnp.maximum(mean, 0), 0)
        return jnp.where(jnp.all(jnp.isfinite(base)), found, jnp.nan), se

    base = payoffs(population)
    by_player, se = jax.lax.map(gain, jnp.arange(len(game.players)))
    scale = _first_best(game, keys)
    return RetrainedRegret(jnp.max(by_player) / jnp.where(scale > 0, scale, jnp.nan), by_player, se)


def _net(game: AbstractGame, profile, protocol: AbstractProtocol, key) -> Float[Array, " N"]:
    """Payoffs of one play less what messages cost."""
    played = settle(game, profile, protocol, game.sample_types(key), jax.random.fold_in(key, 1))
    return played.payoffs if played.talk is None else played.payoffs - jnp.sum(played.talk.charge, axis=0)


def _first_best(game: AbstractGame, keys) -> Float[Array, ""]:
    if isinstance(game, AbstractMechanism):
        return game.expected_first_best()
    return jnp.mean(jax.lax.map(lambda key: game.first_best(game.sample_types(key)), keys, batch_size=_TOGETHER))
