r"""Nash equilibria of two players, pure and mixed, by enumeration of supports.

The row player's mixed x (m,) with the column player's best payoff v against it form a polyhedron,

    x >= 0,     sum_i x_i = 1,     (B'x)_j <= v     for every column j,                                   (1)

and likewise y (n,) with u. The label i is on a point of (1) where x_i = 0, the label m + j where j is a best reply. A pair
(x, y) is an equilibrium if and only if together they carry all m + n labels. The extreme points of (1) are the solutions of
square systems, one for each pair of supports I, J of equal size,

    x_i = 0 for i not in I,     (B'x)_j = v for j in J,     sum_i x_i = 1,                                (2)

so that going through them all finds every extreme equilibrium (Mangasarian 1964; von Stengel 2002). Where no extreme point
has more than m labels (n for the column player) the game is nondegenerate, equilibria are finitely many and odd in number,
and all are found. In a degenerate game they may fill segments and more, of which the ends are found.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.mechanisms.finite_games.normal_form import NormalForm

_LABEL = 1e-9  # of the span of a player's payoffs, and of one: below it an inequality holds with equality
_SINGULAR = 1e-11  # the smallest singular value of (2), as a share of the largest, of a system that has a solution
_MOST = 200_000  # pairs of supports


class NashEquilibria(eqx.Module):
    """The K extreme equilibria: `rows` (K, A_1), `columns` (K, A_2), `payoffs` (K, 2).

    `degenerate`: some mixed strategy of a size has more best replies than that, so that between those listed there may be
    others; without it there are no others.
    """

    rows: Float[Array, "K m"]
    columns: Float[Array, "K n"]
    payoffs: Float[Array, "K 2"]
    degenerate: bool = eqx.field(static=True)


def nash(game: NormalForm) -> NashEquilibria:
    """All extreme Nash equilibria of a game of two players, in the order of the row player's probabilities.

    An inequality of (1) is taken to hold with equality within 1e-9 of the span of the player's payoffs, and a probability
    to be zero below 1e-9: closer calls, and games in 32 bits that are degenerate but for rounding, are not told apart. The
    systems (2) are solved in 64 bits whatever the precision of JAX. Raises `InputError` for other numbers of players, for
    more than 200 000 pairs of supports (about ten actions each), and for payoffs that are being traced.
    """
    if len(game.actions) != 2:
        raise InputError("game", f"{len(game.actions)} players", "give a game of two")
    if not is_concrete(game):
        raise InputError(
            "game", "being traced, but the number of equilibria is not known beforehand", "call it outside jit"
        )
    m, n = game.actions
    if math.comb(m + n, m) > _MOST:
        raise InputError("game", f"{math.comb(m + n, m)} pairs of supports", f"give a game of at most {_MOST}")
    first, second = (_unit_span(table) for table in np.asarray(game.payoffs, float))
    xs, x_labels = _extreme_points(second)
    ys, y_labels = _extreme_points(first.T)
    y_labels = np.concatenate([y_labels[:, n:], y_labels[:, :n]], axis=1)
    complete = np.all(x_labels[:, None] | y_labels[None], axis=-1)
    pairs = np.argwhere(complete)
    rows, columns = xs[pairs[:, 0]], ys[pairs[:, 1]]
    order = np.lexsort(np.round(np.concatenate([rows, columns], axis=1), 9).T[::-1])[::-1]
    rows, columns = rows[order], columns[order]
    payoffs = np.einsum("ki,pij,kj->kp", rows, np.asarray(game.payoffs, float), columns)
    crowded = bool(np.any(x_labels.sum(axis=1) > m) or np.any(y_labels.sum(axis=1) > n))
    shown = [jnp.asarray(value, game.payoffs.dtype) for value in (rows, columns, payoffs)]
    return NashEquilibria(shown[0], shown[1], shown[2], crowded)


def _unit_span(table: np.ndarray) -> np.ndarray:
    """Payoffs moved and scaled to between zero and one, which changes no best reply."""
    span = np.ptp(table)
    return (table - np.min(table)) / (span if span > 0 else 1.0)


def _extreme_points(replies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct extreme points x (K, m) of (1) for the other's payoffs `replies` (m, n), and their labels (K, m + n)."""
    found = [np.zeros((0, replies.shape[0]))]
    for size in range(1, min(replies.shape) + 1):
        found.append(_of_size(replies, size))
    points = np.concatenate(found)
    _, which = np.unique(np.round(points, 8), axis=0, return_index=True)
    points = points[np.sort(which)]
    answers = points @ replies
    return points, np.concatenate(
        [points <= _LABEL, answers >= np.max(answers, axis=1, keepdims=True) - _LABEL], axis=1
    )


def _of_size(replies: np.ndarray, size: int) -> np.ndarray:
    """The solutions of (2) with supports of one size that satisfy (1)."""
    mine, theirs = (_supports(actions, size) for actions in replies.shape)
    kept = np.nonzero(~np.any(_beaten(replies, mine)[:, theirs], axis=-1))
    own, best = mine[kept[0]], theirs[kept[1]]
    systems = np.empty((len(own), size + 1, size + 1))
    systems[:, :size, :size] = replies[own[:, None, :], best[:, :, None]]
    systems[:, :size, size] = -1.0
    systems[:, size] = 1.0
    systems[:, size, size] = 0.0
    solutions, solved = _solve_last(systems)
    points = np.zeros((len(systems), replies.shape[0]))
    points[np.arange(len(own))[:, None], own] = solutions[:, :size]
    replied = np.max(points @ replies, axis=1) <= solutions[:, size] + _LABEL
    feasible = np.flatnonzero(solved & replied & np.all(points >= -_LABEL, axis=1))
    # Few are left, so that the costly question, whether the solution is the only one, comes last.
    values = np.linalg.svd(systems[feasible], compute_uv=False)
    points = np.maximum(points[feasible[values[:, -1] > _SINGULAR * values[:, 0]]], 0.0)
    return points / np.sum(points, axis=1, keepdims=True)


@lru_cache(maxsize=64)
def _supports(actions: int, size: int) -> np.ndarray:
    """All supports (C, size) of one size."""
    return np.array(list(itertools.combinations(range(actions), size)))


def _beaten(replies: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """Which of the other's actions are no best reply to any mix over each support, for another does better against all of
    it, (C, n): most systems (2) need not be solved (conditional dominance; Porter, Nudelman and Shoham 2008)."""
    payoffs = replies[supports]
    better = np.min(payoffs[..., None] - payoffs[..., None, :], axis=1) > _LABEL
    return np.any(better, axis=1)


def _solve_last(systems: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solutions (K, k) of systems (K, k, k) whose right-hand side is zero but for a last one, and which were solved."""
    right = np.zeros((systems.shape[1], 1))
    right[-1] = 1.0
    try:
        return np.linalg.solve(systems, right)[..., 0], np.ones(len(systems), bool)
    except np.linalg.LinAlgError:
        regular = np.linalg.slogdet(systems)[0] != 0
        solutions = np.zeros(systems.shape[:2])
        solutions[regular] = np.linalg.solve(systems[regular], right)[..., 0]
        return solutions, regular
