"""The kernel message: a whole curve, said before the reports."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
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

    knots: Array = eqx.field(converter=number("knots"))  # type: ignore[misc]
    kernel: AbstractKernel | None = None
    ridge: Array = eqx.field(converter=number("ridge"), default=1e-3)
    price: Array = eqx.field(converter=number("price"), default=0.0)
    length_price: Array = eqx.field(converter=number("length_price"), default=0.0)
    through: GaussianNoise | None = None

    def __check_init__(self):
        require_price(self)
        if self.through is None and is_concrete(self.price) and float(self.price) > 0:
            raise InputError("through", "no noise", "a price per nat needs noise, e.g. dcg.GaussianNoise(sd=0.1)")

    @property
    def basis(self) -> AbstractBasis:
        """What all messages share; by default of Matern 5/2 over half of the knots' span."""
        span = self.knots[-1] - self.knots[0]
        return kernel_basis(self.knots, Matern52(0.5 * span) if self.kernel is None else self.kernel, self.ridge)

    @property
    def raw(self):
        return self.knots.shape[0]

    @property
    def constant(self):
        return 0

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
        values = self.curve(message)(self.knots)
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
