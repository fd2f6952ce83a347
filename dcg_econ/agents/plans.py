"""A net from what a negotiator knows to its whole plan: what to keep at each of its turns, and the least it would take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.agents.learned import AbstractAgent
from dcg_econ.agents.nets import AbstractNets, Net, Perceptron
from dcg_econ.agents.transformer import Layout


class DivisionAgent(AbstractAgent):
    """Plans for `turns` turns in the division of `kinds` kinds of items, of which there are at most `most` each.

    The net sees counts as shares of `most` and each kind's share of what the pool is worth; its numbers (k = turns (kinds +
    1)) become fractions kept, by the logistic function, and reservation shares. `plans`: from these (2, turns, kinds) and (2,
    turns) to the reports of both players.
    """

    net: Net
    turns: int = eqx.field(static=True)
    most: int = eqx.field(static=True)
    plans: Callable[[Array, Array], Any] = eqx.field(static=True)

    def __init__(
        self,
        kinds: int,
        turns: int,
        most: int,
        plans: Callable[[Array, Array], Any],
        *,
        key: Array,
        heard: int = 0,
        token: int = 1,
        width: int = 32,
        depth: int = 2,
        nets: AbstractNets | None = None,
    ):
        layout = Layout(2 * kinds, heard, token)
        self.net = (nets or Perceptron(width, depth)).make(layout, turns * (kinds + 1), key)
        self.turns, self.most, self.plans = turns, most, plans

    def features(self, known):
        worth = known.values * known.pool
        return jnp.concatenate([known.pool / self.most, worth / jnp.maximum(jnp.sum(worth), 1e-9)])

    def numbers_at(self, features, heard):
        return self.net(jnp.concatenate([features, heard]))

    def assemble(self, numbers):
        rows = numbers.reshape(numbers.shape[0], self.turns, -1)
        # Reservations may fall below zero: a player who takes anything must be able to say so, with a margin.
        return self.plans(jax.nn.sigmoid(rows[..., :-1]), 0.5 * rows[..., -1])
