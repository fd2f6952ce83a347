"""All divisions of one pool of items: the feasible payoffs, their Pareto frontier and the bargaining solutions on it.

The divisions are listed, (most + 1)^kinds of them, so that every answer is exact for values in whole points. Payoffs are
compared in points, as the players' values give them: the Nash solution does not depend on the unit of either player's
payoff, the egalitarian and the utilitarian do. The disagreement point is (0, 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from dcg_econ._errors import InputError
from dcg_econ.mechanisms.bargaining.item_priors import ItemTypes, require_items

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 20_000  # divisions compared pair by pair


class ItemOutcome(NamedTuple):
    """What the players hold in the end (2, kinds), in items, and whether they agreed ()."""

    held: Array
    agreed: Array


class Divisions(eqx.Module):
    """The m divisions of one pool: items of each player `held` (m, 2, kinds), `payoffs` (m, 2) in points, whether each
    is `feasible` (m,), and `efficient` (m,): no feasible division is better for one player and no worse for the other."""

    held: Int[Array, "m 2 kinds"]
    payoffs: Float[Array, "m 2"]
    feasible: Bool[Array, " m"]
    efficient: Bool[Array, " m"]

    def nash(self) -> ItemOutcome:
        """The largest product of payoffs (Nash 1950), of such the largest sum."""
        return self._first(jnp.prod(self.payoffs, -1), jnp.sum(self.payoffs, -1))

    def egalitarian(self) -> ItemOutcome:
        """The largest of the lower payoffs (Kalai 1977), of such the largest sum."""
        return self._first(jnp.min(self.payoffs, -1), jnp.sum(self.payoffs, -1))

    def utilitarian(self) -> ItemOutcome:
        """The largest sum of payoffs, of such the largest of the lower payoffs."""
        return self._first(jnp.sum(self.payoffs, -1), jnp.min(self.payoffs, -1))

    def to_frame(self) -> pd.DataFrame:
        """The efficient divisions, in the order of player 1's payoff: items and payoffs of both."""
        import pandas as pd

        rows = np.asarray(self.efficient)
        held, payoffs = np.asarray(self.held)[rows], np.asarray(self.payoffs)[rows]
        columns = {f"player {j + 1}, kind {k + 1}": held[:, j, k] for j in range(2) for k in range(held.shape[-1])} | {
            f"player {j + 1}, payoff": payoffs[:, j] for j in range(2)
        }
        return pd.DataFrame(columns).sort_values("player 1, payoff", ignore_index=True, kind="stable")

    def _first(self, goal: Array, then: Array) -> ItemOutcome:
        goal = jnp.where(self.feasible, goal, -jnp.inf)
        chosen = jnp.argmax(jnp.where(goal == jnp.max(goal), then, -jnp.inf))
        return ItemOutcome(self.held[chosen], jnp.ones((), bool))


def divisions(kinds: int, most: int) -> Int[np.ndarray, "m kinds"]:
    """What player 1 holds in each of the (most + 1)^kinds divisions of the largest pool, in items."""
    count = (most + 1) ** kinds
    if count > LARGEST:
        raise InputError(
            "items", f"{count} divisions of {kinds} kinds", f"give fewer kinds or items: at most {LARGEST}"
        )
    return np.stack(np.unravel_index(np.arange(count), (most + 1,) * kinds), -1).astype(np.int32)


def feasible_payoffs(types: ItemTypes, most: int) -> tuple[Array, Array, Array]:
    """Every division (m, 2, kinds), its payoffs (m, 2), and whether the pool allows it (m,)."""
    first = jnp.asarray(divisions(types.pool.shape[-1], most))
    held = jnp.stack([first, types.pool - first], 1)
    return held, jnp.sum(held * types.values, -1), jnp.all(first <= types.pool, -1)


def is_efficient(types: ItemTypes, payoffs: Float[Array, 2], most: int) -> Bool[Array, ""]:
    """Whether no feasible division gives one player more than `payoffs` and the other no less."""
    _, others, feasible = feasible_payoffs(types, most)
    better = jnp.all(others >= payoffs, -1) & jnp.any(others > payoffs, -1)
    return ~jnp.any(better & feasible)


def divisions_of(types: ItemTypes, most: int) -> Divisions:
    """Every division of the pool of one instance, with `most` items of a kind at the most."""
    require_items(types.pool, types.values)
    held, payoffs, feasible = feasible_payoffs(types, most)
    better = jnp.all(payoffs[:, None] >= payoffs, -1) & jnp.any(payoffs[:, None] > payoffs, -1)
    efficient = feasible & ~jnp.any(better & feasible[:, None], 0)
    return Divisions(held, payoffs, feasible, efficient)
