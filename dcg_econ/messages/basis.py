"""A kernel basis: knots, kernel and ridge with their factorisation, made once and shared by every curve on them.

Kernel ridge regression of quantities y on prices x (Hastie, Tibshirani and Friedman 2009, section 5.8):

    A alpha = y,  A = K + ridge I,  f(p) = k(p, x) alpha                                                (1)
    hat matrix H = K A^-1,  1 - H_ii = ridge (A^-1)_ii                                                  (2)
    leave-one-out residual y_i - f_{-i}(x_i) = (y_i - f(x_i)) / (1 - H_ii) = alpha_i / (A^-1)_ii        (3)
    effective degrees of freedom = trace H                                                             (4)
    f(p) = h(p) . y, so Var f(p) = sigma^2 |h(p)|^2                                                     (5)

`DualBasis` solves (1) by Cholesky, on up to 128 knots with the inverse of the factor. Where the kernel has finite rank,
`FeatureBasis` solves the same problem as least squares on the features by QR, because the dual bottoms out near 2e-7 as
ridge -> 0.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.messages.cholesky import InvertedCholesky
from dcg_econ.messages.features import feature_integrals, feature_slopes, features
from dcg_econ.messages.kernels import AbstractKernel

_INVERTED = 128  # knots, up to which a basis is made for many curves


class AbstractBasis(eqx.Module):
    """n knots with everything about them that does not depend on the quantities; curves are m coefficients each."""

    knots: eqx.AbstractVar[Float[Array, " n"]]
    kernel: eqx.AbstractVar[AbstractKernel]
    ridge: eqx.AbstractVar[Float[Array, ""]]

    @abstractmethod
    def fit(self, values: Float[Array, " n"]) -> Float[Array, " m"]:
        """The coefficients of the curve through (near) `values` at the knots."""

    @abstractmethod
    def value(self, coefficients: Float[Array, "*batch m"], price: Array) -> Array:
        """The curve at a price; `price` broadcasts against the batch."""

    @abstractmethod
    def slope(self, coefficients: Float[Array, "*batch m"], price: Array) -> Array:
        """Its derivative in the price."""

    @abstractmethod
    def integral(self, coefficients: Float[Array, "*batch m"], low: Array, high: Array) -> Array:
        """Its integral over prices from `low` to `high`."""

    @abstractmethod
    def influence(self, price: Float[Array, ""]) -> Float[Array, " n"]:
        """h(p) of (5): the derivative of the fitted value at `price` in each observed quantity."""

    @abstractmethod
    def leverage(self) -> Float[Array, " n"]:
        """The diagonal of the hat matrix (2)."""

    @abstractmethod
    def loo(self, coefficients: Float[Array, " m"], values: Float[Array, " n"]) -> Float[Array, " n"]:
        """Leave-one-out residuals (3)."""


class DualBasis(AbstractBasis):
    """Any kernel, any knots (repeated ones need ridge > 0): one Cholesky factor of K + ridge I; O(n^3) once."""

    knots: Float[Array, " n"]
    kernel: AbstractKernel
    ridge: Float[Array, ""]
    operator: lx.MatrixLinearOperator
    factor: Any

    def __init__(self, knots, kernel, ridge):
        self.knots, self.kernel, self.ridge = knots, kernel, ridge
        matrix = kernel(knots[:, None], knots[None, :]) + ridge * jnp.eye(knots.shape[0], dtype=knots.dtype)
        self.operator = lx.MatrixLinearOperator(matrix, lx.positive_semidefinite_tag)
        self.factor = self._solver().init(self.operator, {})

    def _inverted(self) -> bool:
        return self.knots.shape[0] <= _INVERTED

    def _solver(self) -> lx.AbstractLinearSolver:
        return InvertedCholesky() if self._inverted() else lx.Cholesky()

    def _solve(self, vector):
        return lx.linear_solve(self.operator, vector, self._solver(), state=self.factor, throw=False).value

    def fit(self, values):
        return self._solve(values)

    def value(self, coefficients, price):
        return _contract(self.kernel(jnp.asarray(price)[..., None], self.knots), coefficients)

    def slope(self, coefficients, price):
        return _contract(self.kernel.slope(jnp.asarray(price)[..., None], self.knots), coefficients)

    def integral(self, coefficients, low, high):
        low, high = jnp.asarray(low)[..., None], jnp.asarray(high)[..., None]
        return _contract(self.kernel.integral(low, high, self.knots), coefficients)

    def influence(self, price):
        return self._solve(self.kernel(price, self.knots))

    def _inverse_diagonal(self):
        # diag(A^-1) is the squared row norms of U^-1, where A = U'U.
        inverse = self.factor if self._inverted() else InvertedCholesky().init(self.operator, {})
        return jnp.sum(inverse**2, axis=1)

    def leverage(self):
        return 1 - self.ridge * self._inverse_diagonal()

    def loo(self, coefficients, values):
        del values  # the second form of (3): nothing cancels as ridge -> 0
        return coefficients / self._inverse_diagonal()


class FeatureBasis(AbstractBasis):
    """A kernel of finite rank: least squares on its features, [Phi; sqrt(ridge) I] w = [y; 0], by QR; O(n m^2)."""

    knots: Float[Array, " n"]
    kernel: AbstractKernel
    ridge: Float[Array, ""]
    operator: lx.MatrixLinearOperator
    factor: tuple

    def __init__(self, knots, kernel, ridge):
        self.knots, self.kernel, self.ridge = knots, kernel, ridge
        phi = features(kernel, knots)
        if phi is None:
            raise InputError("kernel", "its rank is infinite", "use `kernel_basis`, which takes the dual then")
        penalty = jnp.sqrt(ridge) * jnp.eye(phi.shape[1], dtype=phi.dtype)
        self.operator = lx.MatrixLinearOperator(jnp.concatenate([phi, penalty]))
        # Lineax differentiates through the operator; the factor has no derivative rule and needs none.
        self.factor = lx.QR().init(jax.lax.stop_gradient(self.operator), {})

    def _pad(self, values):
        return jnp.concatenate([values, jnp.zeros(self.operator.in_size(), values.dtype)])

    def fit(self, values):
        return lx.linear_solve(self.operator, self._pad(values), lx.QR(), state=self.factor, throw=False).value

    def value(self, coefficients, price):
        return _contract(features(self.kernel, jnp.asarray(price)), coefficients)

    def slope(self, coefficients, price):
        return _contract(feature_slopes(self.kernel, jnp.asarray(price)), coefficients)

    def integral(self, coefficients, low, high):
        return _contract(feature_integrals(self.kernel, jnp.asarray(low), jnp.asarray(high)), coefficients)

    def influence(self, price):
        transposed, row = self.operator.T, features(self.kernel, price)
        return lx.linear_solve(transposed, row, lx.QR(), throw=False).value[: self.knots.shape[0]]

    def leverage(self):
        # H_ii = |q_i|^2 for the rows q_i of Q that belong to observations.
        orthogonal = jnp.linalg.qr(self.operator.as_matrix())[0]
        return jnp.sum(orthogonal[: self.knots.shape[0]] ** 2, axis=1)

    def loo(self, coefficients, values):
        return (values - features(self.kernel, self.knots) @ coefficients) / (1 - self.leverage())


def _contract(rows: Array, coefficients: Array) -> Array:
    """rows (*p, m) . coefficients (*batch, m): a matrix product where either has no batch, a broadcast sum otherwise."""
    if rows.ndim == 1 or coefficients.ndim == 1:
        return jnp.tensordot(rows, coefficients, axes=(-1, -1)) if coefficients.ndim == 1 else coefficients @ rows
    return jnp.sum(rows * coefficients, axis=-1)
