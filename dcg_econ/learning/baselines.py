"""Baselines of score functions: what a reward is compared with. None of them changes the expected gradient.

All work on rewards (rows, E, s): for each row of the objective, episode, and signal (payoff, and what length costs), so
that each signal has its own. What they return is never differentiated.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.priors import number


class AbstractBaseline(eqx.Module):
    """What to expect of an episode without knowing what was drawn in it."""

    @abstractmethod
    def check(self, batch: int) -> None:
        """Raises `InputError` for batches it cannot work on."""

    @abstractmethod
    def begin(self, key: Array, rewards: Float[Array, "r E s"], context: Float[Array, "E c"]) -> Any:
        """What it remembers at first."""

    @abstractmethod
    def expected(self, memory: Any, rewards: Float[Array, "r E s"], context: Float[Array, "E c"]) -> Array:
        """The baseline of every reward, broadcasting against them."""

    @abstractmethod
    def learned(self, memory: Any, rewards: Float[Array, "r E s"], context: Float[Array, "E c"]) -> Any:
        """What it remembers after a batch."""


class NoBaseline(AbstractBaseline):
    """Rewards as they are."""

    def check(self, batch):
        del batch

    def begin(self, key, rewards, context):
        del key, rewards, context

    def expected(self, memory, rewards, context):
        return jnp.zeros_like(rewards)

    def learned(self, memory, rewards, context):
        del rewards, context
        return memory


class RunningMean(AbstractBaseline):
    """The mean reward of earlier batches, with weight `decay` per step on the past."""

    decay: Array = eqx.field(converter=number("decay"), default=0.9)

    def __check_init__(self):
        if not 0 <= float(self.decay) < 1:
            raise InputError("decay", f"{float(self.decay):g}", "give a number from 0 to below 1")

    def check(self, batch):
        del batch

    def begin(self, key, rewards, context):
        del key, context
        return jnp.zeros_like(rewards[:, 0]), jnp.zeros(())

    def expected(self, memory, rewards, context):
        total, weight = memory
        return (total / jnp.maximum(weight, 1e-8))[:, None]

    def learned(self, memory, rewards, context):
        total, weight = memory
        return self.decay * total + (1 - self.decay) * jnp.mean(rewards, axis=1), self.decay * weight + 1 - self.decay


class LeaveOneOut(AbstractBaseline):
    """The mean reward of the other episodes of the batch."""

    def check(self, batch):
        if batch < 2:
            raise InputError("batch", f"{batch}", "a leave-one-out baseline needs two episodes or more")

    def begin(self, key, rewards, context):
        del key, rewards, context

    def expected(self, memory, rewards, context):
        return (jnp.sum(rewards, axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)

    def learned(self, memory, rewards, context):
        del rewards, context
        return memory


class LearnedBaseline(AbstractBaseline):
    """A net from everything that the players know, fitted to rewards by Adam, one step a batch, after it was used."""

    width: int = eqx.field(static=True, default=64)
    learning_rate: float = eqx.field(static=True, default=3e-3)

    def check(self, batch):
        del batch

    def _optimiser(self):
        return optax.adam(self.learning_rate)

    def begin(self, key, rewards, context):
        rows, _, signals = rewards.shape
        net = eqx.nn.MLP(context.shape[1], rows * signals, self.width, 2, jax.nn.relu, key=key)
        learned, _ = eqx.partition(net, eqx.is_inexact_array)
        return learned, self._optimiser().init(learned)

    def expected(self, memory, rewards, context):
        return _guess(memory[0], rewards, context, self.width)

    def learned(self, memory, rewards, context):
        net, state = memory

        def loss(net):
            return jnp.mean((_guess(net, rewards, context, self.width) - rewards) ** 2)

        updates, state = self._optimiser().update(jax.grad(loss)(net), state, net)
        return eqx.apply_updates(net, updates), state


def _guess(learned: Any, rewards: Array, context: Array, width: int) -> Array:
    rows, episodes, signals = rewards.shape
    blank = eqx.filter_eval_shape(
        lambda: eqx.nn.MLP(context.shape[1], rows * signals, width, 2, jax.nn.relu, key=jax.random.key(0))
    )
    net = eqx.combine(learned, eqx.filter(blank, eqx.is_inexact_array, inverse=True))
    return jnp.moveaxis(jax.vmap(net)(context).reshape(episodes, rows, signals), 0, 1)
