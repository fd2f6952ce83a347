"""What a panel shows of a play: one function for all mechanisms, and one of their own for those with more to say."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import CurveBargaining, CurveMarket, DoubleAuction, FirstPriceAuction, PlannedNegotiation
from dcg_econ.mechanisms.market import AbstractExchange, AbstractMarket
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood
from dcg_econ.messages.curve import AbstractCurve
from dcg_econ.priors import Fixed


class Participants(NamedTuple):
    """Who has a row: names and roles (P,), who of them is a strategic player, and each one's place in `observe`."""

    names: tuple[str, ...]
    roles: tuple[str, ...]
    strategic: tuple[bool, ...]
    places: tuple[int, ...]


class Column(NamedTuple):
    """A column's label, with {money}, {price} and {quantity} where units go, and the unit that it scales with."""

    label: str
    unit: str = ""


PRICE, QUANTITY, MONEY, SLOPE = "price", "quantity", "money", "slope"


@singledispatch
def participants(mechanism: AbstractGame) -> Participants:
    """The players, each its own role's name: `trader 2` is a trader."""
    names = mechanism.players
    n = len(names)
    return Participants(names, tuple(x.rstrip("0123456789 ") or x for x in names), (True,) * n, tuple(range(n)))


@singledispatch
def observe(mechanism: AbstractGame, types: Any, reports: Any, outcome: Any) -> dict[str, jax.Array]:
    """Columns of one play: arrays (P,) at the places of `participants`, or () for what all share.

    Here: every part of types, reports and outcome that is one number, or one for each player; names are the fields'.
    """
    n = len(mechanism.players)
    columns = {"payoff": mechanism.payoffs(types, outcome)}
    for prefix, tree in {"type": types, "report": reports, "": outcome}.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            name = "_".join(filter(None, [prefix, *(_text(part) for part in path)]))
            if jnp.shape(leaf) in ((), (n,)) and name:
                columns.setdefault(name, jnp.asarray(leaf))
    return columns


@singledispatch
def columns(mechanism: AbstractGame) -> dict[str, Column]:
    """Labels and units of the columns of `observe`, where there is more to say than their names."""
    del mechanism
    return {}


def _text(part: Any) -> str:
    return str(getattr(part, "name", getattr(part, "key", getattr(part, "idx", part))))


@participants.register
def _(mechanism: AbstractMarket) -> Participants:
    n, role = len(mechanism.players), "buyer" if _sells(mechanism) else "trader"
    extra = ({"fringe": n} if _outside(mechanism) else {}) | ({"seller": n + 1} if _sells(mechanism) else {})
    names = tuple(name.replace("trader", role) for name in mechanism.players)
    return Participants(
        (*names, *extra), (role,) * n + (*extra,), (True,) * n + (False,) * len(extra), (*range(n), *extra.values())
    )


def _outside(mechanism: AbstractExchange) -> bool:
    return bool(np.any(np.asarray(mechanism.outside_slope) > 0))


def _sells(mechanism: AbstractMarket) -> bool:
    """Whether a seller is there: any supply but the certainty of none."""
    return not (isinstance(mechanism.supply, Fixed) and float(mechanism.supply.mean()) == 0)


@participants.register
def _(mechanism: CurveBargaining) -> Participants:
    names = (*mechanism.players, *(("fringe",) if _outside(mechanism) else ()))
    return Participants(names, names, (True, True, False)[: len(names)], tuple(range(len(names))))


@observe.register
def _(mechanism: AbstractExchange, types, reports, outcome):
    price, n = outcome.price, mechanism.curvature.shape[0]
    nothing = jnp.full(n, jnp.nan)
    slopes = reports.schedules.slope(price) if isinstance(mechanism, CurveMarket | CurveBargaining) else nothing
    fringe = 0.5 * mechanism.outside_slope * (mechanism.outside_price - price) ** 2
    none = jnp.full(2, jnp.nan)
    return {
        "type_value": jnp.concatenate([types.values, none]),
        "report_slope": jnp.concatenate([-slopes, none]),
        "quantity": jnp.concatenate([outcome.quantities, jnp.stack([outcome.outside_quantity, -types.supply])]),
        "price": price,
        "payoff": jnp.concatenate([mechanism.payoffs(types, outcome), jnp.stack([fringe, price * types.supply])]),
        "competitive_price": mechanism.walras_price(types.values, types.supply),
        "supply": types.supply,
    }


@columns.register
def _(mechanism: AbstractExchange) -> dict[str, Column]:
    del mechanism
    return {
        "type_value": Column("Private value, {price}", PRICE),
        "report_slope": Column("Slope of the schedule at the price, {quantity} per {price}", SLOPE),
        "quantity": Column("Quantity bought, {quantity}", QUANTITY),
        "price": Column("Price, {price}", PRICE),
        "competitive_price": Column("Competitive price, {price}", PRICE),
        "supply": Column("Supply, {quantity}", QUANTITY),
    }


@observe.register
def _(mechanism: DoubleAuction, types, reports, outcome):
    traded = jnp.concatenate([outcome.bought, outcome.sold])
    return {
        "type_value": jnp.concatenate([types.values, types.costs]),
        "report": jnp.concatenate([reports.bids, reports.asks]),
        "price": jnp.where(jnp.any(traded > 0), outcome.price, jnp.nan),  # else it is hypothetical
        "traded": traded,
        "payoff": mechanism.payoffs(types, outcome),
    }


@observe.register
def _(mechanism: FirstPriceAuction, types, reports, outcome):
    return {
        "type_value": types.values,
        "report": reports.bids,
        "price": jnp.where(jnp.any(outcome.won > 0), outcome.price, jnp.nan),  # nobody paid it otherwise
        "won": outcome.won,
        "revenue": outcome.revenue,
        "payoff": mechanism.payoffs(types, outcome),
    }


@columns.register
def _(mechanism: FirstPriceAuction) -> dict[str, Column]:
    del mechanism
    return {
        "type_value": Column("Private value, {money}", MONEY),
        "report": Column("Bid, {money}", MONEY),
        "price": Column("Winning bid, {money}", MONEY),
        "won": Column("Whether the participant won"),
        "revenue": Column("Revenue of the seller, {money}", MONEY),
    }


@observe.register
def _(mechanism: PlannedNegotiation, types, reports, outcome):
    return {
        "payoff": mechanism.payoffs(types, outcome),
        "share": mechanism.negotiation().shares(types, outcome),
        "pool_worth": jnp.sum(types.values * types.pool, axis=-1),
        "agreed": outcome.agreed,
    }


@columns.register
def _(mechanism: PlannedNegotiation) -> dict[str, Column]:
    del mechanism
    return {
        "share": Column("Payoff as a share of what the whole pool is worth to the player"),
        "pool_worth": Column("What the whole pool is worth to the player, {money}", MONEY),
        "agreed": Column("Chance of agreement before the deadline"),
    }


@columns.register
def _(mechanism: DoubleAuction) -> dict[str, Column]:
    del mechanism
    return {
        "type_value": Column("Private value or cost, {price}", PRICE),
        "report": Column("Bid or ask, {price}", PRICE),
        "price": Column("Price where there was trade, {price}", PRICE),
        "traded": Column("Whether the participant traded"),
        "k": Column("Weight k of the bid in the price"),
    }


@observe.register
def _(mechanism: AbstractPublicGood, types, reports, outcome):
    payoffs = mechanism.payoffs(types, outcome)
    said = reports(outcome.levels) if isinstance(reports, AbstractCurve) else reports
    columns = {f"type_{name}": types[:, i] for i, name in enumerate(mechanism.preferences.private)}
    return columns | {
        "report": said,
        "tax": outcome.taxes,
        "level": outcome.built,
        "consumed": outcome.levels,
        "budget_surplus": mechanism.budget_surplus(outcome),
        "payoff": payoffs,
        "gain": payoffs - mechanism.status_quo(types),
    }


@columns.register
def _(mechanism: AbstractPublicGood) -> dict[str, Column]:
    types = {f"type_{name}": Column(f"Private {name}") for name in mechanism.preferences.private}
    return types | {
        "report": Column("Number reported, or reported willingness to pay at the own level"),
        "tax": Column("What the player pays, {money}", MONEY),
        "level": Column("Level of the public good, {quantity}", QUANTITY),
        "consumed": Column("Level that the player consumes, {quantity}", QUANTITY),
        "budget_surplus": Column("Taxes less cost, {money} per round", MONEY),
        "gain": Column("Payoff above keeping the endowment, {money}", MONEY),
    }
