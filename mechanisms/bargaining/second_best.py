r"""The most that bilateral trade can bring when both sides keep their type to themselves (Myerson and Satterthwaite 1983).

A buyer values the good at v ~ F with density f, a seller's cost is c ~ G with density g, independently. A trading rule can
be made Bayesian incentive compatible, interim individually rational and budget balanced if and only if it is monotone and

    E[(phi(v, 1) - gamma(c, 1)) 1{trade}] >= 0,                                                           (1)
    phi(v, alpha) = v - alpha (1 - F(v)) / f(v),     gamma(c, alpha) = c + alpha G(c) / g(c).             (2)

The left of (1) is the budget: the surplus less the rents that information earns. With lam >= 0 the multiplier of (1), the
surplus E[(v - c) 1{trade}] is greatest for the rule

    trade if and only if phi(v, alpha) >= gamma(c, alpha),     alpha = lam / (1 + lam),                   (3)

with alpha in [0, 1] such that (1) holds with equality; alpha = 0, the first best, if and only if every value lies above
every cost. (3) is monotone where phi and gamma rise (the regular case: log-concave densities). The seller sells to v at
costs up to c*(v) and the buyer buys at c from values v*(c) on, where phi(v, alpha) = gamma(c, alpha). The rents are

    E[(1 - F(v)) / f(v) G(c*(v))] of the buyer,     E[G(c) / g(c) (1 - F(v*(c)))] of the seller,          (4)

and the surplus is their sum and the budget. The first best is the integral of G(x) (1 - F(x)) over x.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete
from dcg_econ.equilibrium.tolerances import residual_tolerance, step_tolerance
from dcg_econ.priors import AbstractBoundedPrior, AbstractPrior
from dcg_econ.priors.rules import expectation_shares

_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)
_SCALAR = frozenset({lx.diagonal_tag})
_STEPS = 40
# Where the rule of integration is split, beside the kinks, so that a narrow distribution is not stepped over.
_LANDMARKS = (0.001, 0.03, 0.25, 0.75, 0.97, 0.999)


class SecondBest(eqx.Module):
    """The bound, the rule that attains it, and the evidence; in the units of the values.

    `surplus`: the largest expected surplus of any mechanism, (3). `first_best`: with known types. `multiplier`: lam, the
    surplus that one more unit of outside money would add; `weight`: alpha = lam / (1 + lam), the weight of the rents in
    (2). `buyer_rent`, `seller_rent`: (4). `budget`: what is left of (1), zero but for rounding where the first best is
    out of reach, and what a subsidy-free broker could keep where it is not. `regular`: phi and gamma rise where it
    matters. `converged`: regular, and (1) holds. Where not, numbers are NaN. Budget and flags carry no derivatives.
    """

    surplus: Float[Array, ""]
    first_best: Float[Array, ""]
    multiplier: Float[Array, ""]
    weight: Float[Array, ""]
    trade_probability: Float[Array, ""]
    buyer_rent: Float[Array, ""]
    seller_rent: Float[Array, ""]
    budget: Float[Array, ""]
    regular: Bool[Array, ""]
    converged: Bool[Array, ""]
    values: AbstractBoundedPrior
    costs: AbstractBoundedPrior

    @property
    def efficiency(self) -> Array:
        """surplus / first best."""
        return self.surplus / self.first_best

    def trades(self, v: ArrayLike, c: ArrayLike) -> Array:
        """Whether a buyer of value `v` and a seller of cost `c` trade, by (3)."""
        buyer, seller = _Buyer(self.values), _Seller(self.costs)
        return buyer.virtual(v, buyer.rent(v), self.weight) >= seller.virtual(c, seller.rent(c), self.weight)

    def to_frame(self):
        """A pandas frame of one row, or one a lane under `jax.vmap`."""
        import pandas as pd

        names = ("surplus", "first_best", "efficiency", "multiplier", "weight", "trade_probability", "buyer_rent")
        columns = {name: np.atleast_1d(getattr(self, name)) for name in (*names, "seller_rent", "budget", "converged")}
        return pd.DataFrame(columns)

    def __str__(self):
        if self.surplus.ndim > 0:
            return f"Second best of bilateral trade\n{self.to_frame().to_string(float_format='%.6f')}"
        rows = (
            ("surplus", f"{float(self.surplus):.8g}"),
            ("first best", f"{float(self.first_best):.8g}"),
            ("efficiency", f"{float(self.efficiency):.6f}"),
            ("multiplier lam", f"{float(self.multiplier):.6g} (weight of the rents {float(self.weight):.6g})"),
            ("chance of trade", f"{float(self.trade_probability):.6f}"),
            ("rents", f"buyer {float(self.buyer_rent):.6g}, seller {float(self.seller_rent):.6g}"),
            ("budget left", f"{float(self.budget):.2g}"),
        )
        return "Second best of bilateral trade\n" + "\n".join(f"  {name:<16}{text}" for name, text in rows)


def second_best(values: AbstractPrior, costs: AbstractPrior) -> SecondBest:
    """The Myerson-Satterthwaite bound for a buyer's `values` and a seller's `costs`, differentiable in both.

    Priors of one type each; for many use `jax.vmap`. Raises `InputError` where no trade is possible or where the virtual
    values fall somewhere (the bound then needs ironing, which is not done here), and `EquilibriumError` where no weight
    balances the budget; under `jax.vmap` such a lane carries NaN and its flags.
    """
    values, costs = _checked("values", values), _checked("costs", costs)
    high, cheapest = values.support()[1], costs.support()[0]
    if is_concrete(high, cheapest) and float(high) <= float(cheapest):
        problem = f"no trade is possible: none lies above the lowest cost, {float(cheapest):g}"
        raise InputError("values", problem, "raise the values or lower the costs so that they overlap")
    found = _solve(values, costs)
    if is_concrete(found.regular, found.converged) and not bool(found.regular):
        raise InputError(
            "values or costs",
            "a virtual value falls somewhere, so that the bound needs ironing, which is not done here",
            "give densities that are log-concave, or at least have no gap and no steep dip",
        )
    if is_concrete(found.converged) and not bool(found.converged):
        raise EquilibriumError(
            f"no weight of the rents balances the budget (left: {float(found.budget):.2g}): put the supports on a scale "
            "near one, or give less extreme priors"
        )
    return found


def _checked(field, prior) -> AbstractBoundedPrior:
    if not isinstance(prior, AbstractBoundedPrior):
        raise InputError(field, f"{prior!r} has no density on an interval", "give dcg.Uniform, dcg.Beta ...")
    low, high = prior.support()
    if jnp.ndim(prior.mean()) > 0:
        raise InputError(field, f"parameters of shape {jnp.shape(prior.mean())}", "give scalars, and use jax.vmap")
    if is_concrete(low, high) and float(low) >= float(high):
        raise InputError(field, f"all mass lies at {float(low):g}", "give low < high")
    return prior


def _first_best(buyer, seller):
    """The expected surplus of all trades worth making, E max(v - c, 0)."""
    values, costs = buyer.side.prior, seller.side.prior
    ends = costs.support()[0], values.support()[1]
    nodes, weights = _panels(jnp.sort(jnp.clip(jnp.concatenate([buyer.marks, seller.marks]), *ends)))
    return jnp.sum(weights * costs.cdf(nodes) * values.survival(nodes))


@eqx.filter_jit
def _solve(values, costs) -> SecondBest:
    buyer, seller = _ladder(_Buyer(values)), _ladder(_Seller(costs))
    best = _first_best(buyer, seller)
    spare = values.support()[0] - costs.support()[1]
    attained = spare >= 0
    weight = jnp.where(attained, 0.0, _balancing(buyer, seller, jnp.where(best > 0, jax.lax.stop_gradient(best), 1.0)))
    budget, probability, buyer_rent = _expect(buyer, seller, weight)
    _, _, seller_rent = _expect(seller, buyer, weight)
    surplus = jnp.where(attained, best, buyer_rent + seller_rent)
    budget = jnp.where(attained, spare, budget)
    regular = attained | (_rises(buyer, seller, weight) & _rises(seller, buyer, weight))
    balanced = attained | (jnp.abs(budget) <= residual_tolerance(budget.dtype) * best)
    good = regular & balanced & (best > 0)
    numbers = surplus, best, weight / (1 - weight), weight, probability, buyer_rent, seller_rent
    surplus, best, multiplier, weight, probability, buyer_rent, seller_rent = (
        jnp.where(good, number, jnp.nan) for number in numbers
    )
    evidence = jax.lax.stop_gradient((budget, regular, good))
    return SecondBest(
        surplus, best, multiplier, weight, probability, buyer_rent, seller_rent, *evidence, values=values, costs=costs
    )


class _AbstractSide(eqx.Module):
    """One side of the market."""

    prior: eqx.AbstractVar[AbstractBoundedPrior]

    @abstractmethod
    def virtual(self, x, rent, weight):
        """(2)."""

    @abstractmethod
    def chance(self, x):
        """The chance that this side trades where its threshold is `x`."""

    @abstractmethod
    def gain(self, own, other):
        """What trade brings to a pair, this side's type first."""

    def rent(self, x):
        """What the type `x` adds to the rents, per unit of its density."""
        density = self.prior.density(x)
        return self.chance(x) / jnp.where(density > 0, density, jnp.finfo(density.dtype).tiny ** 0.5)


class _Buyer(_AbstractSide):
    prior: AbstractBoundedPrior

    def virtual(self, x, rent, weight):
        return x - weight * rent

    def chance(self, x):
        return self.prior.survival(x)

    def gain(self, own, other):
        return own - other


class _Seller(_AbstractSide):
    prior: AbstractBoundedPrior

    def virtual(self, x, rent, weight):
        return x + weight * rent

    def chance(self, x):
        return self.prior.cdf(x)

    def gain(self, own, other):
        return other - own


class _Ladder(NamedTuple):
    """A side with some of its types (n,) in order, from which thresholds are sought, and `marks` (m,), where integrals
    over its types are split; with the rents of both."""

    side: _AbstractSide
    types: Array
    rents: Array
    marks: Array
    mark_rents: Array

    def virtuals(self, weight):
        return self.side.virtual(self.types, self.rents, weight)


def _ladder(side):
    """The types leave out the tails that 64 bits cannot tell from nothing, so that densities are above zero."""
    prior = side.prior
    eps = float(jnp.finfo(prior.mean().dtype).eps)
    shares = np.concatenate([np.geomspace(eps, 1e-3, 20)[:-1], np.linspace(1e-3, 0.5, 60)])
    types = prior.quantile(jnp.asarray(np.concatenate([shares, 1 - shares[-2::-1]])))
    types = jnp.sort(jnp.concatenate([types, jnp.clip(prior.knots(), types[0], types[-1])]))
    marks = _marks(prior)
    return _Ladder(side, types, side.rent(types), marks, side.rent(jnp.clip(marks, types[0], types[-1])))


def _marks(prior):
    """Where integrals over this prior are split."""
    return jnp.concatenate([prior.knots(), prior.quantile(jnp.asarray(_LANDMARKS))])


def _panels(cuts):
    """Nodes (k,) and weights (k,) of integration from the first cut to the last, panel by panel."""
    nodes, weights = expectation_shares(cuts.dtype)
    widths = jnp.diff(cuts)[:, None]
    return (cuts[:-1, None] + widths * nodes).ravel(), (widths * weights).ravel()


def _expect(own, other, weight):
    """The budget (1), the chance of trade, and the rent (4) of the side `own`, under the rule (3)."""
    kinks = _thresholds(own, other.side.virtual(other.marks, other.mark_rents, weight), weight)
    cuts = jnp.clip(jnp.concatenate([own.marks, kinks]), *own.side.prior.support())
    x, weights = _panels(jnp.sort(cuts))
    rent = own.side.rent(jnp.clip(x, own.types[0], own.types[-1]))
    partner = _thresholds(other, own.side.virtual(x, rent, weight), weight)
    chance = other.side.chance(partner)
    mass, rents = weights * own.side.prior.density(x), weights * own.side.chance(x)
    budget = jnp.sum((mass * own.side.gain(x, partner) - rents) * chance)
    return budget, jnp.sum(mass * chance), jnp.sum(rents * chance)


def _thresholds(ladder, targets, weight):
    """The types whose virtual types are `targets` (k,); an end of the support where there is none."""
    side, types, virtuals = ladder.side, ladder.types, ladder.virtuals(weight)
    below, above = targets <= virtuals[0], targets >= virtuals[-1]
    aims = jnp.where(below | above, 0.5 * (virtuals[0] + virtuals[-1]), targets)
    rungs = jax.lax.stop_gradient((types, virtuals))
    cell = jnp.clip(jnp.searchsorted(rungs[1], jax.lax.stop_gradient(aims)), 1, types.shape[0] - 1)

    def one(aim, low, high, at_low, at_high):
        def residual(s):
            x = low + (high - low) * s
            return (side.virtual(x, side.rent(x), weight) - aim) / (at_high - at_low)

        start = (jax.lax.stop_gradient(aim) - at_low) / (at_high - at_low)
        return low + (high - low) * _rising_root(residual, start)

    found = jax.vmap(one)(aims, *(rung[at] for rung in rungs for at in (cell - 1, cell)))
    return jnp.where(below, types[0], jnp.where(above, types[-1], found))


def _balancing(buyer, seller, scale):
    """The weight with which (1) holds with equality: the budget rises in it."""
    return _rising_root(lambda weight: _expect(buyer, seller, weight)[0] / scale, jnp.full((), 0.4, scale.dtype))


def _rising_root(residual, start):
    """The root in [0, 1] of a rising function near `start`, differentiated implicitly."""
    tolerance = step_tolerance(start.dtype)  # the last step squares it
    return optx.root_find(
        lambda s, _: residual(s),
        optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_SAFE),
        start,
        options={"lower": jnp.zeros_like(start), "upper": jnp.ones_like(start)},
        max_steps=_STEPS,
        adjoint=_ADJOINT,
        tags=_SCALAR,
        throw=False,
    ).value


def _rises(own, other, weight):
    """Whether the virtual types of `own` rise wherever they lie within those of `other`."""
    theirs = other.virtuals(weight)
    seen = jnp.clip(own.virtuals(weight), theirs[0], theirs[-1])
    return jnp.all(jnp.diff(seen) >= -residual_tolerance(seen.dtype) * (own.types[-1] - own.types[0]))
