"""Curves as messages: a whole demand schedule, quantity as a function of price.

A curve may carry leading batch axes (one curve per trader); `price` broadcasts against them.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
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
from dcg_econ.priors import number


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

    knots: Float[Array, " n"] = eqx.field(converter=lambda v: number("knots")(v))
    values: Float[Array, "*batch n"] = eqx.field(converter=lambda v: number("values")(v))

    def __check_init__(self):
        require_finite("values", self.values)
        if self.knots.ndim != 1 or self.knots.shape[0] < 2 or self.values.shape[-1:] != self.knots.shape:
            raise InputError("values", f"{self.values.shape} beside knots {self.knots.shape}", "give one for each knot")
        if is_concrete(self.knots) and not bool(jnp.all(jnp.diff(self.knots) > 0)):
            raise InputError("knots", "not increasing", "sort them and drop repetitions")

    def _segment(self, price):
        i = jnp.clip(jnp.searchsorted(self.knots, price, side="right") - 1, 0, self.knots.shape[0] - 2)
        left, right = _entries(self.values, i), _entries(self.values, i + 1)
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
        return _entries(whole, i) + left * step + 0.5 * slope * step**2

    def inverse(self, quantity):
        return _invert(self, quantity, self.knots[0], self.knots[-1])

    def total(self):
        return PiecewiseLinearCurve(self.knots, jnp.sum(self.values, axis=0))


def _entries(table: Array, i: Array) -> Array:
    """Entries i of the last axis, one for each curve of the batch, against which i broadcasts."""
    shape = jnp.broadcast_shapes(table.shape[:-1], jnp.shape(i))
    table = jnp.broadcast_to(table, (*shape, table.shape[-1]))
    return jnp.take_along_axis(table, jnp.broadcast_to(i, shape)[..., None], axis=-1)[..., 0]


def kernel_basis(knots: ArrayLike, kernel: AbstractKernel, ridge: ArrayLike = 1e-6) -> AbstractBasis:
    """The basis that suits a kernel, to be shared by many curves.

    `knots` (n,) in price units, in any order; `ridge` as in scikit-learn's `alpha`, in the units of the kernel.
    Errors: NaN, repeated knots with zero ridge, fewer distinct knots than features with zero ridge.
    """
    if not isinstance(kernel, AbstractKernel):
        raise InputError("kernel", f"{kernel!r} is no kernel", "give one such as dcg.Matern52(lengthscale=1.0)")
    knots, ridge = number("prices")(knots), number("ridge")(ridge)
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
    if isinstance(kernel, Matern12) and not repeated:
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
        prices, quantities = number("prices")(prices), number("quantities")(quantities)
        if prices.shape != quantities.shape:
            raise InputError(
                "quantities", f"{quantities.shape} beside prices {prices.shape}", "give one quantity for each price"
            )
        require_finite("quantities", quantities)
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
        # A product: before a sum, XLA copies the coefficients into another order.
        ones = jnp.ones(self.values.shape[0], self.values.dtype)
        return KernelCurve(self.basis, jnp.tensordot(ones, self.coefficients, 1), jnp.tensordot(ones, self.values, 1))

    def __radd__(self, other):
        return self if isinstance(other, int) and other == 0 else NotImplemented  # so that sum(curves) works

    def __add__(self, other: KernelCurve) -> KernelCurve:
        if not isinstance(other, KernelCurve):
            return NotImplemented
        if not _same_basis(self.basis, other.basis):
            raise InputError("curve", "the curves stand on different knots, kernels or ridges", "fit both on one basis")
        return KernelCurve(self.basis, self.coefficients + other.coefficients, self.values + other.values)

    def fitted(self) -> Array:
        """The curve at its own knots, shape like `values`."""
        coefficients = self.coefficients if self.coefficients.ndim == 1 else self.coefficients[..., None, :]
        return self.basis.value(coefficients, self.basis.knots)

    def loo_residuals(self) -> Array:
        """y_i - f_{-i}(x_i): what each observation misses the curve by that was fitted without it, in closed form."""
        return jnp.vectorize(self.basis.loo, signature="(m),(n)->(n)")(self.coefficients, self.values)

    def degrees_of_freedom(self) -> Array:
        """The effective number of parameters, trace of the hat matrix."""
        return jnp.sum(self.basis.leverage())


def _distinct(knots: Array) -> np.ndarray:
    return np.unique(np.asarray(knots)) if is_concrete(knots) else np.arange(knots.shape[0])


def _same_basis(first: AbstractBasis, second: AbstractBasis) -> bool:
    if first is second:
        return True
    ours, theirs = ((b.knots, b.kernel, b.ridge) for b in (first, second))
    same_kernels = jax.tree.structure(ours) == jax.tree.structure(theirs)  # type: ignore[operator]
    alike = type(first) is type(second) and same_kernels
    if not alike or not is_concrete(ours, theirs):
        # Traced numbers cannot be compared: curves of one shape are taken at their word.
        return alike and [x.shape for x in jax.tree.leaves(ours)] == [x.shape for x in jax.tree.leaves(theirs)]
    return bool(eqx.tree_equal(ours, theirs))


def _invert(curve: AbstractCurve, quantity: ArrayLike, low: Array, high: Array) -> Array:
    """The price in [low, high] where a curve meets `quantity`; an error (NaN when traced) where it does not cross it."""
    quantity = jnp.asarray(quantity, jnp.result_type(float))
    at_low, at_high = curve(low), curve(high)
    if jnp.ndim(at_low) > 0:
        raise InputError("curve", f"a batch of shape {jnp.shape(at_low)}", "map `inverse` over the curves by jax.vmap")
    tolerance = float(jnp.finfo(quantity.dtype).eps) ** 0.75
    falls = at_low > at_high

    def solve(q):
        inside = (at_low - q) * (at_high - q) <= 0
        target = jnp.where(inside, q, jax.lax.stop_gradient(0.5 * (at_low + at_high)))
        sol = optx.root_find(
            lambda p, _: jnp.where(falls, 1.0, -1.0) * (curve(p) - target),
            optx.Bisection(rtol=tolerance, atol=tolerance, flip=True),
            0.5 * (low + high),
            options={"lower": low, "upper": high},
            throw=False,
        )
        return sol.value + jnp.where(inside, 0.0, jnp.nan)

    price = jnp.vectorize(solve)(quantity)
    if is_concrete(price) and bool(jnp.any(jnp.isnan(price))):
        ends = f"{float(at_low):.6g} at the lowest knot and {float(at_high):.6g} at the highest"
        raise InputError("quantity", f"not crossed between the outer knots (demand is {ends})", "give one in between")
    return price
