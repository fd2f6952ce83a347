"""Strategies that name one number: a contribution, a request for more of a public good, an intercept.

A number may be bounded. The strategy's own coefficients are then of a *latent* number, cut at the bounds when it is said:
how far a latent number lies beyond its bound is the multiplier of the bound (Robinson's normal map), and the complementarity
problem becomes a root-finding problem.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.frozen import Frozen, split_learned
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.priors import as_number


class AbstractNumberMessages(AbstractStrategy):
    """One number a player, from a row of private numbers; coefficients (N,), or () where all use the same."""

    bounds: eqx.AbstractVar[Frozen]

    @abstractmethod
    def uncut(self, types: Float[Array, "N k"]) -> Float[Array, " N"]:
        """The numbers before they are cut at the bounds."""

    @abstractmethod
    def collocation(self) -> np.ndarray:
        """The m points at which first-order conditions are imposed, in standard deviations of the first private number."""

    def cut(self, latent: Array) -> Array:
        """The numbers that are said."""
        low, high = self.bounds.value
        return jnp.where(latent < low, low, jnp.where(latent > high, high, latent))

    def __call__(self, known: Any) -> Float[Array, " N"]:
        return self.cut(self.uncut(known))

    def check(self, players):
        n, leaves = len(players), jax.tree.leaves(split_learned(self)[0])
        shapes = {jnp.shape(leaf) for leaf in leaves}
        if shapes not in ({()}, {(n,)}):
            raise InputError(
                "strategies", f"coefficients of shapes {sorted(shapes)}", f"give all of shape ({n},), or all ()"
            )

    def expand(self, players):
        free, rest = split_learned(self)
        return eqx.combine(jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (players,)), free), rest)

    def unknowns(self, residuals):
        symmetric = all(jnp.ndim(leaf) == 0 for leaf in jax.tree.leaves(split_learned(self)[0]))
        return residuals[0] if symmetric else residuals.ravel()

    @property
    def replies_stay(self):
        return True


def unbounded() -> Frozen:
    """Any number may be said."""
    return Frozen((jnp.asarray(-jnp.inf), jnp.asarray(jnp.inf)))


class FixedMessages(AbstractNumberMessages):
    """The same number whatever the type: what complete information comes to. `latent`: before it is cut at the bounds."""

    latent: Array = eqx.field(converter=as_number)  # type: ignore[misc]  # it comes before `bounds`
    bounds: Frozen = eqx.field(default_factory=unbounded)

    def uncut(self, types):
        return jnp.broadcast_to(self.latent, types.shape[:1])

    def collocation(self):
        return np.array([0.0])

    @property
    def message(self) -> Array:
        """The number that is said."""
        return self.cut(self.latent)

    def table(self, players):
        return {"message": np.broadcast_to(np.asarray(self.message), (len(players),))}


class AffineMessages(AbstractNumberMessages):
    """intercept + weight * type, the first of the private numbers."""

    intercept: Array = eqx.field(converter=as_number)  # type: ignore[misc]  # it comes before `bounds`
    weight: Array = eqx.field(converter=as_number)  # type: ignore[misc]
    bounds: Frozen = eqx.field(default_factory=unbounded)

    def uncut(self, types):
        return self.intercept + self.weight * types[:, 0]

    def collocation(self):
        return np.array([-1.0, 1.0])

    def table(self, players):
        columns = {"intercept": self.intercept, "weight": self.weight}
        return {name: np.broadcast_to(np.asarray(column), (len(players),)) for name, column in columns.items()}
