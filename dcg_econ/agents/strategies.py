"""Analytic strategies: functions of what a player knows, in a few named coefficients.

`solve` looks for the coefficients; those inside `Frozen` it leaves as they are.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.messages.curve import AffineCurve
from dcg_econ.priors import as_number


class AbstractStrategy(eqx.Module):
    """A profile of strategies in closed form."""

    @abstractmethod
    def __call__(self, known: Any) -> Any:
        """The reports of N players from what each of them knows (leading axis N)."""

    @abstractmethod
    def check(self, players: tuple[str, ...]) -> None:
        """Raises `InputError` where the coefficients do not suit so many players."""

    @abstractmethod
    def expand(self, players: int) -> AbstractStrategy:
        """The same profile with one coefficient for each of `players` that may deviate from it alone."""

    @abstractmethod
    def unknowns(self, residuals: Float[Array, "g m"]) -> Array:
        """The first-order conditions that match the coefficients, as many as there are."""

    @abstractmethod
    def table(self, players: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Columns (N,) that show each player's strategy."""

    @property
    @abstractmethod
    def replies_stay(self) -> bool:
        """Whether best replies to such a profile are of the same class, so that a best-reply map has a meaning."""


class AbstractCoefficients(AbstractStrategy):
    """A few coefficients of shape (N,), one for each player, or () where all players use the same (symmetric profile).

    `collocation()` gives the points at which the first-order conditions pin the coefficients down.
    """

    @abstractmethod
    def collocation(self) -> np.ndarray:
        """The m points (m, arguments) at which first-order conditions are imposed, m coefficients a player."""

    def check(self, players):
        n, shapes = len(players), {jnp.shape(leaf) for leaf in jax.tree.leaves(self)}
        if shapes not in ({()}, {(n,)}):
            raise InputError(
                "strategies", f"coefficients of shapes {sorted(shapes)}", f"give all of shape ({n},), or all ()"
            )

    def expand(self, players):
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (players,)), self)

    def unknowns(self, residuals):
        symmetric = all(jnp.ndim(leaf) == 0 for leaf in jax.tree.leaves(self))
        return residuals[0] if symmetric else residuals.ravel()

    def table(self, players):
        leaves = jax.tree_util.tree_leaves_with_path(self)
        columns = {jax.tree_util.keystr(path).lstrip("."): np.asarray(leaf) for path, leaf in leaves}
        return {name: np.broadcast_to(column, (len(players),)) for name, column in columns.items()}

    @property
    def replies_stay(self):
        return True


class ProportionalDemand(AbstractCoefficients):
    """Demand q = slope (value - p): one coefficient a trader; knows its value."""

    slope: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        return AffineCurve(self.slope * known, -self.slope + jnp.zeros_like(known))

    def collocation(self):
        return np.array([[1.0, 0.0]])


class AffineDemand(AbstractCoefficients):
    """Demand q = intercept + weight * value - slope * p: three coefficients a trader; knows its value."""

    intercept: Array = eqx.field(converter=as_number)
    weight: Array = eqx.field(converter=as_number)
    slope: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        return AffineCurve(self.intercept + self.weight * known, -self.slope + jnp.zeros_like(known))

    def collocation(self):
        return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


class AffineQuantity(AbstractCoefficients):
    """Quantity q = intercept + weight * value + supply_weight * supply; knows its value and the supply."""

    intercept: Array = eqx.field(converter=as_number)
    weight: Array = eqx.field(converter=as_number)
    supply_weight: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        value, supply = known
        return self.intercept + self.weight * value + self.supply_weight * supply

    def collocation(self):
        return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
