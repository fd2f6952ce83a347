"""Curves raised by a number: willingness to pay of one shape and of a height that differs from player to player."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.messages.curve import AbstractCurve, AffineCurve, KernelCurve, PiecewiseLinearCurve

LOOKS = 257  # levels at which a curve is looked at


class ShiftedCurve(AbstractCurve):
    """`curve` raised by `shift` (N,), money per unit: one curve for all, or one each."""

    curve: AbstractCurve
    shift: Array

    def __call__(self, price):
        return self.curve(price) + self.shift

    def slope(self, price):
        return self.curve.slope(price) + jnp.zeros_like(self.shift)

    def integral(self, low, high):
        return self.curve.integral(low, high) + self.shift * (high - low)

    def inverse(self, quantity):
        return self.curve.inverse(quantity - self.shift)

    def total(self):
        knots = span(self.curve)
        alike = jnp.ndim(self.curve(knots[0])) == 0
        whole = self.curve if alike else self.curve.total()
        return SummedCurve(whole, jnp.asarray(self.shift.shape[0] if alike else 1.0), jnp.sum(self.shift))


class SummedCurve(AbstractCurve):
    """`times` a curve, raised by `shift`: the sum of shifted ones."""

    curve: AbstractCurve
    times: Array
    shift: Array

    def __call__(self, price):
        return self.times * self.curve(price) + self.shift

    def slope(self, price):
        return self.times * self.curve.slope(price)

    def integral(self, low, high):
        return self.times * self.curve.integral(low, high) + self.shift * (high - low)

    def inverse(self, quantity):
        return self.curve.inverse((quantity - self.shift) / self.times)

    def total(self):
        return self


class Difference(AbstractCurve):
    """One curve less another."""

    first: AbstractCurve
    second: AbstractCurve

    def __call__(self, price):
        return self.first(price) - self.second(price)

    def slope(self, price):
        return self.first.slope(price) - self.second.slope(price)

    def integral(self, low, high):
        return self.first.integral(low, high) - self.second.integral(low, high)

    def inverse(self, quantity):
        raise InputError("curve", "a difference of two", "find the level by `crossing`")

    def total(self):
        return self


class OneOf(AbstractCurve):
    """The curve of one player of a batch."""

    curves: AbstractCurve
    player: Array

    def __call__(self, price):
        return self.curves(jnp.asarray(price)[..., None])[..., self.player]

    def slope(self, price):
        return self.curves.slope(jnp.asarray(price)[..., None])[..., self.player]

    def integral(self, low, high):
        return self.curves.integral(jnp.asarray(low)[..., None], jnp.asarray(high)[..., None])[..., self.player]

    def inverse(self, quantity):
        raise InputError("curve", "one of a batch", "invert the curve before it joins the batch")

    def total(self):
        return self


def raised(curves: AbstractCurve, shift: Array) -> AbstractCurve:
    """The curves, raised by `shift`, money per unit."""
    if isinstance(curves, AffineCurve):
        return AffineCurve(curves.intercept + shift, curves.gradient)
    return ShiftedCurve(curves, shift)


def one_of(curves: AbstractCurve, player: Array | int) -> AbstractCurve:
    """The curve of one player of a batch (N,)."""
    if isinstance(curves, AffineCurve):
        return AffineCurve(curves.intercept[player], curves.gradient[player])
    if isinstance(curves, KernelCurve):
        return KernelCurve(curves.basis, curves.coefficients[player], curves.values[player])
    return OneOf(curves, jnp.asarray(player))


def without(curves: AbstractCurve, player: Array | int) -> AbstractCurve:
    """The sum of the others' curves."""
    whole, own = curves.total(), one_of(curves, player)
    if isinstance(whole, AffineCurve) and isinstance(own, AffineCurve):
        return AffineCurve(whole.intercept - own.intercept, whole.gradient - own.gradient)
    if isinstance(whole, KernelCurve) and isinstance(own, KernelCurve):
        return KernelCurve(whole.basis, whole.coefficients - own.coefficients, whole.values - own.values)
    return Difference(whole, own)


def span(curve: AbstractCurve) -> Array:
    """Levels between the outer knots of a curve, or between 0 and 1 for one without knots."""
    if isinstance(curve, ShiftedCurve | SummedCurve):
        return span(curve.curve)
    if isinstance(curve, Difference):
        return span(curve.first)
    if isinstance(curve, OneOf):
        return span(curve.curves)
    if isinstance(curve, KernelCurve):
        low, high = jnp.min(curve.basis.knots), jnp.max(curve.basis.knots)
    elif isinstance(curve, PiecewiseLinearCurve):
        low, high = curve.knots[0], curve.knots[-1]
    else:
        low, high = jnp.zeros(()), jnp.ones(())
    return jnp.linspace(low, high, LOOKS)
