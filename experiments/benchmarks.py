"""The second best: the most welfare that any mechanism can yield when types stay private, on the draws of a study.

A mechanism of your own for which a bound is known is added by

@second_best_rule.register
def _(mechanism: MyMechanism): return lambda types: welfare
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms import DoubleAuction
from dcg_econ.mechanisms.bargaining.second_best import second_best

Rule = Callable[[Any], Array]


@singledispatch
def second_best_rule(mechanism: AbstractMechanism) -> Rule | None:
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
