"""The kernel message: a whole curve, said before the reports."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.channels.base import Info
from dcg_econ.channels.gaussian import GaussianNoise
from dcg_econ.messages.basis import AbstractBasis
from dcg_econ.messages.curve import KernelCurve, kernel_basis
from dcg_econ.messages.kernels import AbstractKernel, Matern52
from dcg_econ.messages.language import AbstractLanguage, require_price
from dcg_econ.priors import number


class SpokenCurve(AbstractLanguage):
    """A curve through raw values at `knots`, fitted by kernel ridge regression; listeners hear its values at the knots.

    `through`: noise on the fitted values, in the units of the message; None leaves the curve as it is, and its bits are
    infinite: then nothing can be charged for. `price` per nat, against the prior N(0, I) of independent values.
    """

    basis: AbstractBasis
    price: Array
    length_price: Array
    through: GaussianNoise | None

    def __init__(
        self,
        knots: ArrayLike,
        kernel: AbstractKernel | None = None,
        ridge: ArrayLike = 1e-3,
        price: ArrayLike = 0.0,
        through: GaussianNoise | None = None,
    ):
        knots = number("knots")(knots)
        kernel = Matern52(0.5 * (knots[-1] - knots[0])) if kernel is None else kernel
        self.basis = kernel_basis(knots, kernel, ridge)
        self.price, self.length_price, self.through = number("price")(price), number("length_price")(0.0), through

    def __check_init__(self):
        require_price(self)
        if self.through is None and float(self.price) > 0:
            raise InputError("through", "no noise", "a price per nat needs noise, e.g. dcg.GaussianNoise(sd=0.1)")

    @property
    def raw(self):
        return self.basis.knots.shape[0]

    @property
    def heard(self):
        return self.raw

    @property
    def bits(self):
        return float("inf") if self.through is None else self.through.bits(self.raw)

    @property
    def pathwise(self):
        return True

    @property
    def likely(self):
        return self.through is not None

    def __call__(self, message, key):
        values = self.curve(message)(self.basis.knots)
        zero = jnp.zeros((), message.dtype)
        if self.through is None:
            return values, Info(zero + jnp.inf, zero + 1, None, None, zero)
        return self.through(values, key)

    def curve(self, message: Array) -> KernelCurve:
        """The curve that raw values at the knots stand for."""
        return KernelCurve.on(self.basis, message)

    def sharp(self):
        return self

    def text(self, heard):
        return "curve " + " ".join(f"{x:+.2f}" for x in np.asarray(heard))
