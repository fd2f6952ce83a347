"""Fresh agents for each mechanism, at a scale that fits its numbers. A mechanism of your own is added by

@learner.register
def _(mechanism: MyMechanism, training): return lambda key: dcg.Shared(MyAgent(key=key))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ.agents import BidAgent, Bidders, CurveAgent, DivisionAgent, NumberAgent, QuantityAgent, Separate, Shared
from dcg_econ.agents.learned import AbstractPopulation
from dcg_econ.agents.nets import AbstractNets
from dcg_econ.experiments.codec import build, kind_of
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import (
    CurveBargaining,
    CurveMarket,
    DoubleAuction,
    FirstPriceAuction,
    PlannedNegotiation,
    QuantityMarket,
)
from dcg_econ.mechanisms.bargaining import Plans
from dcg_econ.mechanisms.finite_games import Tables
from dcg_econ.mechanisms.finite_games.tables import AbstractTableGame
from dcg_econ.mechanisms.market import AbstractMarket
from dcg_econ.mechanisms.public_goods import Lindahl
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution
from dcg_econ.mechanisms.public_goods.numbers import AbstractNumberInstitution
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood

Make = Callable[[jax.Array], AbstractPopulation]


class Heard(NamedTuple):
    """How many numbers a player hears before it reports, and how many of them make a token."""

    numbers: int = 0
    token: int = 1


SILENT = Heard()


@singledispatch
def learner(mechanism: AbstractGame, training: Training, heard: Heard = SILENT) -> Make:
    """A function of a key that makes an untrained population for the mechanism."""
    del training, heard
    raise SpecificationError(
        f"conduct: there are no learned players for {kind_of(type(mechanism))}; choose `nash` or register a maker with "
        "dcg_econ.experiments.learners.learner"
    )


@learner.register
def _(mechanism: CurveMarket, training: Training, heard: Heard = SILENT) -> Make:
    knots = jnp.linspace(*_prices(mechanism), training.knots)
    make = jax.tree_util.Partial(_curve_agent, _nets(training, heard), knots, _units(mechanism))
    return _make_of(mechanism, make)


@learner.register
def _(mechanism: CurveBargaining, training: Training, heard: Heard = SILENT) -> Make:
    mean, std = mechanism.value_moments()
    usual = mechanism.walras_price(mean, mechanism.supply.mean())
    away = jnp.abs(mean - jnp.mean(mean))
    reach = jnp.max(away + 2.6 * std)
    low, high = mechanism.price_bounds
    knots = jnp.linspace(
        jnp.where(jnp.isfinite(low), low, usual - reach),
        jnp.where(jnp.isfinite(high), high, usual + reach),
        training.knots,
    )
    units = {
        "value_centre": jnp.mean(mean),
        "value_unit": _positive(jnp.max(away + np.sqrt(3) * std)),
        "quantity_unit": _positive(jnp.max(jnp.abs(mean - usual) / mechanism.curvature)),
    }
    make = jax.tree_util.Partial(_curve_agent, _nets(training, heard), knots, units)
    return lambda key: Separate(make, 2, key=key)


@learner.register
def _(mechanism: QuantityMarket, training: Training, heard: Heard = SILENT) -> Make:
    units = _units(mechanism)
    units |= {"supply_centre": mechanism.supply.mean(), "supply_unit": _positive(mechanism.supply.std())}
    return _make_of(mechanism, jax.tree_util.Partial(_quantity_agent, _nets(training, heard), units))


@learner.register
def _(mechanism: DoubleAuction, training: Training, heard: Heard = SILENT) -> Make:
    values, costs = mechanism.values.support(), mechanism.costs.support()
    return jax.tree_util.Partial(_bidders, _nets(training, heard), mechanism.buyers, values, costs)


@learner.register
def _(mechanism: FirstPriceAuction, training: Training, heard: Heard = SILENT) -> Make:
    low, high = mechanism.values.support()
    nets = _nets(training, heard)
    return lambda key: Shared(BidAgent(low, high, key=key, **nets))


@learner.register
def _(mechanism: PlannedNegotiation, training: Training, heard: Heard = SILENT) -> Make:
    items, turns = mechanism.items, mechanism.own_turns
    make = jax.tree_util.Partial(_negotiator, _nets(training, heard), items.kinds, turns, items.most)
    return lambda key: Separate(make, 2, key=key)


@learner.register
def _(mechanism: AbstractNumberInstitution, training: Training, heard: Heard = SILENT) -> Make:
    low, high = (np.unique(np.asarray(bound)) for bound in mechanism.bounds())
    if max(len(low), len(high)) > 1:
        raise SpecificationError("mechanism.endowment: learned players need the same endowment; give one number")
    centre, unit = _typical_types(mechanism)
    start = mechanism.start()
    units = {
        "type_centre": centre,
        "type_unit": unit,
        "message_centre": jnp.mean(start),
        "message_unit": _positive(jnp.std(start) + 0.25 * jnp.max(jnp.abs(start))),
        "low": low[0],
        "high": high[0],
    }
    return _alike_or_not(mechanism, jax.tree_util.Partial(_number_agent, _nets(training, heard), units))


@learner.register
def _(mechanism: AbstractCurveInstitution, training: Training, heard: Heard = SILENT) -> Make:
    centre, unit = _typical_types(mechanism)
    draws = jax.vmap(mechanism.sample_types)(jax.random.split(jax.random.key(0), 256))
    levels = jax.vmap(mechanism.efficient_level)(draws)
    # Free riders let the level fall, so where taxes follow reports the knots begin at zero.
    low = 0.0 if isinstance(mechanism, Lindahl) or mechanism.excludable else 0.5 * jnp.min(levels)
    knots = jnp.linspace(low, 1.25 * jnp.max(levels), training.knots)
    paid = jax.vmap(lambda t, y: mechanism.preferences.curves(t)(jnp.full(t.shape[0], y)))(draws, levels)
    units = {
        "value_centre": centre,
        "value_unit": unit,
        "quantity_centre": jnp.mean(paid),
        "quantity_unit": _positive(jnp.std(paid) + 0.25 * jnp.abs(jnp.mean(paid))),
    }
    return _alike_or_not(mechanism, jax.tree_util.Partial(_curve_agent, _nets(training, heard), knots, units))


@learner.register
def _(mechanism: AbstractTableGame, training: Training, heard: Heard = SILENT) -> Make:
    del heard
    size, spread = mechanism.size, 0.1 if training.spread is None else training.spread
    return lambda key: Tables(len(mechanism.players), size, key=key, spread=spread)


def _typical_types(mechanism: AbstractPublicGood) -> tuple[jax.Array, jax.Array]:
    """The centre and the spread of each private number, (k,)."""
    priors = mechanism.preferences.private.values()
    centre = jnp.stack([jnp.mean(p.mean()) for p in priors])
    spread = jnp.stack([jnp.sqrt(3.0) * jnp.mean(p.std()) + jnp.std(p.mean()) for p in priors])
    return centre, jnp.maximum(spread, 1e-3 * _positive(jnp.abs(centre)))


def _alike_or_not(mechanism: AbstractPublicGood, make) -> Make:
    """One net for all where players are alike but for their types and what they say is read alike, else a net each."""
    numbers = [mechanism.endowment, *(p.mean() for p in mechanism.preferences.private.values())]
    if all(np.ndim(x) == 0 or np.ptp(x) == 0 for x in numbers):
        return lambda key: Shared(make(key))
    return lambda key: Separate(make, len(mechanism.players), key=key)


def nets_of(training: Training) -> AbstractNets | None:
    """The nets that a study asks for; None leaves the choice to the agents."""
    return None if training.nets is None else build(training.nets, AbstractNets, "training.nets")


def _nets(training: Training, heard: Heard) -> dict[str, Any]:
    return {"width": training.width, "heard": heard.numbers, "token": heard.token, "nets": nets_of(training)}


def _number_agent(nets, units, key):
    return NumberAgent(key=key, **nets, **units)


def _negotiator(nets, kinds, turns, most, key):
    return DivisionAgent(kinds, turns, most, Plans, key=key, **nets)


def _bidders(nets, buyers, values, costs, key):
    first, second = jax.random.split(key)
    return Bidders(
        BidAgent(*values, key=first, **nets),
        BidAgent(*costs, key=second, **nets),
        buyers=buyers,
    )


def _curve_agent(nets, knots, units, key):
    return CurveAgent(knots, key=key, **nets, **units)


def _quantity_agent(nets, units, key):
    return QuantityAgent(key=key, **nets, **units)


def _make_of(mechanism: AbstractMarket, make) -> Make:
    """One net for all where traders are alike but for their values, else a net each."""
    alike = all(np.ndim(x) == 0 or np.ptp(x) == 0 for x in (mechanism.curvature, mechanism.values.mean()))
    if alike:
        return lambda key: Shared(make(key))
    return lambda key: Separate(make, len(mechanism.players), key=key)


def _units(mechanism: AbstractMarket) -> dict[str, jax.Array]:
    """The centre and spread of values, and a typical quantity: what value less competitive price, or its spread, buys."""
    centre, spread = jnp.mean(mechanism.values.mean()), jnp.mean(mechanism.values.std())
    price = mechanism.walras_price(
        jnp.broadcast_to(mechanism.values.mean(), mechanism.curvature.shape), mechanism.supply.mean()
    )
    typical = jnp.maximum(jnp.abs(centre - price), spread) / jnp.mean(mechanism.curvature)
    return {
        "value_centre": centre,
        "value_unit": jnp.maximum(np.sqrt(3) * spread, 1e-3 * _positive(jnp.abs(centre))),
        "quantity_unit": _positive(typical),
    }


def _prices(mechanism: CurveMarket) -> tuple[jax.Array, jax.Array]:
    """The span of the knots: the market's price bounds, or 2.6 standard deviations of values around the usual price."""
    low, high = mechanism.price_bounds
    n = mechanism.curvature.shape
    usual = mechanism.walras_price(jnp.broadcast_to(mechanism.values.mean(), n), mechanism.supply.mean())
    reach = 2.6 * _positive(jnp.mean(mechanism.values.std()))
    return jnp.where(jnp.isfinite(low), low, usual - reach), jnp.where(jnp.isfinite(high), high, usual + reach)


def _positive(value: jax.Array) -> jax.Array:
    return jnp.where(value > 0, value, 1.0)
