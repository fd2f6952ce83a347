"""What it costs to say something: a channel takes a message and a key to what is received, and to facts about the passage."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Info(eqx.Module):
    """Facts about one passage through a channel; scalars.

    `nats`: the information cost of what was sent, KL(law of what is received || the channel's prior), in nats; averaged over
    messages it bounds their mutual information from above. `length`: tokens said, in expectation where stopping is soft.
    `log_prob`: log-probability (or density) of what was received given what was sent, the received held fixed; None where there
    is none. `entropy`: of that law, in nats; None where there is none. `penalty`: of training alone, never in payoffs
    (the commitment of a quantiser).
    """

    nats: Float[Array, ""]
    length: Float[Array, ""]
    log_prob: Float[Array, ""] | None
    entropy: Float[Array, ""] | None
    penalty: Float[Array, ""]


def free(dtype=None) -> Info:
    """The facts of a passage that costs nothing and says nothing by itself."""
    zero = jnp.zeros((), dtype)
    return Info(zero, zero, None, None, zero)


class AbstractChannel(eqx.Module):
    """`channel(message, key)` is (what is received, `Info`)."""

    @property
    @abstractmethod
    def pathwise(self) -> bool:
        """Whether what is received is a differentiable function of the message and of noise, so that its derivative is
        an unbiased gradient."""

    @property
    @abstractmethod
    def likely(self) -> bool:
        """Whether what is received has a log-probability given the message."""

    @abstractmethod
    def __call__(self, message: Array, key: Array) -> tuple[Array, Info]:
        """What is received, and facts about the passage."""


class Chain(AbstractChannel):
    """Channels one after another: costs and penalties add, the last one's length counts where it has one.

    Log-probabilities add, those of the later given what the earlier let through, where every channel has one.
    """

    channels: tuple[AbstractChannel, ...]

    def __init__(self, *channels: AbstractChannel):
        self.channels = channels

    @property
    def pathwise(self):
        return all(channel.pathwise for channel in self.channels)

    @property
    def likely(self):
        return all(channel.likely for channel in self.channels)

    def __call__(self, message, key):
        facts = []
        for i, channel in enumerate(self.channels):
            message, info = channel(message, jax.random.fold_in(key, i))
            facts.append(info)
        return message, Info(
            sum((f.nats for f in facts), jnp.zeros(())),
            _last([f.length for f in facts]),
            _added([f.log_prob for f in facts]),
            _added([f.entropy for f in facts]),
            sum((f.penalty for f in facts), jnp.zeros(())),
        )


def _last(lengths):
    """The last length that is not zero."""
    found = jnp.zeros(())
    for length in lengths:
        found = jnp.where(length != 0, length, found)
    return found


def _added(terms):
    """The sum, or None where one is not known."""
    return None if not terms or any(term is None for term in terms) else sum(terms)
