"""Payoff tables (2, 2, 2) of games of two actions that have names: [player, row's action, column's action].

In the dilemma, the hunt and chicken the first action is the one that helps the partner.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def prisoners_dilemma() -> Float[Array, "2 2 2"]:
    """Cooperate or defect: -1 each, -3 and 0, -2 each (the numbers of Foerster et al. 2018)."""
    return _symmetric([[-1.0, -3.0], [0.0, -2.0]])


def stag_hunt() -> Float[Array, "2 2 2"]:
    """Stag or hare: 4 each for the stag, 3 for a hare caught alone and 0 for a hunter left alone, 2 each for hares."""
    return _symmetric([[4.0, 0.0], [3.0, 2.0]])


def chicken() -> Float[Array, "2 2 2"]:
    """Swerve or go on: 0 each, -1 and 1, -10 each."""
    return _symmetric([[0.0, -1.0], [1.0, -10.0]])


def matching_pennies() -> Float[Array, "2 2 2"]:
    """The row player wins 1 of the column player where the coins match, and loses 1 where not."""
    row = jnp.asarray([[1.0, -1.0], [-1.0, 1.0]])
    return jnp.stack([row, -row])


def asymmetric_matching_pennies() -> Float[Array, "2 2 2"]:
    """A game of Ochs (1995) in the units of McKelvey and Palfrey (1995): the row player wins 1.1141 or .2785 where
    actions match, the column player 1.1141 where not."""
    return jnp.asarray([[[1.1141, 0.0], [0.0, 0.2785]], [[0.0, 1.1141], [1.1141, 0.0]]])


def _symmetric(own: list[list[float]]) -> Float[Array, "2 2 2"]:
    table = jnp.asarray(own)
    return jnp.stack([table, table.T])
