"""Analytic strategies: functions of what a player knows, in a few named coefficients.

Coefficients have shape (N,), one for each player, or () where all players use the same (a symmetric profile).
`collocation()` gives the points at which the first-order conditions pin the coefficients down.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ.messages.curve import AffineCurve
from dcg_econ.priors import as_number


class AbstractStrategy(eqx.Module):
    """A profile of strategies in closed form."""

    @abstractmethod
    def __call__(self, known: Any) -> Any:
        """The reports of N players from what each of them knows (leading axis N)."""

    @abstractmethod
    def collocation(self) -> np.ndarray:
        """The m points (m, arguments) at which first-order conditions are imposed, m coefficients a player."""

    def expand(self, players: int) -> AbstractStrategy:
        """The same profile with one coefficient for each of `players`."""
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (players,)), self)

    def unknowns(self, residuals: Float[Array, "N m"]) -> Array:
        """The residuals that match the coefficients: all of them, or the first player's in a symmetric profile."""
        symmetric = all(jnp.ndim(leaf) == 0 for leaf in jax.tree.leaves(self))
        return residuals[0] if symmetric else residuals.ravel()


class ProportionalDemand(AbstractStrategy):
    """Demand q = slope (value - p): one coefficient a trader; knows its value."""

    slope: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        return AffineCurve(self.slope * known, -self.slope + jnp.zeros_like(known))

    def collocation(self):
        return np.array([[1.0, 0.0]])


class AffineDemand(AbstractStrategy):
    """Demand q = intercept + weight * value - slope * p: three coefficients a trader; knows its value."""

    intercept: Array = eqx.field(converter=as_number)
    weight: Array = eqx.field(converter=as_number)
    slope: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        return AffineCurve(self.intercept + self.weight * known, -self.slope + jnp.zeros_like(known))

    def collocation(self):
        return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


class AffineQuantity(AbstractStrategy):
    """Quantity q = intercept + weight * value + supply_weight * supply; knows its value and the supply."""

    intercept: Array = eqx.field(converter=as_number)
    weight: Array = eqx.field(converter=as_number)
    supply_weight: Array = eqx.field(converter=as_number)

    def __call__(self, known):
        value, supply = known
        return self.intercept + self.weight * value + self.supply_weight * supply

    def collocation(self):
        return np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
