"""Curves as messages: a whole demand schedule, quantity as a function of price.

A curve may carry leading batch axes (one curve per trader); `price` broadcasts against them.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.messages.basis import AbstractBasis, DualBasis, FeatureBasis
from dcg_econ.messages.features import features
from dcg_econ.messages.kernels import AbstractKernel, Matern12
from dcg_econ.messages.markov import MarkovBasis


class AbstractCurve(eqx.Module):
    """Quantity demanded as a function of price."""

    @abstractmethod
    def __call__(self, price: Array) -> Array:
        """The quantity at `price`."""

    @abstractmethod
    def slope(self, price: Array) -> Array:
        """dq/dp, negative where the law of demand holds."""

    @abstractmethod
    def integral(self, low: Array, high: Array) -> Array:
        """The area under the curve between two prices: consumer surplus lost when the price rises from one to other."""

    @abstractmethod
    def inverse(self, quantity: Array) -> Array:
        """The price at which `quantity` is demanded."""

    @abstractmethod
    def total(self) -> AbstractCurve:
        """The sum over the first batch axis: market demand."""


class AffineCurve(AbstractCurve):
    """q = intercept + gradient p."""

    intercept: Array
    gradient: Array

    def __call__(self, price):
        return self.intercept + self.gradient * price

    def slope(self, price):
        return self.gradient + jnp.zeros_like(price)

    def integral(self, low, high):
        return self.intercept * (high - low) + 0.5 * self.gradient * (high**2 - low**2)

    def inverse(self, quantity):
        return (quantity - self.intercept) / self.gradient

    def total(self):
        shape = jnp.broadcast_shapes(jnp.shape(self.intercept), jnp.shape(self.gradient))
        return AffineCurve(
            jnp.sum(jnp.broadcast_to(self.intercept, shape), 0), jnp.sum(jnp.broadcast_to(self.gradient, shape), 0)
        )


class PiecewiseLinearCurve(AbstractCurve):
    """Straight lines through (knots, values), continued at the outer slopes: the schedule of a real limit-order book."""

    knots: Float[Array, " n"]
    values: Float[Array, "*batch n"]

    def _segment(self, price):
        i = jnp.clip(jnp.searchsorted(self.knots, price, side="right") - 1, 0, self.knots.shape[0] - 2)
        left, right = jnp.take(self.values, i, axis=-1), jnp.take(self.values, i + 1, axis=-1)
        return i, left, (right - left) / (self.knots[i + 1] - self.knots[i])

    def __call__(self, price):
        i, left, slope = self._segment(price)
        return left + slope * (price - self.knots[i])

    def slope(self, price):
        return self._segment(price)[2]

    def integral(self, low, high):
        return self._area(high) - self._area(low)

    def _area(self, price):
        steps = jnp.diff(self.knots)
        whole = jnp.cumsum(0.5 * steps * (self.values[..., :-1] + self.values[..., 1:]), axis=-1)
        whole = jnp.concatenate([jnp.zeros_like(whole[..., :1]), whole], axis=-1)
        i, left, slope = self._segment(price)
        step = price - self.knots[i]
        return jnp.take(whole, i, axis=-1) + left * step + 0.5 * slope * step**2

    def inverse(self, quantity):
        return _invert(self, quantity, self.knots[0], self.knots[-1])

    def total(self):
        return PiecewiseLinearCurve(self.knots, jnp.sum(self.values, axis=0))


def kernel_basis(knots: ArrayLike, kernel: AbstractKernel, ridge: ArrayLike = 1e-6) -> AbstractBasis:
    """The basis that suits a kernel, to be shared by many curves.

    `knots` (n,) in price units, in any order; `ridge` as in scikit-learn's `alpha`, in the units of the kernel.
    Errors: NaN, repeated knots with zero ridge, fewer distinct knots than features with zero ridge.
    """
    dtype = jnp.result_type(float)
    knots, ridge = jnp.asarray(knots, dtype), jnp.asarray(ridge, dtype)
    if knots.ndim != 1 or knots.shape[0] < 2:
        raise InputError("prices", f"shape {knots.shape}", "give at least two prices in one dimension")
    require_finite("prices", knots)
    require_positive("ridge", ridge, strict=False)
    rank = features(kernel, knots[:1])
    if rank is not None:
        if is_concrete(ridge) and float(ridge) == 0 and len(_distinct(knots)) < rank.shape[-1]:
            raise InputError("prices", "fewer distinct prices than features", "set `ridge` above zero")
        return FeatureBasis(knots, kernel, ridge)
    repeated = is_concrete(knots) and len(_distinct(knots)) < knots.shape[0]
    if repeated and is_concrete(ridge) and float(ridge) == 0:
        raise InputError("prices", "a price is repeated and `ridge` is zero", "set `ridge` above zero or average")
    if isinstance(kernel, Matern12) and not repeated and _increasing(knots):
        return MarkovBasis(knots, kernel, ridge)
    return DualBasis(knots, kernel, ridge)


class KernelCurve(AbstractCurve):
    """A curve fitted in closed form by kernel ridge regression; differentiable in every observation."""

    basis: AbstractBasis
    coefficients: Float[Array, "*batch m"]
    values: Float[Array, "*batch n"]

    @staticmethod
    def fit(prices: ArrayLike, quantities: ArrayLike, kernel: AbstractKernel, ridge: ArrayLike = 1e-6) -> KernelCurve:
        """The kernel ridge regression of quantities (n,) on prices (n,).

        Errors: unequal lengths, NaN, repeated prices with zero ridge, a kernel matrix that is not positive definite.
        """
        prices, quantities = (jnp.asarray(v, jnp.result_type(float)) for v in (prices, quantities))
        if prices.shape != quantities.shape:
            raise InputError(
                "quantities", f"{quantities.shape} beside prices {prices.shape}", "give one quantity for each price"
            )
        require_finite("quantities", quantities)
        if isinstance(kernel, Matern12) and is_concrete(prices) and prices.ndim == 1:
            order = np.argsort(np.asarray(prices), kind="stable")
            prices, quantities = prices[order], quantities[order]
        curve = KernelCurve.on(kernel_basis(prices, kernel, ridge), quantities)
        if is_concrete(curve.coefficients) and not bool(jnp.all(jnp.isfinite(curve.coefficients))):
            raise InputError(
                "ridge", "the kernel matrix is not positive definite", "raise `ridge` or drop close prices"
            )
        return curve

    @staticmethod
    def on(basis: AbstractBasis, values: Float[Array, "*batch n"]) -> KernelCurve:
        """A curve, or a batch of curves, on a basis that exists: all right-hand sides share its factorisation."""
        return KernelCurve(basis, jnp.vectorize(basis.fit, signature="(n)->(m)")(values), values)

    def __call__(self, price):
        return self.basis.value(self.coefficients, price)

    def slope(self, price):
        return self.basis.slope(self.coefficients, price)

    def integral(self, low, high):
        return self.basis.integral(self.coefficients, low, high)

    def inverse(self, quantity):
        return _invert(self, quantity, jnp.min(self.basis.knots), jnp.max(self.basis.knots))

    def total(self):
        return KernelCurve(self.basis, jnp.sum(self.coefficients, 0), jnp.sum(self.values, 0))

    def __add__(self, other: KernelCurve) -> KernelCurve:
        if not _same_basis(self.basis, other.basis):
            raise InputError("curve", "the curves stand on different knots, kernels or ridges", "fit both on one basis")
        return KernelCurve(self.basis, self.coefficients + other.coefficients, self.values + other.values)

    def fitted(self) -> Array:
        """The curve at its own knots, shape like `values`."""
        coefficients = self.coefficients if self.coefficients.ndim == 1 else self.coefficients[..., None, :]
        return self.basis.value(coefficients, self.basis.knots)

    def loo_residuals(self) -> Array:
        """y_i - f_{-i}(x_i): what each observation misses the curve by that was fitted without it, in closed form."""
        return (self.values - self.fitted()) / (1 - self.basis.leverage())

    def degrees_of_freedom(self) -> Array:
        """The effective number of parameters, trace of the hat matrix."""
        return jnp.sum(self.basis.leverage())


def _distinct(knots: Array) -> np.ndarray:
    return np.unique(np.asarray(knots)) if is_concrete(knots) else np.arange(knots.shape[0])


def _increasing(knots: Array) -> bool:
    return not is_concrete(knots) or bool(np.all(np.diff(np.asarray(knots)) > 0))


def _same_basis(first: AbstractBasis, second: AbstractBasis) -> bool:
    if first is second:
        return True
    ours, theirs = (eqx.filter((b.knots, b.kernel, b.ridge), eqx.is_array) for b in (first, second))
    return type(first) is type(second) and is_concrete(ours, theirs) and bool(eqx.tree_equal(ours, theirs))


def _invert(curve: AbstractCurve, quantity: ArrayLike, low: Array, high: Array) -> Array:
    """The price in [low, high] where a falling curve meets `quantity`; an error (NaN when traced) where there is none."""
    quantity = jnp.asarray(quantity, jnp.result_type(float))
    solver = optx.Bisection(rtol=1e-12, atol=1e-12, flip=True)  # flip: the curve falls

    def solve(q):
        options = {"lower": low, "upper": high}
        sol = optx.root_find(lambda p, _: curve(p) - q, solver, 0.5 * (low + high), options=options, throw=False)
        inside = (curve(low) - q) * (curve(high) - q) <= 0
        return jnp.where(inside, sol.value, jnp.nan)

    price = jnp.vectorize(solve)(quantity)
    if is_concrete(price) and bool(jnp.any(jnp.isnan(price))):
        span = f"[{float(jnp.min(curve(high))):.6g}, {float(jnp.max(curve(low))):.6g}]"
        raise InputError("quantity", f"not demanded at any price on the knots (demand spans {span})", "stay inside it")
    return price
