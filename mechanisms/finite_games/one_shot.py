"""Games that are played once, as games that can be learned by gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from dcg_econ.mechanisms.finite_games.normal_form import NormalForm, expected_payoffs
from dcg_econ.mechanisms.finite_games.tables import AbstractTableGame


class MatrixGame(AbstractTableGame):
    """A game in normal form with mixed strategies.

    A report (N, A), A the largest number of actions, holds logits; those beyond a player's own A_i count for nothing. The
    outcome is the profile, a tuple of N probabilities (A_i,).
    """

    form: NormalForm

    @property
    def players(self):
        return tuple(f"player {i + 1}" for i in range(len(self.form.actions)))

    @property
    def size(self):
        return max(self.form.actions)

    def outcome(self, reports):
        return tuple(jax.nn.softmax(row[:n]) for row, n in zip(reports, self.form.actions, strict=True))

    def payoffs(self, types, outcome):
        del types
        return expected_payoffs(self.form, outcome)

    def first_best(self, types):
        """From the action profile with the largest sum."""
        del types
        return jnp.max(jnp.sum(self.form.payoffs, axis=0))


class TandemGame(AbstractTableGame):
    """Two numbers x and y, with losses (x + y)^2 - 2x and (x + y)^2 - 2y (Letcher et al. 2019).

    Every point of x + y = 1 is a stable fixed point of gradient descent, at a total loss of 0. The best is x + y = 1/2.
    """

    @property
    def players(self):
        return ("first", "second")

    @property
    def size(self):
        return 1

    def outcome(self, reports):
        """(2,): x and y."""
        return reports[:, 0]

    def payoffs(self, types, outcome):
        del types
        return 2 * outcome - jnp.sum(outcome) ** 2

    def first_best(self, types):
        """1/2."""
        del types
        return jnp.asarray(0.5)
