"""Where a message stops: soft weights over its last token, which sum to one and can be differentiated.

    w_t = h_t prod_{s<t} (1 - h_s),  the remainder on the last step          (1)

h_t is the hazard: the probability of stopping after token t, given that it was said (discrete survival; stick-breaking).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_finite

HALF = 0.5


def stopping(hazards: Float[Array, " L"]) -> Float[Array, " L"]:
    """w (L,), (1): the probability that token t is the last; the last hazard is not read, since there it must stop.

    `InputError` where a hazard is no probability. Gradients are finite at hazards of exactly 0 and 1.
    """
    hazards = _forced(hazards)
    reached = jnp.cumprod(1 - hazards)
    return hazards * jnp.concatenate([jnp.ones(1, hazards.dtype), reached[:-1]])


def hard_stop(hazards: Float[Array, " L"]) -> Float[Array, " L"]:
    """One-hot weights (L,) at the first hazard of a half or more, else at the last step; no gradient passes."""
    hazards = _forced(hazards)
    return jax.nn.one_hot(jnp.argmax(hazards >= HALF), hazards.shape[0], dtype=hazards.dtype)


def expected_length(weights: Float[Array, " L"]) -> Float[Array, ""]:
    """sum_t w_t (t + 1): tokens said, in expectation, from 1 to L."""
    return weights @ jnp.arange(1, weights.shape[0] + 1, dtype=weights.dtype)


def alive(weights: Float[Array, " L"]) -> Float[Array, " L"]:
    """(L,): the probability that token t is said at all, 1 - sum_{s<t} w_s; its sum is the expected length."""
    return lax.cumsum(weights, reverse=True)  # the same, as weights sum to one, and never below zero


def _forced(hazards):
    """The hazards with a certain stop at the end."""
    if hazards.shape[0] == 0:
        raise InputError("hazards", "a message of no tokens cannot stop", "give one hazard or more")
    require_finite("hazards", hazards)
    if is_concrete(hazards) and np.any((np.asarray(hazards) < 0) | (np.asarray(hazards) > 1)):
        raise InputError("hazards", "found one outside [0, 1]", "give probabilities, such as jax.nn.sigmoid(logits)")
    return hazards.at[-1].set(1)
