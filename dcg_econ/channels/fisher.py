"""How strongly a listener answers to a message: the Fisher information of its policy about what it heard.

    F(m) = J' (diag p - p p') J,   J = d logits / d message,   p = softmax(logits)          (1)

so that KL(pi(m) || pi(m + d)) = d' F d / 2 up to third order. Its rank is at most the actions less one.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_finite

# Eigenvalues below this share of the largest, per dimension and in units of the dtype's rounding, are taken for zero.
NOISE = 10.0


def fisher_information(
    policy_logits: Callable[[Float[Array, "*message"]], Float[Array, " A"]], message: Float[Array, "*message"]
) -> Float[Array, "D D"]:
    """F (D, D), (1), D the message's size, in the order of `message.ravel()`; nats per squared unit of the message.

    Not invariant to the message's units: `gaussian_information` is. Actions of logit -inf count for nothing.
    """
    logits = policy_logits(message)
    slopes = jax.jacrev(policy_logits)(message).reshape(logits.shape[0], message.size)
    shares = jax.nn.softmax(logits)
    centred = slopes - shares @ slopes
    return _symmetric(centred.T @ (shares[:, None] * centred))


def gaussian_information(information: Float[Array, "D D"], covariance: Float[Array, "D D"]) -> Float[Array, ""]:
    """log det(I + covariance F) / 2 in nats: what a Gaussian message tells through a local Gaussian listener.

    `covariance` of the message over types, symmetric and nowhere negative, singular or not. Invariant to invertible linear
    maps of the message; zero at F = 0, with gradient covariance / 2 there. `InputError` where it is no covariance.
    """
    _require_covariance(covariance)
    return _half_log_det(_symmetric(information), _symmetric(covariance))


@jax.custom_jvp
def _half_log_det(information, covariance):
    values, vectors = jnp.linalg.eigh(covariance)
    factor = vectors * jnp.sqrt(jnp.maximum(values, 0))
    gains = jnp.linalg.eigvalsh(_symmetric(factor.T @ information @ factor))
    return jnp.sum(jnp.log1p(jnp.maximum(gains, 0))) / 2


@_half_log_det.defjvp
def _half_log_det_slope(primals, tangents):
    """tr[(I + S F)^-1 (dS F + S dF)] / 2: no root of S, whose derivative is undefined where eigenvalues meet or vanish."""
    information, covariance = primals
    mixed = jnp.eye(information.shape[0], dtype=information.dtype) + covariance @ information
    change = tangents[1] @ information + covariance @ tangents[0]
    return _half_log_det(information, covariance), jnp.trace(jnp.linalg.solve(mixed, change)) / 2


def effective_rank(information: Float[Array, "D D"]) -> Float[Array, ""]:
    """exp(entropy of the eigenvalues' shares), from 1 to the rank (Roy and Vetterli 2007); 0 where F = 0: nobody listens.

    Invariant to scale and rotation. Differentiable where F is not zero: eigenvalues that are zero up to rounding carry
    no gradient (where F stays a Fisher information they have none). At F = 0 it jumps; its gradient there is zero.
    """
    values = jnp.linalg.eigvalsh(_symmetric(information))
    top = jnp.max(values)
    noise = NOISE * information.shape[0] * jnp.finfo(values.dtype).eps * top
    live = values > jnp.maximum(noise, 0)
    kept = jnp.where(live, values, 0)
    heard = jnp.any(live)
    shares = kept / jnp.where(heard, jnp.sum(kept), 1)
    logs = jnp.log(jnp.where(live, shares, 1))
    return jnp.where(heard, jnp.exp(-jnp.sum(shares * logs)), 0)


def _symmetric(matrix):
    return (matrix + matrix.T) / 2


def _require_covariance(covariance):
    require_finite("covariance", covariance)
    if not is_concrete(covariance) or covariance.size == 0:
        return
    numbers = np.asarray(covariance)
    rounding = np.sqrt(np.finfo(numbers.dtype).eps) * np.max(np.abs(numbers))
    if np.max(np.abs(numbers - numbers.T)) > rounding:
        raise InputError("covariance", "not symmetric", "give jnp.cov(messages, rowvar=False)")
    if np.linalg.eigvalsh(numbers)[0] < -rounding:
        raise InputError("covariance", "has a negative eigenvalue", "give jnp.cov(messages, rowvar=False)")
