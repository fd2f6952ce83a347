"""Kernels of one variable (a price), with their slopes and integrals in closed form.

For two prices x, y, with d = x - y and a lengthscale l:

    SquaredExponential   k = v exp(-d^2 / 2 l^2)
    Matern12             k = v exp(-|d| / l)
    Matern32             k = v (1 + a|d|) exp(-a|d|),               a = sqrt(3) / l
    Matern52             k = v (1 + a|d| + a^2 d^2 / 3) exp(-a|d|), a = sqrt(5) / l
    Constant             k = v
    Linear               k = v x y
    Polynomial           k = v (x y + offset)^degree

Sums and products of kernels are kernels. The last three have finite rank: k(x, y) = features(x) . features(y).
Source: Rasmussen and Williams (2006), *Gaussian Processes for Machine Learning*, chapter 4.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, require_positive
from dcg_econ.priors import number

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


class AbstractKernel(eqx.Module):
    """A positive semidefinite function of two prices; arguments broadcast against each other."""

    @abstractmethod
    def __call__(self, x: Array, y: Array) -> Array:
        """k(x, y)."""

    @abstractmethod
    def slope(self, x: Array, y: Array) -> Array:
        """dk(x, y) / dx (at the kink of Matern12: the mean of both sides, 0)."""

    @abstractmethod
    def integral(self, a: Array, b: Array, y: Array) -> Array:
        """The integral of k(x, y) over x from a to b."""

    def __add__(self, other: AbstractKernel) -> Sum:
        return Sum(self, other)

    def __mul__(self, other: AbstractKernel) -> Product:
        return Product(self, other)


class AbstractStationary(AbstractKernel):
    """A kernel of the distance d = x - y alone, with a lengthscale in the units of the price."""

    lengthscale: eqx.AbstractVar[Array]
    variance: eqx.AbstractVar[Array]

    def __check_init__(self):
        require_positive("lengthscale", self.lengthscale)
        require_positive("variance", self.variance)

    @abstractmethod
    def shape(self, d: Array) -> Array:
        """k / variance at distance d = (x - y) / lengthscale."""

    @abstractmethod
    def shape_slope(self, d: Array) -> Array:
        """The derivative of `shape`."""

    @abstractmethod
    def shape_area(self, r: Array) -> Array:
        """The integral of `shape` from 0 to r >= 0."""

    def __call__(self, x, y):
        return self.variance * self.shape((x - y) / self.lengthscale)

    def slope(self, x, y):
        return self.variance / self.lengthscale * self.shape_slope((x - y) / self.lengthscale)

    def integral(self, a, b, y):
        def area(x):
            d = (x - y) / self.lengthscale
            # The two halves keep the derivative at d = 0 right, which sign(d) * area(|d|) would not.
            return self.shape_area(jnp.maximum(d, 0)) - self.shape_area(jnp.maximum(-d, 0))

        return self.variance * self.lengthscale * (area(b) - area(a))


class SquaredExponential(AbstractStationary):
    """v exp(-d^2 / 2 l^2): very smooth curves."""

    lengthscale: Array = eqx.field(converter=number("lengthscale"), default=1.0)
    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def shape(self, d):
        return jnp.exp(-0.5 * d**2)

    def shape_slope(self, d):
        return -d * jnp.exp(-0.5 * d**2)

    def shape_area(self, r):
        from jax.scipy.special import erf

        return math.sqrt(math.pi / 2) * erf(r / math.sqrt(2))


class Matern12(AbstractStationary):
    """v exp(-|d| / l): rough curves, fitted in O(n) on sorted prices."""

    lengthscale: Array = eqx.field(converter=number("lengthscale"), default=1.0)
    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def shape(self, d):
        return jnp.exp(-jnp.abs(d))

    def shape_slope(self, d):
        return -jnp.sign(d) * jnp.exp(-jnp.abs(d))

    def shape_area(self, r):
        return -jnp.expm1(-r)


class Matern32(AbstractStationary):
    """v (1 + sqrt3 |d|/l) exp(-sqrt3 |d|/l): once differentiable curves."""

    lengthscale: Array = eqx.field(converter=number("lengthscale"), default=1.0)
    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def shape(self, d):
        r = math.sqrt(3) * jnp.abs(d)
        return (1 + r) * jnp.exp(-r)

    def shape_slope(self, d):
        return -3 * d * jnp.exp(-math.sqrt(3) * jnp.abs(d))

    def shape_area(self, r):
        a = math.sqrt(3)
        return 2 / a - jnp.exp(-a * r) * (2 / a + r)


class Matern52(AbstractStationary):
    """v (1 + sqrt5 |d|/l + 5 d^2 / 3 l^2) exp(-sqrt5 |d|/l): twice differentiable curves."""

    lengthscale: Array = eqx.field(converter=number("lengthscale"), default=1.0)
    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def shape(self, d):
        r = math.sqrt(5) * jnp.abs(d)
        return (1 + r + r**2 / 3) * jnp.exp(-r)

    def shape_slope(self, d):
        r = math.sqrt(5) * jnp.abs(d)
        return -5 / 3 * d * (1 + r) * jnp.exp(-r)

    def shape_area(self, r):
        s = math.sqrt(5) * r
        return (8 - jnp.exp(-s) * (8 + 5 * s + s**2)) / (3 * math.sqrt(5))


class AbstractMonomial(AbstractKernel):
    """A kernel of finite rank whose features are monomials sqrt(w_k) x^k, k = 0, ..., degree."""

    @abstractmethod
    def weights(self) -> Array:
        """The weights w_k of the monomials, shape (degree + 1,)."""

    def _sum(self, x, y, power) -> Array:
        """sum_k w_k power(x, k) y^k."""
        weights = self.weights()
        terms = [weights[k] * power(x, k) * jnp.asarray(y) ** k for k in range(weights.shape[0])]
        return sum(terms[1:], terms[0])

    def __call__(self, x, y):
        return self._sum(x, y, lambda x, k: jnp.asarray(x) ** k)

    def slope(self, x, y):
        return self._sum(x, y, lambda x, k: k * jnp.asarray(x) ** max(k - 1, 0))

    def integral(self, a, b, y):
        return self._sum(0.0, y, lambda _, k: (jnp.asarray(b) ** (k + 1) - jnp.asarray(a) ** (k + 1)) / (k + 1))


class Constant(AbstractMonomial):
    """v: an intercept with prior variance v."""

    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def __check_init__(self):
        require_positive("variance", self.variance)

    def weights(self):
        return self.variance[None]


class Linear(AbstractMonomial):
    """v x y: a slope with prior variance v, and no intercept (add `Constant`)."""

    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def __check_init__(self):
        require_positive("variance", self.variance)

    def weights(self):
        return jnp.stack([jnp.zeros_like(self.variance), self.variance])


class Polynomial(AbstractMonomial):
    """v (x y + offset)^degree: polynomials up to `degree`."""

    degree: int = eqx.field(static=True, default=2)
    offset: Array = eqx.field(converter=number("offset"), default=1.0)
    variance: Array = eqx.field(converter=number("variance"), default=1.0)

    def __check_init__(self):
        if not isinstance(self.degree, int) or self.degree < 1:
            raise InputError("degree", f"{self.degree!r}", "give a whole number of 1 or more")
        require_positive("offset", self.offset)
        require_positive("variance", self.variance)

    def weights(self):
        n = self.degree
        return self.variance * jnp.stack([math.comb(n, k) * self.offset ** (n - k) for k in range(n + 1)])


class Sum(AbstractKernel):
    """k1 + k2."""

    first: AbstractKernel
    second: AbstractKernel

    def __call__(self, x, y):
        return self.first(x, y) + self.second(x, y)

    def slope(self, x, y):
        return self.first.slope(x, y) + self.second.slope(x, y)

    def integral(self, a, b, y):
        return self.first.integral(a, b, y) + self.second.integral(a, b, y)


class Product(AbstractKernel):
    """k1 k2; its integral has no closed form and is taken by Gauss-Legendre quadrature on both sides of y."""

    first: AbstractKernel
    second: AbstractKernel

    def __call__(self, x, y):
        return self.first(x, y) * self.second(x, y)

    def slope(self, x, y):
        return self.first.slope(x, y) * self.second(x, y) + self.first(x, y) * self.second.slope(x, y)

    def integral(self, a, b, y):
        middle = jnp.clip(y, jnp.minimum(a, b), jnp.maximum(a, b))

        def piece(low, high):
            low, high, y_ = (jnp.asarray(v)[..., None] for v in jnp.broadcast_arrays(low, high, y))
            x = 0.5 * (high + low) + 0.5 * (high - low) * _NODES
            return jnp.sum(0.5 * (high - low) * _WEIGHTS * self(x, y_), axis=-1)

        return piece(a, middle) + piece(middle, b)
