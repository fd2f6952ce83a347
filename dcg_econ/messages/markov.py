"""The O(n) path: Matern-1/2 curves on sorted prices.

The exponential kernel is the covariance of an Ornstein-Uhlenbeck process, a Markov process, so K^-1 = T is tridiagonal
(Rasmussen and Williams 2006, appendix B). With e_i = exp(-(x_{i+1} - x_i) / l):

    v T_ii = 1 + e_{i-1}^2 / (1 - e_{i-1}^2) + e_i^2 / (1 - e_i^2),   v T_{i,i+1} = -e_i / (1 - e_i^2)     (1)
    fitted values:  (I + ridge T) f = y                                                                 (2)
    between knots:  f(p) = [f_i sinh((x_{i+1} - p)/l) + f_{i+1} sinh((p - x_i)/l)] / sinh(Delta_i / l)     (3)
    outside:        f(p) = f_end exp(-distance / l)                                                     (4)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float, Int

from dcg_econ.messages.basis import AbstractBasis
from dcg_econ.messages.kernels import Matern12


class MarkovBasis(AbstractBasis):
    """Matern12 on distinct knots in any order; a curve's coefficients are its fitted values at the sorted knots."""

    knots: Float[Array, " n"]
    kernel: Matern12
    ridge: Float[Array, ""]
    order: Int[Array, " n"]
    sorted_knots: Float[Array, " n"]
    operator: lx.TridiagonalLinearOperator

    def __init__(self, knots, kernel, ridge):
        self.knots, self.kernel, self.ridge = knots, kernel, ridge
        # Sorting costs more than the solve: skip it where the prices come sorted.
        in_order = jnp.all(knots[1:] >= knots[:-1])
        self.order = jax.lax.cond(in_order, lambda k: jnp.arange(k.shape[0]), jnp.argsort, knots)
        self.sorted_knots = knots[self.order]
        steps = jnp.diff(self.sorted_knots) / kernel.lengthscale
        decay, gap = jnp.exp(-steps), -jnp.expm1(-2 * steps)
        inner = decay**2 / gap
        diagonal = 1 + jnp.pad(inner, (0, 1)) + jnp.pad(inner, (1, 0))
        off = -decay / gap
        scale = ridge / kernel.variance
        self.operator = lx.TridiagonalLinearOperator(1 + scale * diagonal, scale * off, scale * off)

    def _solve(self, vector):
        return lx.linear_solve(self.operator, vector, lx.Tridiagonal(), throw=False).value

    def _as_given(self, values):
        """From the order of the sorted knots to that of the knots as given."""
        return jnp.zeros_like(values).at[self.order].set(values)

    def fit(self, values):
        return self._solve(values[self.order])

    def value(self, coefficients, price):
        return _everywhere(self._bridge, coefficients, price)

    def slope(self, coefficients, price):
        return _everywhere(jax.grad(self._bridge, argnums=1), coefficients, price)

    def integral(self, coefficients, low, high):
        def between(values, a, b):
            return self._area(values, b) - self._area(values, a)

        return jnp.vectorize(between, signature="(n),(),()->()")(coefficients, low, high)

    def influence(self, price):
        # f(p) = r(p) . f with r sparse, f = (I + ridge T)^-1 y, and the matrix is symmetric: h = (I + ridge T)^-1 r.
        row = jax.grad(self._bridge)(jnp.zeros_like(self.knots), price)
        return self._as_given(self._solve(row))

    def leverage(self):
        return self._as_given(_tridiagonal_inverse_diagonal(self.operator.diagonal, self.operator.upper_diagonal))

    def loo(self, coefficients, values):
        return (values - self._as_given(coefficients)) / (1 - self.leverage())

    def _segment(self, price):
        """The knot i to the left of `price` (clipped), and the step sizes of (3) in lengthscales."""
        i = jnp.clip(jnp.searchsorted(self.sorted_knots, price, side="right") - 1, 0, self.sorted_knots.shape[0] - 2)
        left, right = self.sorted_knots[i], self.sorted_knots[i + 1]
        # `where` keeps the derivative 1 at the knots, where `clip` would halve it.
        inside = jnp.where(price < left, left, jnp.where(price > right, right, price))
        scale = self.kernel.lengthscale
        return i, (inside - left) / scale, (right - inside) / scale, (right - left) / scale

    def _bridge(self, values, price):
        i, to_left, to_right, step = self._segment(price)
        first, last = self.sorted_knots[0], self.sorted_knots[-1]
        beyond = jnp.where(price < first, first - price, 0) + jnp.where(price > last, price - last, 0)
        # sinh(u)/sinh(s) with u <= s, in a form that cannot overflow.
        left = jnp.exp(to_right - step) * jnp.expm1(-2 * to_right) / jnp.expm1(-2 * step)
        right = jnp.exp(to_left - step) * jnp.expm1(-2 * to_left) / jnp.expm1(-2 * step)
        return (values[i] * left + values[i + 1] * right) * jnp.exp(-beyond / self.kernel.lengthscale)

    def _area(self, values, price):
        """The integral from the first knot to `price`."""
        scale = self.kernel.lengthscale
        steps = jnp.diff(self.sorted_knots) / scale
        whole = jnp.pad(jnp.cumsum(scale * jnp.tanh(steps / 2) * (values[:-1] + values[1:])), (1, 0))
        i, to_left, to_right, step = self._segment(price)
        # cosh(s) - cosh(u) over sinh(s), s = step and u the distance to the right knot; and cosh(u) - 1 for the other.
        left = (1 + jnp.exp(-2 * step) - jnp.exp(to_right - step) * (1 + jnp.exp(-2 * to_right))) / -jnp.expm1(
            -2 * step
        )
        right = jnp.exp(to_left - step) * jnp.expm1(-to_left) ** 2 / -jnp.expm1(-2 * step)
        part = scale * (values[i] * left + values[i + 1] * right)
        before, after = jnp.maximum(self.sorted_knots[0] - price, 0), jnp.maximum(price - self.sorted_knots[-1], 0)
        tails = values[0] * jnp.expm1(-before / scale) - values[-1] * jnp.expm1(-after / scale)
        return whole[i] + part + scale * tails


def _everywhere(function, coefficients, price):
    return jnp.vectorize(function, signature="(n),()->()")(coefficients, jnp.asarray(price))


def _tridiagonal_inverse_diagonal(diagonal: Float[Array, " n"], off: Float[Array, " k"]) -> Float[Array, " n"]:
    """diag(M^-1) of a symmetric positive definite tridiagonal M in O(n): 1 / (d_i + u_i - M_ii), d and u the pivots
    of elimination from above and from below (Meurant 1992)."""

    def pivots(diagonal, off):
        def step(previous, row):
            pivot = row[0] - row[1] ** 2 / previous
            return pivot, pivot

        _, rest = jax.lax.scan(step, diagonal[0], (diagonal[1:], off))
        return jnp.concatenate([diagonal[:1], rest])

    return 1 / (pivots(diagonal, off) + pivots(diagonal[::-1], off[::-1])[::-1] - diagonal)
