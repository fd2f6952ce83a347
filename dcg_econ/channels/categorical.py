"""Symbols: from the V logits of a net to one of V words, as a one-hot vector.

The cost of a symbol is KL(its law || uniform) = log V - entropy, in nats.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import require_positive
from dcg_econ.channels.base import AbstractChannel, Info
from dcg_econ.priors import number


class AbstractSymbols(AbstractChannel):
    """Logits (V,) to a vector (V,) of symbols' weights, which sum to one."""


class Categorical(AbstractSymbols):
    """One symbol, drawn with the probabilities that the logits say."""

    @property
    def pathwise(self):
        return False

    @property
    def likely(self):
        return True

    def __call__(self, message, key):
        word = jax.random.categorical(key, message)
        heard = jax.nn.one_hot(word, message.shape[0], dtype=message.dtype)
        return heard, symbol_info(message, heard)


class Greedy(AbstractSymbols):
    """The likeliest symbol: what a trained sender says when it is held to its word. Its one-hot has no derivative."""

    @property
    def pathwise(self):
        return False

    @property
    def likely(self):
        return False

    def __call__(self, message, key):
        del key
        heard = jax.nn.one_hot(jnp.argmax(message), message.shape[0], dtype=message.dtype)
        zero = jnp.zeros((), message.dtype)
        return heard, Info(zero + np.log(message.shape[0]), zero + 1, None, zero, zero)  # nothing is left to chance


class GumbelSoftmax(AbstractSymbols):
    """A differentiable stand-in for a symbol: softmax((logits + Gumbel noise) / temperature).

    Jang et al. (2017), Maddison et al. (2017). `straight_through`: the listener
    gets the one-hot of the largest weight, and the derivative of the soft weights.
    As gradients of the game with symbols, both are biased.
    """

    temperature: Array = eqx.field(converter=number("temperature"), default=1.0)
    straight_through: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        require_positive("temperature", self.temperature)

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return False

    def __call__(self, message, key):
        noise = jax.random.gumbel(key, message.shape, message.dtype)
        soft = jax.nn.softmax((message + noise) / self.temperature)
        heard = soft
        if self.straight_through:
            hard = jax.nn.one_hot(jnp.argmax(soft), soft.shape[0], dtype=soft.dtype)
            heard = soft + jax.lax.stop_gradient(hard - soft)
        return heard, eqx.tree_at(lambda i: i.log_prob, symbol_info(message, heard), None)


def symbol_info(logits: Float[Array, " V"], heard: Float[Array, " V"]) -> Info:
    """The facts of one symbol; its log-probability is the logarithm of its share, `heard` held fixed."""
    logs = jax.nn.log_softmax(logits)
    entropy = -jnp.sum(jnp.exp(logs) * logs)
    zero = jnp.zeros((), logits.dtype)
    log_prob = jnp.sum(jax.lax.stop_gradient(heard) * logs)
    return Info(np.log(logits.shape[0]) - entropy, zero + 1, log_prob, entropy, zero)
