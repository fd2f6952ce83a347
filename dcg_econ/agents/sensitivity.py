"""How much each token of a net matters downstream: norms of gradients, had at evaluation too, where there is no loss.

While a training pulls gradients back, every token has a tap: the identity, whose derivative is the objective's in that token.
Running norms keep the mean size of it by position; predicted norms are a head's answer to the token itself, fitted to it.
Both are detached: no gradient of the objective flows through them.
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

FLOOR = 1e-2  # eps of log(g / mean g + eps): a token that does not matter loses at most 4.6 beta in logits
_MEMORY = 0.9  # of a running norm, for one step of training
_FIT = 1e-4  # of a head's gradient, a sum over a batch: Adam does not mind, and clipping is left to the objective's


def log_ratios(norms: Float[Array, " T"]) -> Float[Array, " T"]:
    """log(g_j / mean g + eps); zeros, which weigh all tokens alike, where norms are all zero or one is not finite."""
    mean = jnp.mean(norms)
    usable = jnp.isfinite(mean) & (mean > 0)
    return jnp.where(usable, jnp.log(jnp.where(usable, norms / jnp.where(usable, mean, 1), 1) + FLOOR), 0)


class AbstractNorms(eqx.Module):
    """What a net of T tokens of `width` numbers knows of the size of the objective's derivative in each."""

    @abstractmethod
    def bias(self, tokens: Float[Array, "T w"]) -> Float[Array, " T"]:
        """The log ratio of each token's norm to their mean, detached."""

    @abstractmethod
    def tapped(self, tokens: Float[Array, "T w"]) -> Float[Array, "T w"]:
        """The tokens as they are; what is pulled back through them is noticed."""


class NoNorms(AbstractNorms):
    """Plain attention."""

    def bias(self, tokens):
        return jnp.zeros(tokens.shape[0], tokens.dtype)

    def tapped(self, tokens):
        return tokens


class RunningNorms(AbstractNorms):
    """Running means by position, in an `eqx.nn.State`; all one before any step."""

    place: eqx.nn.StateIndex
    state: eqx.nn.State

    def __init__(self, tokens: int):
        self.place, self.state = eqx.nn.make_with_state(eqx.nn.StateIndex)(jnp.ones(tokens))

    @property
    def norms(self) -> Float[Array, " T"]:
        return self.state.get(self.place)

    def bias(self, tokens):
        return jax.lax.stop_gradient(log_ratios(self.norms))

    def tapped(self, tokens):
        return _kept(tokens, self.norms)

    def with_norms(self, norms: Float[Array, " T"]) -> "RunningNorms":
        """The same place with other norms in it."""
        return jax.tree.unflatten(jax.tree.structure(self), [norms])  # its one leaf


class PredictedNorms(AbstractNorms):
    """Log norms that a linear head reads off each token; fitted to those tapped in the same episode, by least squares."""

    head: eqx.nn.Linear

    def __init__(self, width: int, *, key: Array):
        head = eqx.nn.Linear(width, 1, key=key)
        self.head = eqx.tree_at(lambda h: (h.weight, h.bias), head, replace_fn=jnp.zeros_like)  # all alike at first

    def bias(self, tokens):
        return jax.lax.stop_gradient(log_ratios(jnp.exp(self._predicted(tokens))))

    def tapped(self, tokens):
        return _compared(tokens, self._predicted(tokens))

    def _predicted(self, tokens):
        return jax.vmap(self.head)(jax.lax.stop_gradient(tokens))[:, 0]


class ShuffledNorms(AbstractNorms):
    """A placebo: every token is given another token's norm, by one derangement for all sessions and steps.

    With a fresh shuffle at each step every token would get the mean norm in the long run, which is plain attention.
    """

    norms: AbstractNorms
    order: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, norms: AbstractNorms, tokens: int):
        if tokens < 2:
            raise InputError("norms", f"{tokens} token", "give a net of two tokens or more: one cannot be shuffled")
        self.norms, self.order = norms, _derangement(tokens)

    def bias(self, tokens):
        return self.norms.bias(tokens)[np.asarray(self.order)]

    def tapped(self, tokens):
        return self.norms.tapped(tokens)


def _derangement(tokens: int) -> tuple[int, ...]:
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(tokens)
        if np.all(order != np.arange(tokens)):
            return tuple(int(i) for i in order)


@jax.custom_vjp
def _kept(tokens, norms):
    """The tokens; the "derivative" in `norms` is the size of the tokens' own, summed over whatever is batched."""
    del norms
    return tokens


def _kept_back(_, cotangent):
    return cotangent, _sizes(cotangent)


_kept.defvjp(lambda tokens, norms: (tokens, None), _kept_back)


@jax.custom_vjp
def _compared(tokens, logs):
    """The tokens; the "derivative" in `logs` climbs to the logs of the ratios of the tokens' own, for each episode."""
    del logs
    return tokens


def _compared_back(logs, cotangent):
    sizes = _sizes(cotangent)
    usable = jnp.all(jnp.isfinite(sizes)) & (jnp.max(sizes) > 0)
    return cotangent, _FIT * jnp.where(usable, log_ratios(sizes) - logs, 0)


_compared.defvjp(lambda tokens, logs: (tokens, logs), _compared_back)


def _sizes(rows):
    return jax.lax.stop_gradient(jnp.linalg.norm(rows, axis=-1))


def _is_running(node: Any) -> bool:
    return isinstance(node, RunningNorms)


def quiet(direction: Any) -> Any:
    """A training's direction without what running norms have noticed, for an optimiser."""
    return jax.tree.map(
        lambda n: jax.tree.map(jnp.zeros_like, n) if _is_running(n) else n, direction, is_leaf=_is_running
    )


def notice(learned: Any, direction: Any) -> Any:
    """What is learned, with its running norms moved towards those in the direction of a step."""

    def moved(node, seen):
        if not _is_running(node):
            return node
        old, new = node.norms, seen.norms
        usable = jnp.all(jnp.isfinite(new)) & jnp.any(new > 0)
        return node.with_norms(jnp.where(usable, _MEMORY * old + (1 - _MEMORY) * new, old))

    return jax.tree.map(moved, learned, direction, is_leaf=_is_running)
