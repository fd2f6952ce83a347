"""Benchmarks on the draws of a study. The second best: the most welfare that any mechanism can yield when types stay
private; for public goods Lindahl's equilibrium at true preferences; and for games of pure talk what their theory says.

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
import numpy as np
from jaxtyping import Array

from dcg_econ.learning import AbstractProtocol, Protocol
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import CheapTalk, DoubleAuction, GaussianChoice, PlannedNegotiation
from dcg_econ.mechanisms.bargaining.second_best import second_best
from dcg_econ.mechanisms.cheap_talk import babbling, most_cells, partition
from dcg_econ.mechanisms.inattention import GaussianAttention
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


@singledispatch
def theory_rules(mechanism: AbstractGame, protocol: AbstractProtocol) -> dict[str, Rule]:
    """Columns of the panel for what theory says of play after the talk of `protocol`: functions from types (S, T, ...) to
    expected welfare given the types, or to bits (S, T). Empty where theory says nothing."""
    del mechanism, protocol
    return {}


@theory_rules.register
def _(mechanism: CheapTalk, protocol: AbstractProtocol) -> dict[str, Rule]:
    """The most informative partition (without bias: the truth), however many words there are; and babbling."""
    del protocol

    def of(found):
        def welfare(types):
            actions = (found.talk(types.ravel()) @ found.actions).reshape(types.shape)
            return -((actions - types) ** 2) - (actions - types - mechanism.bias) ** 2

        return welfare

    prior, bias = mechanism.prior, mechanism.bias
    truth = float(bias) == 0
    best = mechanism.first_best if truth else of(partition(prior, bias, most_cells(prior, bias)))
    return {"theory_welfare": best, "babbling_welfare": of(babbling(prior, bias))}


@theory_rules.register
def _(mechanism: PlannedNegotiation, protocol: AbstractProtocol) -> dict[str, Rule]:
    """With a deadline that all know, talk or no talk, the last proposer takes all that has a value to it."""
    del protocol
    if np.count_nonzero(np.asarray(mechanism.deadline.weights)) != 1:
        return {}
    last = mechanism.last_proposer()

    def welfare(types):
        own, other = jnp.take(types.values, last, axis=-2), jnp.take(types.values, 1 - last, axis=-2)
        return jnp.sum(types.pool * jnp.where(own > 0, own, other), axis=-1).astype(float)

    return {"theory_welfare": welfare}


@theory_rules.register
def _(mechanism: GaussianChoice, protocol: AbstractProtocol) -> dict[str, Rule]:
    """The best attention at the language's price of a nat: the action follows x by k = 1 - D / s^2, and with x given its
    expected loss is (1 - k)^2 x^2 + k D."""
    if not isinstance(protocol, Protocol) or float(protocol.language.price) <= 0:
        return {}
    best = GaussianAttention(mechanism.sd, protocol.language.price)

    def welfare(types):
        missed = (1 - best.response) * types[..., 0]
        return -(missed**2) - best.response * best.posterior_variance

    def bits(types):
        return jnp.full(types.shape[:-1], best.rate / jnp.log(2.0))

    return {"theory_welfare": welfare, "theory_bits": bits}
