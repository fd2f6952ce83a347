"""Priors on an interval in closed form: the uniform, and a density drawn through points."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.priors.base import AbstractBoundedPrior, as_number, number
from dcg_econ.priors.rules import clipped, inside, require_interval

_MASS = 1e-8


class Uniform(AbstractBoundedPrior):
    """Uniform on [low, high]."""

    low: Array = eqx.field(converter=as_number, default=0.0)
    high: Array = eqx.field(converter=as_number, default=1.0)

    def __check_init__(self):
        require_interval(self.low, self.high, strict=False)

    def sample(self, key, shape):
        return self.low + (self.high - self.low) * jax.random.uniform(key, shape, self.low.dtype)

    def mean(self):
        return 0.5 * (self.low + self.high)

    def std(self):
        return (self.high - self.low) / jnp.sqrt(12.0)

    def quadrature(self):
        points, weights = np.polynomial.legendre.leggauss(16)
        nodes = jnp.asarray(points, self.low.dtype).reshape((-1,) + (1,) * jnp.ndim(self.mean()))
        return self.mean() + 0.5 * (self.high - self.low) * nodes, jnp.asarray(weights / 2, self.low.dtype)

    def support(self):
        return self.low, self.high

    def knots(self):
        return jnp.stack(jnp.broadcast_arrays(self.low, self.high))

    def density(self, x):
        within, _ = inside(x, self.low, self.high)
        return jnp.where(within, 1 / (self.high - self.low), 0.0)

    def cdf(self, x):
        _, at = inside(x, self.low, self.high)
        return clipped((at - self.low) / (self.high - self.low), x, self.low, self.high, 0.0, 1.0)

    def survival(self, x):
        _, at = inside(x, self.low, self.high)
        return clipped((self.high - at) / (self.high - self.low), x, self.low, self.high, 1.0, 0.0)

    def quantile(self, u):
        u = jnp.asarray(u)
        value = jnp.where(u < 0.5, self.low + (self.high - self.low) * u, self.high - (self.high - self.low) * (1 - u))
        return jnp.where(u < 0, self.low, jnp.where(u > 1, self.high, value))


class Tabulated(AbstractBoundedPrior):
    """The density that runs straight between the points: `points` (m,) increasing, `densities` (m,) at them.

    For the density of a histogram or of an estimate. One distribution: the parameters do not broadcast. The mass must be
    one to 1e-8, and is then divided out, so that a derivative in one of the densities keeps it at one.
    """

    points: Array = eqx.field(converter=number("points"))
    densities: Array = eqx.field(converter=number("densities"))

    def __check_init__(self):
        if self.points.ndim != 1 or self.points.shape[0] < 2:
            raise InputError("points", f"shape {self.points.shape}", "give a list of two points or more")
        if self.densities.shape != self.points.shape:
            raise InputError(
                "densities",
                f"shape {self.densities.shape} for {self.points.shape[0]} points",
                "give one for each point",
            )
        require_finite("points", self.points)
        require_positive("densities", self.densities, strict=False)
        if is_concrete(self.points) and not bool(jnp.all(jnp.diff(self.points) > 0)):
            raise InputError("points", "they do not increase", "sort them, with their densities, and drop doubles")
        if is_concrete(self.points, self.densities):
            mass = float(np.trapezoid(np.asarray(self.densities), np.asarray(self.points)))
            if abs(mass - 1) > max(_MASS, 10 * float(jnp.finfo(self.points.dtype).eps)):
                remedy = f"divide densities by {mass!r}" if mass > 0 else "give densities above zero somewhere"
                raise InputError("densities", f"they integrate to {mass:.10g}", remedy)

    def sample(self, key, shape):
        return self.quantile(jax.random.uniform(key, shape, self.points.dtype))

    def mean(self):
        nodes, weights = self._rule(3)
        return jnp.sum(weights * nodes)

    def std(self):
        nodes, weights = self._rule(3)
        return jnp.sqrt(jnp.sum(weights * (nodes - jnp.sum(weights * nodes)) ** 2))

    def quadrature(self):
        return self._rule(max(8, math.ceil(48 / (self.points.shape[0] - 1))))

    def support(self):
        return self.points[0], self.points[-1]

    def knots(self):
        return self.points

    def density(self, x):
        within, at = inside(x, *self.support())
        i, heights, _, slopes = self._piece(self.points, at)
        return jnp.where(within, heights[i] + slopes[i] * (at - self.points[i]), 0.0)

    def cdf(self, x):
        low, high = self.support()
        _, at = inside(x, low, high)
        i, heights, below, slopes = self._piece(self.points, at)
        step = at - self.points[i]
        return clipped(below[i] + step * (heights[i] + 0.5 * slopes[i] * step), x, low, high, 0.0, 1.0)

    def survival(self, x):
        low, high = self.support()
        _, at = inside(x, low, high)
        i, heights, below, slopes = self._piece(self.points, at)
        areas = jnp.diff(below)
        above = jnp.append(jnp.cumsum(areas[::-1])[::-1], 0.0)
        step = self.points[i + 1] - at
        value = above[i + 1] + step * (heights[i + 1] - 0.5 * slopes[i] * step)
        return clipped(value, x, low, high, 1.0, 0.0)

    def quantile(self, u):
        u = jnp.asarray(u)
        share = jnp.where((u >= 0) & (u <= 1), u, 0.5)
        low, high = self.support()
        _, _, below, _ = self._piece(self.points, low)
        i, heights, _, slopes = self._piece(below, share)
        # From the end of the piece where the density is lower, so that no difference is taken under the root.
        left = self.points[i] + _advance(heights[i], slopes[i], share - below[i])
        right = self.points[i + 1] - _advance(heights[i + 1], -slopes[i], below[i + 1] - share)
        value = jnp.where(slopes[i] >= 0, left, right)
        return jnp.where(u < 0, low, jnp.where(u > 1, high, value))

    def _piece(self, knots, at):
        """The piece of `knots` in which `at` lies, and heights (m,), mass below (m,) and slopes (m-1,)."""
        widths = jnp.diff(self.points)
        areas = 0.5 * widths * (self.densities[1:] + self.densities[:-1])
        mass = jnp.sum(areas)
        below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(areas[:-1]) / mass, jnp.ones(1)])
        i = jnp.clip(jnp.searchsorted(knots, at, side="right") - 1, 0, widths.shape[0] - 1)
        heights = self.densities / mass
        return i, heights, below, jnp.diff(heights) / widths

    def _rule(self, n):
        points, weights = np.polynomial.legendre.leggauss(n)
        half = 0.5 * jnp.diff(self.points)[:, None]
        nodes = (self.points[:-1, None] + half * (1 + jnp.asarray(points, half.dtype))).ravel()
        return nodes, (half * jnp.asarray(weights, half.dtype)).ravel() * self.density(nodes)


def _advance(height, slope, mass):
    """How far to go from a point of density `height`, growing by `slope` >= 0, to collect `mass`."""
    under = height**2 + 2 * slope * mass
    safe = under > 0
    root = jnp.sqrt(jnp.where(safe, under, 1.0))
    return jnp.where(safe, 2 * mass / (height + root), 0.0)
