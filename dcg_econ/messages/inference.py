"""What a fitted curve says about itself: its band, its smoothing, the law of demand, the nearest monotone curve."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.messages.curve import KernelCurve, PiecewiseLinearCurve, kernel_basis
from dcg_econ.messages.kernels import AbstractKernel
from dcg_econ.priors import number


def standard_error(curve: KernelCurve, prices: ArrayLike) -> Float[Array, " k"]:
    """The pointwise standard error of f(p) = h(p) . y, sigma |h(p)|, under independent errors of equal variance.

    sigma^2 = RSS / (n - trace H) as in OLS, of which this is the ordinary standard error when the kernel is constant +
    linear and ridge = 0. Smoothing bias is not in it. Source: Hastie, Tibshirani and Friedman (2009), section 5.5.
    """
    residuals = curve.values - curve.fitted()
    sigma = jnp.sqrt(jnp.sum(residuals**2) / (curve.values.shape[0] - curve.degrees_of_freedom()))
    weights = jax.vmap(curve.basis.influence)(jnp.atleast_1d(jnp.asarray(prices, curve.values.dtype)))
    return sigma * jnp.linalg.norm(weights, axis=1)


class LawOfDemand(eqx.Module):
    """Whether a curve falls everywhere on a range of prices, and where it rises most if it does not."""

    holds: Bool[Array, ""]
    largest_slope: Float[Array, ""]
    at_price: Float[Array, ""]

    def __bool__(self) -> bool:
        return bool(self.holds)


def law_of_demand(curve: KernelCurve, points: int = 512) -> LawOfDemand:
    """Checks dq/dp <= 0 on a grid of `points` prices between the outer knots."""
    prices = jnp.linspace(jnp.min(curve.basis.knots), jnp.max(curve.basis.knots), points)
    slopes = curve.slope(prices)
    worst = jnp.argmax(slopes)
    return LawOfDemand(slopes[worst] <= 0, slopes[worst], prices[worst])


def monotone(curve: KernelCurve, prices: ArrayLike | None = None) -> PiecewiseLinearCurve:
    """The nearest falling schedule: least-squares projection of the curve at `prices` on falling sequences.

    `prices` default to the knots; repeated ones count once. Isotonic regression by its min-max formula,
    f_i = min_{j<=i} max_{k>=i} mean(f_j, ..., f_k) (Barlow et al. 1972), so it is differentiable almost everywhere;
    O(n^2) memory. Straight lines join the values.
    """
    knots = curve.basis.knots if prices is None else number("prices")(prices)
    knots = jnp.unique(knots) if is_concrete(knots) else jnp.sort(knots)
    values = curve(knots)
    sums = jnp.concatenate([jnp.zeros(1, values.dtype), jnp.cumsum(values)])
    i = jnp.arange(values.shape[0])
    length = i[None, :] - i[:, None] + 1
    means = jnp.where(length > 0, (sums[None, 1:] - sums[:-1, None]) / jnp.maximum(length, 1), -jnp.inf)
    above = jax.lax.cummax(means, axis=1, reverse=True)
    return PiecewiseLinearCurve(knots, jnp.diagonal(jax.lax.cummin(jnp.where(length > 0, above, jnp.inf), axis=0)))


class Tuned(eqx.Module):
    """A curve whose smoothing was chosen by leave-one-out, with the root mean squared leave-one-out error."""

    curve: KernelCurve
    loo_rmse: Float[Array, ""]
    converged: Bool[Array, ""]

    def hyperparameters(self) -> dict[str, float]:
        """Ridge and the kernel's parameters by name."""
        leaves = jax.tree_util.tree_leaves_with_path(self.curve.basis.kernel)
        found = {jax.tree_util.keystr(path).lstrip("."): float(leaf) for path, leaf in leaves}
        return found | {"ridge": float(self.curve.basis.ridge)}


def tune(
    prices: ArrayLike,
    quantities: ArrayLike,
    kernel: AbstractKernel,
    ridge: float = 1e-2,
    starts: tuple[float, ...] = (0.1, 1.0, 10.0),
    max_steps: int = 200,
) -> Tuned:
    """Chooses ridge and every lengthscale of `kernel` by minimising squared leave-one-out residuals.

    Minimises over logarithms by BFGS (Optimistix) from `starts` multiples of the given ridge, and keeps
    the best. The fit depends on variance / ridge alone, so variances stay as given.
    """
    prices, quantities = number("prices")(prices), number("quantities")(quantities)
    require_positive("ridge", jnp.asarray(ridge))
    KernelCurve.fit(prices, quantities, kernel, ridge)  # refuses bad input before any search
    is_scale = _lengthscales(kernel)
    free, fixed = eqx.partition(kernel, is_scale)

    def log_error(moves, start):
        tuned_kernel, tuned_ridge = _moved(start, moves, fixed)
        residuals = KernelCurve.on(kernel_basis(prices, tuned_kernel, tuned_ridge), quantities).loo_residuals()
        return 0.5 * jnp.log(jnp.mean(residuals**2))

    @eqx.filter_jit
    def search(start):
        zero = jax.tree.map(jnp.zeros_like, start)
        solver = optx.BFGS(rtol=1e-6, atol=1e-8)
        sol = optx.minimise(log_error, solver, zero, start, max_steps=max_steps, throw=False)
        return sol.value, sol.result == optx.RESULTS.successful, jnp.exp(log_error(sol.value, start))

    best = None
    for multiple in starts:
        start = free, jnp.asarray(ridge * multiple, prices.dtype)
        moves, converged, error = search(start)
        if bool(jnp.isfinite(error)) and (best is None or bool(error < best[0])):
            best = error, converged, moves, start
    if best is None:
        raise InputError("ridge", "leave-one-out failed from every start", "give other `starts` or a larger `ridge`")
    error, converged, moves, start = best
    chosen_kernel, chosen_ridge = _moved(start, moves, fixed)
    curve = KernelCurve.fit(prices, quantities, chosen_kernel, chosen_ridge)
    return Tuned(curve, error, converged)


def _moved(start, moves, fixed):
    """Positive parameters moved by factors exp(move), at most 10^4 either way: there the factorisation still holds."""
    span = jnp.log(1e4)
    kernel, ridge = jax.tree.map(lambda s, m: s * jnp.exp(span * jnp.tanh(m / span)), start, moves)
    return eqx.combine(kernel, fixed), ridge


def _lengthscales(kernel: AbstractKernel):
    """A filter tree, true at every leaf named `lengthscale`."""
    return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], "name", None) == "lengthscale", kernel)
