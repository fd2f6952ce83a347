r"""Where two players' best replies pull: over a grid of two numbers, one a player, the reply of each to the other.

With payoffs u_1(a, b) and u_2(a, b) of the first player's number a and the second's b,

    (1)  A(b) = argmax_a u_1(a, b),    B(a) = argmax_b u_2(a, b)

are searched for among the grid's numbers and, where the best one is inside, at the top of the parabola through it and its
neighbours, which is exact where payoffs are quadratic. The field is (A(b) - a, B(a) - b): its zeros are the equilibria.
Where several numbers are as good, the reply is the one nearest to where the player stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from dcg_econ._errors import InputError

if TYPE_CHECKING:
    import pandas as pd

TIE = 1e-9  # of the span of a player's payoffs over the grid: replies nearer than this to the best are as good

Payoffs = Callable[[np.ndarray, np.ndarray], ArrayLike]


def best_reply_field(
    payoffs: Payoffs, first: ArrayLike, second: ArrayLike, names: tuple[str, str] = ("", "")
) -> pd.DataFrame:
    """The field of (1), one row a grid point: what `best_response_figure` draws.

    `payoffs(a, b)` takes the numbers of n pairs, both (n,), and gives the players' payoffs (n, 2); a mechanism's are
    `jax.vmap(lambda a, b: mechanism.expectations(profile(a, b))[0])`, and those of a bimatrix game with two actions follow
    from the probabilities of the first ones, `mixed_payoffs(game)`. `first` and `second`: ascending numbers of the grid.
    `names` of the two numbers go to `attrs["variable_labels"]`. Columns: first, second (the point), best_first,
    best_second (the replies), d_first, d_second (the field), payoff_first, payoff_second. Raises `InputError` for fewer
    than two numbers, numbers that do not ascend, and payoffs of another shape or not finite.
    """
    import pandas as pd

    a, b = _ascending("first", first), _ascending("second", second)
    pairs = [side.ravel() for side in np.meshgrid(a, b, indexing="ij")]
    found = np.asarray(payoffs(*pairs), float)
    if found.shape != (len(pairs[0]), 2) or not np.all(np.isfinite(found)):
        raise InputError(
            "payoffs", f"shape {found.shape}", f"give two finite payoffs for each of {len(pairs[0])} pairs"
        )
    own, other = (found[:, player].reshape(len(a), len(b)) for player in (0, 1))
    best_first, best_second = _replies(own, a), _replies(other.T, b).T
    columns = {"first": pairs[0], "second": pairs[1]}
    columns |= {"best_first": best_first.ravel(), "best_second": best_second.ravel()}
    columns |= {"d_first": best_first.ravel() - pairs[0], "d_second": best_second.ravel() - pairs[1]}
    frame = pd.DataFrame(columns | {"payoff_first": found[:, 0], "payoff_second": found[:, 1]})
    frame.attrs["variable_labels"] = {key: name for key, name in zip(("first", "second"), names, strict=True) if name}
    return frame


def mixed_payoffs(tables: ArrayLike) -> Payoffs:
    """Payoffs of a game of two players with two actions, `tables` (2, 2, 2) by player, row and column, as a function of
    the probabilities of both players' first actions. Raises `InputError` for another shape."""
    table = np.asarray(tables, float)
    if table.shape != (2, 2, 2):
        raise InputError("tables", f"shape {table.shape}", "give (2, 2, 2): player, row, column")

    def payoffs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows, columns = np.stack([a, 1 - a]), np.stack([b, 1 - b])
        return np.einsum("pij,in,jn->np", table, rows, columns)

    return payoffs


def _ascending(field: str, values: ArrayLike) -> np.ndarray:
    found = np.asarray(values, float)
    if found.ndim != 1 or len(found) < 2 or not np.all(np.diff(found) > 0):
        raise InputError(field, f"shape {found.shape}", "give at least two numbers in ascending order")
    return found


def _replies(payoff: Float[np.ndarray, "n m"], own: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n m"]:
    """The best reply from each own number (rows) against each of the other's (columns)."""
    top = payoff.max(axis=0)
    good = payoff >= top - TIE * max(float(np.ptp(payoff)), np.finfo(float).tiny)
    distance = np.where(good[:, None, :], np.abs(own[:, None, None] - own[None, :, None]), np.inf)
    replies = own[distance.argmin(axis=0)]
    for column in range(payoff.shape[1]):
        best = np.flatnonzero(good[:, column])
        inside = best[(best > 0) & (best < len(own) - 1)]
        if len(inside) and best[-1] - best[0] < 2:  # two neighbours may be as good because the top is between them
            replies[:, column] = _vertex(payoff[:, column], own, int(inside[0]))
    return replies


def _vertex(payoff: np.ndarray, own: np.ndarray, best: int) -> float:
    """The top of the parabola through the best of the grid's numbers and its neighbours."""
    x, y = own[best - 1 : best + 2], payoff[best - 1 : best + 2]
    left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (right - left) / (x[2] - x[0])
    return float(0.5 * (x[0] + x[1]) - 0.5 * left / curvature)
