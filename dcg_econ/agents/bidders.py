"""Learned bidders of two-sided markets: an increasing net from a type to a bid or an ask."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ.agents.bids import Sides
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.learned import AbstractAgent, AbstractReporters
from dcg_econ.agents.nets import AbstractNets, Net, Perceptron
from dcg_econ.agents.transformer import Layout
from dcg_econ.priors import as_number

_CREDULITY = 0.1  # how far what is heard moves a fresh net: else some pairs start, and stay, where nobody trades


class BidAgent(AbstractAgent):
    """A net from a trader's type to its bid or ask that rises by construction: a sum of `width` rising sigmoids.

    Increasing reports are without loss: with independent types a higher type never gains by reporting less. `low` and
    `high`: the range of types; reports start near a random increasing function of it, and may leave it. What is heard,
    `heard` numbers in tokens of `token`, moves the net's numbers by one of `nets`, by default a perceptron.
    """

    weights: Float[Array, " w"]
    steps: Float[Array, " w"]
    places: Float[Array, " w"]
    base: Float[Array, ""]
    shifts: Net | None
    frozen: Frozen

    def __init__(
        self,
        low: ArrayLike = 0.0,
        high: ArrayLike = 1.0,
        *,
        key: Array,
        width: int = 32,
        heard: int = 0,
        token: int = 1,
        nets: AbstractNets | None = None,
    ):
        self.frozen = Frozen((as_number(low), as_number(high)))
        dtype = self.frozen.value[0].dtype
        tilt, step, place, base = jax.random.split(key, 4)
        # Unequal weights tilt each session's start its own way, so that sessions may find different equilibria.
        self.weights = jax.random.normal(tilt, (width,), dtype) - jnp.log(jnp.asarray(width, dtype))
        self.steps = jnp.log(jnp.expm1(jnp.asarray(4.0, dtype))) + jax.random.normal(step, (width,), dtype)
        self.places = jax.random.uniform(place, (width,), dtype, -0.2, 1.2)
        self.base = jax.random.uniform(base, (), dtype, -0.2, 0.2)
        # What is heard moves every number of the net, so the report stays increasing in the type.
        layout = Layout(0, heard, token)
        self.shifts = (nets or Perceptron(width, 1)).make(layout, 3 * width + 1, key) if heard else None

    def features(self, known):
        low, high = self.frozen.value
        return jnp.atleast_1d(2 * (known - low) / (high - low) - 1)

    def numbers_at(self, features, heard):
        low, high = self.frozen.value
        own = jnp.concatenate([self.weights, self.steps, self.places, self.base[None]])
        moved = own if self.shifts is None else own + _CREDULITY * self.shifts(heard)
        weights, steps, places = jnp.split(moved[:-1], 3)
        at = 0.5 * (features[0] + 1)
        rises = jax.nn.sigmoid(jax.nn.softplus(steps) * (at - places))
        return (low + (high - low) * (moved[-1] + jnp.sum(jax.nn.softplus(weights) * rises)))[None]

    def assemble(self, numbers):
        return numbers[:, 0]


class Bidders(AbstractReporters):
    """All buyers use one net and all sellers another, on their own types."""

    buyer: AbstractAgent
    seller: AbstractAgent
    buyers: int = eqx.field(static=True, default=1)

    def features(self, known: Sides) -> Any:
        return jnp.concatenate(
            [jax.vmap(self.buyer.features)(known.buyers), jax.vmap(self.seller.features)(known.sellers)]
        )

    def numbers_at(self, features, heard):
        m = self.buyers
        return jnp.concatenate(
            [
                jax.vmap(self.buyer.numbers_at)(features[:m], heard[:m]),
                jax.vmap(self.seller.numbers_at)(features[m:], heard[m:]),
            ]
        )

    def assemble(self, numbers):
        return Sides(self.buyer.assemble(numbers[: self.buyers]), self.seller.assemble(numbers[self.buyers :]))
