r"""The Beta prior on an interval.

With x = low + (high - low) / (1 + exp(-w)) the density in w is exp(h(w)) up to a constant,

    h(w) = -a log(1 + exp(-w)) - b log(1 + exp(w)),                                                       (1)

which is concave with its peak at w* = log(a/b), has no ends, and is analytic: Gauss-Legendre panels from a point outwards
give either tail to rounding, with all derivatives, the parameters' included. The logarithm of either tail is concave in w
too, so Newton's method from w* finds every quantile.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.priors.base import AbstractBoundedPrior, as_number
from dcg_econ.priors.roots import monotone_root
from dcg_econ.priors.rules import clipped, expectation_shares, inside, panel, require_interval

_LARGEST = 500.0
_FALL = 42.0  # beyond exp(-42) of the density where a panel starts there is nothing that 64 bits would see
_REACHES = 0.1 * 1.15 ** np.arange(49)


class Beta(AbstractBoundedPrior):
    """Beta with shape parameters `a` and `b` from 1 to 500, stretched to [low, high].

    Below 1 the density has no bound and is refused, since a virtual value then has none. In 64 bits the cdf is right to
    1e-13 and the quantile to 1e-12 of the width.
    """

    a: Array = eqx.field(converter=as_number)
    b: Array = eqx.field(converter=as_number)
    low: Array = eqx.field(converter=as_number, default=0.0)
    high: Array = eqx.field(converter=as_number, default=1.0)

    def __check_init__(self):
        for name, value in (("a", self.a), ("b", self.b)):
            require_positive(name, value)
            if is_concrete(value) and bool(jnp.any(value < 1)):
                raise InputError(name, f"{value}: below 1 the density has no bound", "give 1 or more, or dcg.Tabulated")
            if is_concrete(value) and bool(jnp.any(value > _LARGEST)):
                raise InputError(
                    name, f"found {value}, above {_LARGEST:g}", "use dcg.TruncatedNormal, close to it there"
                )
        require_interval(self.low, self.high)

    def sample(self, key, shape):
        return self.low + (self.high - self.low) * jax.random.beta(key, self.a, self.b, shape, self.a.dtype)

    def mean(self):
        return self.low + (self.high - self.low) * self.a / (self.a + self.b)

    def std(self):
        total = self.a + self.b
        return (self.high - self.low) * jnp.sqrt(self.a * self.b / (total + 1)) / total

    def quadrature(self):
        u, weights = expectation_shares(self.a.dtype)
        dims = jnp.ndim(self.a + self.b + self.low + self.high)
        return self.quantile(u.reshape((-1,) + (1,) * dims)), weights

    def support(self):
        return self.low, self.high

    def knots(self):
        return jnp.stack(jnp.broadcast_arrays(self.low, self.high))

    def density(self, x):
        within, at = inside(x, self.low, self.high)
        width = self.high - self.low
        peak = jax.lax.stop_gradient(self.a / (self.a + self.b))
        left = (self.a - 1) * jnp.log((at - self.low) / (width * peak) + self._tiny())
        right = (self.b - 1) * jnp.log((self.high - at) / (width * (1 - peak)) + self._tiny())
        mass = _mass(self.a, self.b)
        return jnp.where(within, jnp.exp(left + right) / (mass * peak * (1 - peak) * width), 0.0)

    def cdf(self, x):
        left, tail = self._tail(x)
        return clipped(jnp.where(left, tail, 1 - tail), x, self.low, self.high, 0.0, 1.0)

    def survival(self, x):
        left, tail = self._tail(x)
        return clipped(jnp.where(left, 1 - tail, tail), x, self.low, self.high, 1.0, 0.0)

    def quantile(self, u):
        u = jnp.asarray(u)
        within = (u > 0) & (u < 1)
        w = _quantile(jnp.where(within, u, 0.5), self.a, self.b)
        width = self.high - self.low
        value = jnp.where(w < 0, self.low + width * jax.nn.sigmoid(w), self.high - width * jax.nn.sigmoid(-w))
        return jnp.where(within, value, jnp.where(u <= 0, self.low, self.high))

    def _tail(self, x):
        """Whether `x` lies left of the peak, and the mass on that side of it."""
        _, at = inside(x, self.low, self.high)
        width = self.high - self.low
        w = jnp.log((at - self.low) / width + self._tiny()) - jnp.log((self.high - at) / width + self._tiny())
        left = w <= _peak(self.a, self.b)
        return left, jnp.exp(_log_tail(w, self.a, self.b, left)) / _mass(self.a, self.b)

    def _tiny(self):
        """Keeps zero from a logarithm without a branch, which would take the derivatives at the ends away."""
        return float(jnp.finfo(self.a.dtype).tiny) ** 0.3


def _peak(a, b):
    return jax.lax.stop_gradient(jnp.log(a / b))


def _log_density(w, a, b):
    """(1) less its value at the peak."""
    peak = _peak(a, b)
    return a * (jax.nn.softplus(-peak) - jax.nn.softplus(-w)) + b * (jax.nn.softplus(peak) - jax.nn.softplus(w))


def _reach(a, b):
    """How far left of the peak the density has fallen by exp(-42); left of there it falls faster still."""
    d = jnp.asarray(_REACHES, a.dtype)
    a, b = jax.lax.stop_gradient((a[..., None], b[..., None]))
    fall = (a + b) * jnp.log1p(b * jnp.expm1(d) / (a + b)) - b * d
    return d[jnp.argmax(fall >= _FALL, axis=-1)]


@jax.jit  # traced once, though a mechanism asks for it dozens of times
def _log_tail(w, a, b, left):
    """The logarithm of the mass left of w <= w*, or right of w >= w*, relative to the density at the peak."""
    w, a, b = jnp.broadcast_arrays(jnp.where(left, w, -w), jnp.where(left, a, b), jnp.where(left, b, a))
    here = _log_density(w, a, b)

    def relative(s):
        return jnp.exp(_log_density(w[..., None] - s, a[..., None], b[..., None]) - here[..., None])

    return here + jnp.log(panel(relative, jnp.zeros_like(w), _reach(a, b)))


def _mass(a, b):
    """The integral of exp(h(w) - h(w*)), from the peak outwards."""
    return jnp.sum(jnp.exp(_tails_at_peak(a, b)), axis=-1)


def _tails_at_peak(a, b):
    a, b = a[..., None], b[..., None]
    return _log_tail(_peak(a, b), a, b, jnp.array([True, False]))


@jax.jit
@jnp.vectorize
def _quantile(u, a, b):
    """The quantile in w; each tail by its own logarithm."""
    tails = jnp.exp(_tails_at_peak(a, b))
    mass = jnp.sum(tails)
    left = u * mass <= tails[0]
    share = jnp.log(jnp.where(left, u, 1 - u) * mass)

    def residual(w):
        excess = _log_tail(w, a, b, left) - share
        return jnp.where(left, excess, -excess)

    return monotone_root(residual, _peak(a, b))
