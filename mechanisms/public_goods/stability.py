r"""Whether players who adjust come back to an equilibrium, by linearisation.

With J = d (du_i/dx_i) / dx_j at the equilibrium and D its diagonal, simultaneous best replies have the matrix -D^-1 (J - D)
and gradient play with a step s the matrix I + s J. Players at a bound with a payoff that pushes outward stay there and are
left out. Best replies come back iff their spectral radius is below one; gradient play in small steps iff the eigenvalues
of J have negative real parts, and with a step s iff s < min -2 Re(e) / |e|^2 over them.

Sources: Chen and Tang (1998); Rosen (1965).
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from dcg_econ._errors import InputError
from dcg_econ.mechanisms.public_goods.dynamics import NumberGame
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood
from dcg_econ.priors import number


class Stability(eqx.Module):
    """`best_reply` (): spectral radius of simultaneous best replies. `rates` (N,): eigenvalues of J, per unit of step;
    `usual_step` (): one over the largest |d^2 u_i / d x_i^2|, with which no player alone overshoots."""

    best_reply: Float[Array, ""]
    rates: Complex[Array, " N"]
    usual_step: Float[Array, ""]

    def gradient_play(self, step: Array | float | None = None) -> Float[Array, ""]:
        """The spectral radius of gradient play with a step, by default the usual one."""
        step = self.usual_step if step is None else step
        return jnp.max(jnp.abs(1 + step * self.rates))

    @property
    def largest_step(self) -> Float[Array, ""]:
        """Below this step gradient play comes back; zero where it never does."""
        falls = self.rates.real < 0
        reach = -2 * self.rates.real / jnp.maximum(jnp.abs(self.rates) ** 2, 1e-300)
        return jnp.where(jnp.all(falls), jnp.min(reach), 0.0)

    def __str__(self):
        return (
            f"best-reply radius {float(self.best_reply):.4f}; gradient play: radius {float(self.gradient_play()):.4f} at "
            f"step {float(self.usual_step):.3g}, stable below {float(self.largest_step):.3g}"
        )


def stability(mechanism: AbstractPublicGood, messages: Any, types: Array | None = None) -> Stability:
    """The stability of an equilibrium in numbers (N,), `messages` or shades, at mean types or at `types` (N, k)."""
    if not mechanism.continuous:
        raise InputError(
            "mechanism", f"payoffs of {type(mechanism).__name__} jump", "linearisation says nothing; use `dynamics`"
        )
    types = mechanism.preferences.at(jnp.zeros(())) if types is None else types
    return _stability(mechanism, number("messages")(messages), types)


@eqx.filter_jit
def _stability(mechanism, x, types):
    game = NumberGame(mechanism, types)
    jacobian, slopes = jax.jacfwd(game.gradient)(x), game.gradient(x)
    low, high = mechanism.bounds()
    free = ~((x <= low) & (slopes < 0) | (x >= high) & (slopes > 0))
    own = jnp.diagonal(jacobian)
    own = jnp.where(free & (own != 0), own, -1.0)
    both = free[:, None] & free[None, :] & ~jnp.eye(x.shape[0], dtype=bool)
    cross = jnp.where(both, jacobian, 0.0)
    replies = -cross / own[:, None]
    radius = jnp.max(jnp.abs(jnp.linalg.eigvals(replies)))
    rates = jnp.linalg.eigvals(cross + jnp.diag(own))
    return Stability(radius, rates, 1 / jnp.max(jnp.abs(own)))
