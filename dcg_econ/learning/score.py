"""Estimators for what is drawn: the score function, its relaxations, and the exact gradient by enumeration."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, require_positive
from dcg_econ.channels.base import Info
from dcg_econ.learning.baselines import AbstractBaseline, LeaveOneOut
from dcg_econ.learning.estimators import (
    AbstractEstimator,
    AbstractUncredited,
    Credit,
    require_continuous,
)
from dcg_econ.learning.protocol import Protocol
from dcg_econ.learning.talk import through
from dcg_econ.messages.language import AbstractWords
from dcg_econ.priors import number

MOST_BRANCHES = 65_536


class ScoreFunction(AbstractEstimator):
    """(reward - baseline) d log p / dx for what is drawn, pathwise for reports (Williams 1992; Schulman et al. 2015).

    Unbiased for any channel with log-probabilities. What is heard is not differentiated. Log-probabilities end with STOP.
    `entropy`: payoff units per nat of entropy of the own messages, a bonus in the gradient that payoffs do not show; with
    it the gradient is that of another game.
    """

    baseline: AbstractBaseline = eqx.field(default_factory=LeaveOneOut)
    entropy: Array = eqx.field(converter=number("entropy"), default=0.0)

    def __check_init__(self):
        if not isinstance(self.baseline, AbstractBaseline):
            raise InputError("baseline", f"{self.baseline!r}", "give one, e.g. dcg.LeaveOneOut()")
        require_positive("entropy", self.entropy, strict=False)

    def check(self, game, objective, protocol, batch):
        del objective
        require_continuous(game, protocol)
        self.baseline.check(batch)
        if isinstance(protocol, Protocol) and not protocol.language.likely:
            raise InputError(
                "estimator",
                f"ScoreFunction needs log-probabilities, and this {type(protocol.language).__name__} has none",
                "give a language with noise or symbols that are drawn, or dcg.Pathwise()",
            )

    def setting(self, game, profile):
        return None

    def payoffs(self, game, setting, actions, types, outcome):
        del setting, actions
        return game.payoffs(types, outcome)

    def branches(self, protocol, players):
        del protocol, players

    def hear(self, language, step, branch):
        del step, branch
        spoken = through(language)

        def hear(turn, raw, keys):
            heard, info = spoken(turn, raw, keys)
            return jax.lax.stop_gradient(heard), info

        return hear

    def begin(self, key, drawn):
        return self.baseline.begin(key, drawn.rewards(), drawn.context)

    def credit(self, memory, drawn):
        rewards = drawn.rewards()
        advantage = jnp.sum(rewards - self.baseline.expected(memory, rewards, drawn.context), axis=-1)
        return (
            Credit(jnp.ones(rewards.shape[1]), jax.lax.stop_gradient(advantage)),
            self.baseline.learned(memory, rewards, drawn.context),
        )

    def bonus(self):
        return self.entropy


class Relaxed(AbstractUncredited):
    """Derivatives through differentiable stand-ins for symbols, the temperature falling from step to step. Biased.

    The temperature at step t is max(`floor`, `temperature` e^{-`rate` t}). `straight_through`: listeners hear symbols, and
    derivatives are those of the soft weights. What is learned so is to be judged on real symbols, too.
    """

    temperature: Array = eqx.field(converter=number("temperature"), default=1.0)
    straight_through: bool = eqx.field(static=True, default=False)
    rate: Array = eqx.field(converter=number("rate"), default=0.0)
    floor: Array = eqx.field(converter=number("floor"), default=0.1)

    def __check_init__(self):
        require_positive("temperature", self.temperature)
        require_positive("floor", self.floor)
        require_positive("rate", self.rate, strict=False)

    def check(self, game, objective, protocol, batch):
        del objective, batch
        require_continuous(game, protocol)
        require_words(protocol, "Relaxed")

    def setting(self, game, profile):
        return None

    def payoffs(self, game, setting, actions, types, outcome):
        del setting, actions
        return game.payoffs(types, outcome)

    def hear(self, language, step, branch):
        del branch
        annealed = self.temperature * jnp.exp(-self.rate * step)
        return through(
            language.relaxed(jnp.maximum(jnp.minimum(self.floor, self.temperature), annealed), self.straight_through)
        )


class Enumerated(AbstractEstimator):
    """The exact gradient in what is drawn: every course that talk can take, weighted with its probability.

    The referee of all other estimators; words^(speakers x turns) courses, at most 65,536.
    """

    def check(self, game, objective, protocol, batch):
        del objective, batch
        require_continuous(game, protocol)
        require_words(protocol, "Enumerated")
        self.branches(protocol, game.players)

    def setting(self, game, profile):
        return None

    def payoffs(self, game, setting, actions, types, outcome):
        del setting, actions
        return game.payoffs(types, outcome)

    def branches(self, protocol, players):
        if not isinstance(protocol, Protocol):
            return None
        speaking, words = protocol.speaking(players), protocol.language.words().shape[0]  # type: ignore[attr-defined]
        count = words ** int(speaking.sum())
        if count > MOST_BRANCHES:
            raise InputError(
                "estimator", f"{count:,} courses of talk", f"enumerate at most {MOST_BRANCHES:,}: fewer words"
            )
        choices = [range(words) if on else (0,) for on in speaking.ravel()]
        return np.array(list(itertools.product(*choices))).reshape(-1, *speaking.shape)

    def hear(self, language, step, branch):
        del step
        words = language.words()

        def hear(turn, raw, keys):
            del keys
            heard = words[branch[turn]]
            info: Info = jax.vmap(language.facts)(raw, heard)
            return heard, info

        return hear

    def begin(self, key, drawn):
        del key, drawn

    def credit(self, memory, drawn):
        chance = jnp.exp(drawn.log_probs)
        return Credit(chance, chance * jnp.sum(drawn.rewards(), axis=-1)), memory

    def bonus(self):
        return jnp.zeros(())


def require_words(protocol: object, name: str) -> None:
    """Refuses estimators of symbols where none are said."""
    if isinstance(protocol, Protocol) and not isinstance(protocol.language, AbstractWords):
        raise InputError(
            "estimator",
            f"{name} is for symbols, and {type(protocol.language).__name__} has none",
            "give dcg.Pathwise()",
        )
