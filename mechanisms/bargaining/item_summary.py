"""What many negotiations over items come to: means over episodes with their standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from dcg_econ._errors import InputError
from dcg_econ.mechanisms.bargaining.item_divisions import is_efficient
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemEpisode, ItemNegotiation

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 4096  # episodes whose divisions are listed together


class Estimate(NamedTuple):
    """A mean over episodes, its standard error, and the number of episodes it is taken over."""

    mean: Array
    standard_error: Array
    episodes: Array


class ItemSummary(eqx.Module):
    """Estimates over independent episodes; those by player have shape (2,), the others ().

    `agreement`: share of episodes with an agreement. `joint_fraction`: welfare as a share of the first best, disagreement
    counting as 0, over episodes in which the first best is above 0. `efficiency`: mean welfare over mean first best.
    `pareto_share`: share of agreements that are Pareto-efficient. `payoffs` in points, `shares` of what the pool is worth to
    the player. `turns` taken, and `refused` moves. NaN where no episode tells.
    """

    agreement: Estimate
    joint_fraction: Estimate
    efficiency: Estimate
    pareto_share: Estimate
    payoffs: Estimate
    shares: Estimate
    turns: Estimate
    refused: Estimate

    def to_frame(self) -> pd.DataFrame:
        """One row a measure (and player): mean, standard error and number of episodes."""
        import pandas as pd

        rows = []
        for name, estimate in vars(self).items():
            columns = [jnp.ravel(column) for column in estimate]
            for player in range(len(columns[0])):
                whose = f"player {player + 1}" if len(columns[0]) > 1 else "both"
                mean, error, episodes = (column[player].item() for column in columns)
                rows.append((name, whose, mean, error, int(episodes)))
        return pd.DataFrame(rows, columns=["measure", "player", "mean", "standard_error", "episodes"])

    def __str__(self):
        return self.to_frame().to_string(index=False)


def summarise(game: ItemNegotiation, episodes: ItemEpisode) -> ItemSummary:
    """The estimates over a batch of `episodes` (one leading axis), e.g. of jax.vmap over `negotiate`."""
    if jnp.ndim(episodes.welfare) != 1:
        raise InputError("episodes", f"shape {jnp.shape(episodes.welfare)}", "give a batch with one leading axis")
    return _summary(jax.tree.map(jnp.asarray, episodes), game.items.most)


@eqx.filter_jit
def _summary(episodes: ItemEpisode, most: int) -> ItemSummary:
    agreed = episodes.outcome.agreed
    welfare, best = episodes.welfare, episodes.first_best
    everywhere = jnp.ones_like(agreed)

    efficient = jax.lax.map(
        lambda one: is_efficient(one[0], one[1], most), (episodes.types, episodes.payoffs), batch_size=AT_ONCE
    )
    fraction = welfare / jnp.where(best > 0, best, 1.0)
    ratio = jnp.mean(welfare) / jnp.mean(best)
    spread = estimate((welfare - ratio * best) / jnp.mean(best), everywhere)  # the delta method
    return ItemSummary(
        agreement=estimate(agreed, everywhere),
        joint_fraction=estimate(fraction, best > 0),
        efficiency=Estimate(ratio, spread.standard_error, spread.episodes),
        pareto_share=estimate(efficient, agreed),
        payoffs=estimate(episodes.payoffs, everywhere),
        shares=estimate(episodes.shares, everywhere),
        turns=estimate(episodes.turns, everywhere),
        refused=estimate(episodes.refused, everywhere),
    )


def estimate(numbers: Array, counted: Bool[Array, " n"]) -> Estimate:
    """The mean of `numbers` (n, ...) over the counted episodes, and its standard error (NaN below two episodes)."""
    numbers = jnp.asarray(numbers, jnp.result_type(float))
    counted = jnp.broadcast_to(counted.reshape(-1, *(1,) * (numbers.ndim - 1)), numbers.shape)
    n = jnp.sum(counted, 0)
    mean = jnp.sum(jnp.where(counted, numbers, 0), 0) / n
    squares = jnp.sum(jnp.where(counted, (numbers - mean) ** 2, 0), 0)
    error = jnp.sqrt(squares / jnp.maximum(n - 1, 0) / n)
    return Estimate(mean, error, n)
