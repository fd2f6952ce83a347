r"""Rational inattention to a choice among finitely many actions (Matejka and McKay 2015).

The action a pays u_sa in state s of chance mu_s, and a nat of mutual information between state and action costs lam. With
unconditional probabilities p the best conditional ones are a logit, and p solves a concave problem:

    P(a | s) = p_a e^{u_sa / lam} / sum_b p_b e^{u_sb / lam},                                             (1)
    max over p of  lam sum_s mu_s ln sum_a p_a e^{u_sa / lam}  =  E u - lam I.                            (2)

Its conditions (Caplin, Dean and Leahy 2019) are, with g_a(p) = sum_s mu_s e^{u_sa / lam} / sum_b p_b e^{u_sb / lam},

    p_a >= 0,     g_a(p) <= 1,     p_a (1 - g_a(p)) = 0     for every a.                                  (3)

That p sums to one follows, since sum_a p_a g_a = 1. The fixed points p_a = p_a g_a(p) are not enough: every p that leaves
out an action worth choosing is among them. (3) is one equation an action, the normal map

    1 - g(z+) + z - z+ = 0,     z+ = max(z, 0),     p = z+:                                               (4)

z_a is the probability of an action that is considered, and g_a - 1 < 0 of one that is not. Newton's method solves (4) from
where the fixed-point iteration p <- p g(p) (Blahut 1972, Arimoto 1972), which converges from everywhere but slowly at a
corner, has led. p has a derivative where no action is at z_a = 0, its row in (4) then says which. Where the columns of
e^{u / lam} are linearly dependent p need not be unique, though the value is, and derivatives are the shortest ones.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete, require_finite, require_positive
from dcg_econ.equilibrium.tolerances import step_tolerance
from dcg_econ.priors import number

_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)
_SCALES = (1.0, 30.0, 1000.0, 30000.0) * 4  # one a round; the larger, the more actions are taken to be leaving
_WALK = 150  # fixed-point iterations in a round
_STEPS = 12  # of Newton's method in a round
_MASS = 1e-6


class Attention(eqx.Module):
    """The best attention, and the evidence.

    `probabilities` (A,): p, exactly zero for actions outside the consideration set. `conditional` (S, A): (1). `rate`:
    nats. `payoff`: E u. `value`: payoff - lam rate. `slack` (A,): 1 - g, zero for actions that are chosen and, strictly,
    positive for others: by what share the action would have to pay more. `residual`: the largest violation of (3). NaN
    throughout where none was found. The residual carries no derivatives.
    """

    probabilities: Float[Array, " A"]
    conditional: Float[Array, "S A"]
    rate: Float[Array, ""]
    payoff: Float[Array, ""]
    value: Float[Array, ""]
    slack: Float[Array, " A"]
    residual: Float[Array, ""]


def attention(payoffs: ArrayLike, prior: ArrayLike, price: ArrayLike) -> Attention:
    """The solution of (2) for `payoffs` (S, A), a `prior` (S,) over states and the `price` lam of a nat.

    Differentiable in all three where (3) holds strictly. Raises `InputError`, and `EquilibriumError` where (3) is not
    met; under `jax.vmap` such a lane carries NaN.
    """
    payoffs, prior, price = number("payoffs")(payoffs), number("prior")(prior), number("price")(price)
    require_choice(payoffs, prior)
    if price.ndim > 0:
        raise InputError("price", f"shape {price.shape}", "give one number; for many use jax.vmap")
    require_positive("price", price)
    found = _solve(payoffs, prior, price)
    if is_concrete(found) and not bool(jnp.isfinite(found.residual)):
        raise EquilibriumError(
            f"the conditions of the best attention are not met at price {float(price):g}: raise the price, or take out "
            "actions that are as good as others in every state"
        )
    return found


def require_choice(payoffs: Array, prior: Array) -> None:
    """Raises `InputError` unless `payoffs` is (S, A) and `prior` (S,) holds probabilities."""
    if payoffs.ndim != 2 or 0 in payoffs.shape:
        raise InputError("payoffs", f"shape {payoffs.shape}", "give (states, actions)")
    if prior.shape != payoffs.shape[:1]:
        raise InputError("prior", f"shape {prior.shape} for {payoffs.shape[0]} states", "give one probability for each")
    require_finite("payoffs", payoffs)
    require_positive("prior", prior, strict=False)
    if is_concrete(prior) and abs(float(np.sum(np.asarray(prior))) - 1) > _MASS:
        raise InputError("prior", f"the probabilities sum to {float(jnp.sum(prior)):.8g}", "divide them by their sum")


def _weights(payoffs, price):
    """e^{u / lam} up to a factor for each state, which (1) and (3) do not see, and the logarithms of the factors."""
    scaled = payoffs / price
    largest = jax.lax.stop_gradient(jnp.max(scaled, axis=1))
    return jnp.exp(scaled - largest[:, None]), largest


def _sums(p, weights):
    return jnp.maximum(weights @ p, jnp.finfo(p.dtype).tiny ** 0.9)


def _gains(p, weights, prior):
    """g of (3)."""
    return (prior / _sums(p, weights)) @ weights


def _violation(p, weights, prior):
    """The largest violation of (3), and of p summing to one."""
    g = _gains(p, weights, prior)
    return jnp.maximum(jnp.max(jnp.maximum(g - 1, p * jnp.abs(1 - g))), jnp.abs(jnp.sum(p) - 1))


def _newton(z, weights, prior, steps):
    def residual(z, args):
        p = jnp.maximum(z, 0.0)
        return 1 - _gains(p, *args) + z - p

    tolerance = 8 * float(jnp.finfo(z.dtype).eps)
    solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_SAFE)
    return optx.root_find(residual, solver, z, (weights, prior), max_steps=steps, adjoint=_ADJOINT, throw=False).value


def _start(weights, prior):
    """The z of (4) from which Newton's method went furthest; fixed-point iterations see to it that one is near enough."""
    n = weights.shape[1]
    solver = optx.FixedPointIteration(rtol=0.0, atol=float(jnp.finfo(prior.dtype).eps))
    # At a high price g is near one: the iteration then takes g to a power, at which it still converges.
    spread = -jnp.log(jnp.maximum(jnp.min(weights), jnp.finfo(prior.dtype).tiny))
    pace = jnp.clip(1 / jnp.maximum(spread, 1e-8), 1.0, 1e8)

    def step(p, _):
        after = p * _gains(p, weights, prior) ** pace
        return after / jnp.sum(after)

    def one_round(carry, scale):
        p, best, least = carry
        p = optx.fixed_point(step, solver, p, max_steps=_WALK, throw=False, adjoint=_ADJOINT).value
        from_here = p + scale * pace * (_gains(p, weights, prior) - 1)
        z = _newton(from_here, weights, prior, _STEPS)
        left = _violation(jnp.maximum(z, 0.0), weights, prior)
        better = left < least
        return (p, jnp.where(better, z, best), jnp.where(better, left, least)), None

    even = jnp.full(n, 1 / n, prior.dtype)
    begin = even, even, _violation(even, weights, prior)
    (_, best, _), _ = jax.lax.scan(one_round, begin, jnp.asarray(_SCALES, prior.dtype))
    return best


@eqx.filter_jit
def _solve(payoffs, prior, price) -> Attention:
    weights, factors = _weights(payoffs, price)
    start = jax.lax.stop_gradient(_start(*jax.lax.stop_gradient((weights, prior))))
    z = _newton(start, weights, prior, _STEPS)
    p = jnp.maximum(z, 0.0)
    sums = _sums(p, weights)
    conditional = p * weights / sums[:, None]
    payoff = jnp.sum(prior[:, None] * conditional * payoffs)
    value = price * (prior @ (jnp.log(sums) + factors))
    slack = 1 - _gains(p, weights, prior)
    left = jax.lax.stop_gradient(_violation(p, weights, prior))
    numbers = p, conditional, (payoff - value) / price, payoff, value, slack, left
    good = left <= step_tolerance(left.dtype)
    return Attention(*(jnp.where(good, number, jnp.nan) for number in numbers))
