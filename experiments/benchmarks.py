"""Benchmarks on the draws of a study. The second best: the most welfare that any mechanism can yield when types stay
private; and for public goods Lindahl's equilibrium at true preferences.

A mechanism of your own for which a bound is known is added by

@second_best_rule.register
def _(mechanism: MyMechanism): return lambda types: welfare
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import DoubleAuction
from dcg_econ.mechanisms.bargaining.second_best import second_best
from dcg_econ.mechanisms.public_goods.lindahl import lindahl_allocation
from dcg_econ.mechanisms.public_goods.preferences import AbstractQuasiLinear
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood, PublicOutcome

Rule = Callable[[Any], Array]


@singledispatch
def second_best_rule(mechanism: AbstractGame) -> Rule | None:
    """A function from types (..., T) to the welfare of the second-best rule (...), or None where no bound is known.

    Raises `EquilibriumError` or `InputError` where there is a bound and it cannot be computed.
    """
    del mechanism
    return None


@second_best_rule.register
def _(mechanism: DoubleAuction) -> Rule | None:
    if (mechanism.buyers, mechanism.sellers) != (1, 1):
        return None
    found = second_best(mechanism.values, mechanism.costs)

    def surplus(types):
        value, cost = types.values[..., 0], types.costs[..., 0]
        return jnp.where(found.trades(value, cost), value - cost, 0.0)

    return surplus


@singledispatch
def lindahl_rule(mechanism: AbstractGame) -> Rule | None:
    """A function from types (S, T, ...) to the welfare of Lindahl's allocation (S, T), or None where there is none."""
    del mechanism
    return None


@lindahl_rule.register
def _(mechanism: AbstractPublicGood) -> Rule | None:
    if not isinstance(mechanism.preferences, AbstractQuasiLinear) or mechanism.excludable:
        return None

    def one(types):
        found = lindahl_allocation(mechanism, types)
        levels = jnp.broadcast_to(found.level, types.shape[:1])
        outcome = PublicOutcome(levels, found.taxes, found.level, jnp.asarray(True))
        return mechanism.welfare(types, outcome)

    return eqx.filter_jit(jax.vmap(jax.vmap(one)))
