r"""The rate-distortion frontier of a finite source, by Blahut's and Arimoto's iteration (1972), with bounds on its error.

States s have chances m_s, and the symbol a in state s costs the distortion d_sa. Where the frontier R(D) falls with slope
-beta its channel, and the iteration for the chances q of the symbols, are

    Q(a | s) = q_a e^{-beta d_sa} / Z_s,     Z_s = sum_b q_b e^{-beta d_sb},                              (1)
    q <- q c,     c_a = sum_s m_s e^{-beta d_sa} / Z_s.                                                   (2)

At any q the channel (1) has a distortion D, and with V = -beta D - sum_s m_s ln Z_s

    V - max_a ln c_a  <=  R(D)  <=  V - sum_a q_a c_a ln c_a  =  the rate of (1).                         (3)

The price of a nat in terms of distortion is 1 / beta.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.priors import number

_MASS = 1e-6


class RateDistortion(eqx.Module):
    """A point at or near the frontier: `distortion`, the `rate` of the channel in nats, between which and `lower` R at
    this distortion lies (3), the channel `conditional` (S, A), the chances `symbols` (A,) and how many `steps` were made."""

    rate: Float[Array, ""]
    lower: Float[Array, ""]
    distortion: Float[Array, ""]
    conditional: Float[Array, "S A"]
    symbols: Float[Array, " A"]
    steps: Int[Array, ""]

    @property
    def gap(self) -> Array:
        """How far above the frontier the rate may lie, at most."""
        return self.rate - self.lower


def blahut_arimoto(
    source: ArrayLike, distortion: ArrayLike, slope: ArrayLike, tolerance: float = 1e-9, max_steps: int = 100_000
) -> RateDistortion:
    """The frontier of a `source` (S,) under a `distortion` (S, A) where it falls by `slope` beta nats per unit of it.

    Stops where the bounds (3) are within `tolerance` nats of each other, or after `max_steps`: see `gap`. Convergence is
    slow where a symbol is all but worth using. Has forward derivatives only. Raises `InputError`.
    """
    source, distortion, slope = number("source")(source), number("distortion")(distortion), number("slope")(slope)
    if distortion.ndim != 2 or 0 in distortion.shape:
        raise InputError("distortion", f"shape {distortion.shape}", "give (states, symbols)")
    if source.shape != distortion.shape[:1]:
        raise InputError("source", f"shape {source.shape} for {distortion.shape[0]} states", "give one chance for each")
    if slope.ndim > 0:
        raise InputError("slope", f"shape {slope.shape}", "give one number; for many use jax.vmap")
    require_finite("distortion", distortion)
    require_positive("source", source, strict=False)
    require_positive("slope", slope, strict=False)
    if is_concrete(source) and abs(float(jnp.sum(source)) - 1) > _MASS:
        raise InputError("source", f"the chances sum to {float(jnp.sum(source)):.8g}", "divide them by their sum")
    return _iterate(source, distortion, slope, tolerance, max_steps)


@eqx.filter_jit
def _iterate(source, distortion, slope, tolerance, max_steps) -> RateDistortion:
    least = jnp.min(distortion, axis=1)  # taken out of the exponents, so that some symbol has weight one in every state
    weights = jnp.exp(-slope * (distortion - least[:, None]))

    def measured(q):
        sums = weights @ q
        c = (source / sums) @ weights
        conditional = q * weights / sums[:, None]
        mean = jnp.sum(source[:, None] * conditional * distortion)
        v = -slope * mean - source @ (jnp.log(sums) - slope * least)
        logs = jnp.log(jnp.where(c > 0, c, 1.0))
        upper, lower = v - jnp.sum(q * c * logs), v - jnp.max(logs)
        return q * c, conditional, mean, upper, lower

    def going_on(carry):
        _, gap, steps = carry
        return (gap > tolerance) & (steps < max_steps)

    def step(carry):
        q, _, steps = carry
        after, _, _, upper, lower = measured(q)
        return jnp.where(upper - lower > tolerance, after, q), upper - lower, steps + 1

    n = distortion.shape[1]
    begin = jnp.full(n, 1 / n, weights.dtype), jnp.array(jnp.inf, weights.dtype), jnp.array(0)
    q, _, steps = jax.lax.while_loop(going_on, step, begin)
    _, conditional, mean, upper, lower = measured(q)
    return RateDistortion(upper, jnp.maximum(lower, 0.0), mean, conditional, q, steps)
