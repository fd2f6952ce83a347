"""A bottleneck between the layers of a net: a player's own attention, priced by the channels that price talk."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, require_positive
from dcg_econ.agents.frozen import Frozen
from dcg_econ.channels.base import Info
from dcg_econ.channels.gaussian import AbstractGaussian, GaussianBottleneck
from dcg_econ.priors import as_number


class Bottleneck(eqx.Module):
    """Every token (w,) as `size` numbers through a Gaussian channel and back: nothing else passes.

    `price`: payoff units for each nat, charged while learning to whoever the net belongs to. Noise is drawn where a play
    hands in a key (`noisy`); without one the signal passes alone. Players who share a net share its noise.
    """

    squeeze: eqx.nn.Linear
    expand: eqx.nn.Linear
    frozen: Frozen
    key: Array | None
    weight: Array | None

    def __init__(
        self,
        width: int,
        size: int,
        price: ArrayLike = 0.0,
        channel: AbstractGaussian | None = None,
        *,
        key: Array,
    ):
        channel = GaussianBottleneck() if channel is None else channel
        if not isinstance(channel, AbstractGaussian):
            raise InputError("channel", f"{channel!r}", "give a Gaussian channel, e.g. dcg.GaussianBottleneck()")
        require_positive("price", price, strict=False)
        first, second = jax.random.split(key)
        self.squeeze = eqx.nn.Linear(width, channel.raw(size), key=first)
        self.expand = eqx.nn.Linear(size, width, key=second)
        self.frozen = Frozen((channel, as_number(price)))
        self.key = self.weight = None

    def passage(self, tokens: Float[Array, "T w"], number: int = 0) -> tuple[Float[Array, "T w"], Info]:
        """What comes through of the tokens, and the facts; `number` tells apart the passages of one net."""
        channel, _ = self.frozen.value
        raw = jax.vmap(self.squeeze)(tokens)
        signals, spreads = jax.vmap(channel.law)(raw)
        key = jax.random.key(0) if self.key is None else jax.random.fold_in(self.key, number)
        heard, info = channel.received(signals, spreads, key)
        return jax.vmap(self.expand)(signals if self.key is None else heard), info

    def __call__(self, tokens: Float[Array, "T w"], number: int = 0) -> Float[Array, "T w"]:
        came, info = self.passage(tokens, number)
        if self.weight is None:
            return came
        return _charged(came, self.frozen.value[1] * info.nats, self.weight)


@jax.custom_vjp
def _charged(tokens, cost, weight):
    """The tokens; what is pulled back meets a cost, as if it had been taken off the objective, `weight` times."""
    del cost, weight
    return tokens


_charged.defvjp(
    lambda tokens, cost, weight: (tokens, weight),
    lambda weight, cotangent: (cotangent, -weight, jnp.zeros_like(weight)),
)


def noisy(tree: Any, key: Array, weight: ArrayLike | None = None) -> Any:
    """The same agents with noise for one episode in their bottlenecks, and, while they learn, the weight of its costs."""

    def is_narrow(node):
        return isinstance(node, Bottleneck)

    nodes = iter(range(len(jax.tree.leaves(tree, is_leaf=is_narrow))))

    def one(node):
        if not is_narrow(node):
            return node
        own = jax.random.fold_in(key, next(nodes))
        given = (own, None if weight is None else jnp.asarray(weight, float))
        return eqx.tree_at(lambda n: (n.key, n.weight), node, given, is_leaf=lambda x: x is None)

    return jax.tree.map(one, tree, is_leaf=is_narrow)
