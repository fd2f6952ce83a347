r"""Games of two actions that two players repeat, with strategies that remember one round.

A strategy is the probability of the first action at the start and after each of the four pairs of actions. Two of them make
a Markov chain on the pairs (CC, CD, DC, DD), C and D the first and the second action, the row player's first. With p the
distribution of the first round, P the transitions, gamma the discount and r_i the payoffs of player i,

    n = p + gamma P' n,     V_i = r_i . n = sum_t gamma^t E r_i(t),                                       (1)

n_s being the expected discounted number of rounds in s. The system is 4 by 4 and solved exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_finite
from dcg_econ.mechanisms.finite_games.tables import AbstractTableGame
from dcg_econ.priors import number

_MIRRORED = np.array([0, 1, 3, 2, 4])  # the partner's view of (start, CC, CD, DC, DD)


class Rounds(NamedTuple):
    """`visits` (4,): n of (1), in the order CC, CD, DC, DD of the row player's and the column player's action; they add up to
    1 / (1 - gamma). `chances` (2, 5): each player's probabilities of its first action, from its own point of view."""

    visits: Float[Array, " s"]
    chances: Float[Array, "2 5"]


class IteratedGame(AbstractTableGame):
    """A game of two actions played again and again, with `payoffs` (2, 2, 2) a round: [player, row's action, column's].

    A report (2, 5) holds logits of the first action at (start, CC, CD, DC, DD), each pair with the player's own action
    first. Payoffs are discounted sums V_i, so that V_i times `per_round` = 1 - gamma is in payoff units of a round. Where
    payoffs are negative, so are welfare and first best, and efficiency, their ratio, is at least one.

    Raises `InputError` for payoffs of another shape or not finite and for a `discount` outside [0, 1).
    """

    table: Array = eqx.field(converter=number("payoffs"))
    discount: Array = eqx.field(converter=number("discount"), default=0.96)

    def __check_init__(self):
        if self.table.shape != (2, 2, 2):
            raise InputError("payoffs", f"shape {self.table.shape}", "give (2, 2, 2), e.g. prisoners_dilemma()")
        require_finite("payoffs", self.table)
        if self.discount.ndim > 0:
            raise InputError("discount", f"shape {self.discount.shape}", "give one number; for many games use jax.vmap")
        if is_concrete(self.discount) and not 0 <= float(self.discount) < 1:
            raise InputError("discount", f"found {float(self.discount):g}", "give a number in [0, 1)")

    @property
    def players(self):
        return ("row", "column")

    @property
    def size(self):
        return 5

    @property
    def per_round(self) -> Float[Array, ""]:
        """1 - gamma: what a discounted sum is multiplied with to be an average over rounds."""
        return 1 - self.discount

    def outcome(self, reports):
        """The `Rounds` that the strategies lead to."""
        chances = jax.nn.sigmoid(reports)
        row, column = chances[0], chances[1][_MIRRORED]
        pairs = jnp.stack([row * column, row * (1 - column), (1 - row) * column, (1 - row) * (1 - column)], axis=-1)
        system = jnp.eye(4, dtype=pairs.dtype) - self.discount * pairs[1:].T
        return Rounds(jnp.linalg.solve(system, pairs[0]), chances)

    def payoffs(self, types, outcome):
        """V_i of (1), discounted sums."""
        del types
        return self.table.reshape(2, 4) @ outcome.visits

    def first_best(self, types):
        """From the pair of actions with the largest sum, always."""
        del types
        return jnp.max(jnp.sum(self.table, axis=0)) / self.per_round
