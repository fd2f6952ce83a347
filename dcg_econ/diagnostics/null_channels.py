"""Channels that pass nothing on, against which talk is measured."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.channels.base import AbstractChannel, Info


class Zeroed(AbstractChannel):
    """Zeros are received, whatever was said; free. A sure thing, so its log-probability and entropy are zero."""

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return True

    def __call__(self, message, key):
        del key
        return jnp.zeros_like(message), _nothing()


class ConstantMessage(AbstractChannel):
    """`value` is received, whatever was said; free. It takes the message's shape and dtype, and is not learned."""

    value: Array = eqx.field(converter=jnp.asarray)

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return True

    def __call__(self, message, key):
        del key
        value = lax.stop_gradient(jnp.asarray(self.value, message.dtype))
        return jnp.broadcast_to(value, message.shape), _nothing()


def shuffled(messages: Any, key: Array) -> Any:
    """Messages (a pytree, episodes along axis 0) dealt to other episodes: nobody keeps its own, all leaves move together.

    The order is one random cycle. For evaluation: listeners hear true messages, of somebody else's episode. `InputError`
    below two episodes.
    """
    episodes = {leaf.shape[0] for leaf in jax.tree.leaves(messages)}
    if len(episodes) != 1 or min(episodes) < 2:
        raise InputError("messages", f"episodes: {sorted(episodes)}", "give two episodes or more, alike in every leaf")
    cycle = jax.random.permutation(key, min(episodes))
    source = jnp.zeros_like(cycle).at[cycle].set(jnp.roll(cycle, 1))
    return jax.tree.map(lambda leaf: leaf[source], messages)


def _nothing():
    zero = jnp.zeros(())
    return Info(zero, zero, zero, zero, zero)
