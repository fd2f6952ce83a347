"""Bidding strategies of two-sided markets: what buyers bid and what sellers ask for one unit, as functions of the type.

All buyers use one function and all sellers another. A function is known with its inverse, because what the others face
is the *distribution* of bids and asks: Pr(bid <= p) = F(the highest value that bids p or less).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.priors import AbstractBoundedPrior, number

BUYERS, SELLERS = 0, 1
_EVERYBODY = 1e30  # a type beyond any support; infinity would spoil derivatives


class Sides(NamedTuple):
    """What each buyer (m,) and each seller (n,) knows, or reports."""

    buyers: Any
    sellers: Any


class Path(NamedTuple):
    """Equal moments of a path through prices (q,): who bids the price and who asks it, and how fast each of them moves.

    `value`: the buyer's value that bids `price`; `cost`: the seller's cost that asks it; `d_` their derivatives in time.
    """

    price: Array
    value: Array
    cost: Array
    d_price: Array
    d_value: Array
    d_cost: Array


class AbstractBids(AbstractStrategy):
    """A profile of bids and asks, one increasing function for each side.

    Integrals over prices run over *moments*, an increasing function of the price in which the class is smooth and cheap
    (for most classes the price itself).
    """

    @abstractmethod
    def report(self, side: int, types: Array) -> Array:
        """The bids of buyers (`side` 0) or the asks of sellers (1) of these types."""

    @abstractmethod
    def clock(self, moment: Array) -> tuple[Array, Array]:
        """The price at a moment, and its derivative."""

    @abstractmethod
    def moment(self, price: Array) -> Array:
        """The moment of a price, the inverse of `clock`."""

    @abstractmethod
    def moment_of(self, side: int, types: Array) -> Array:
        """The moment of the price that these types of a side report."""

    @abstractmethod
    def type_at(self, side: int, moment: Array) -> Array:
        """The highest type of the side that reports no more than the price of the moment (extrapolated off the support)."""

    @abstractmethod
    def share_at(self, side: int, moment: Array, prior: AbstractBoundedPrior) -> Array:
        """The share of a side of this prior that reports no more than the price of the moment."""

    @abstractmethod
    def share_below(self, side: int, moment: Array, prior: AbstractBoundedPrior) -> Array:
        """The share that reports less: `share_at`, but where many report the same."""

    @abstractmethod
    def kinks(self, side: int, low: Array, high: Array) -> Float[Array, " q"]:
        """Moments between which the distribution of reports of types in [low, high] is smooth, its ends among them."""

    @property
    @abstractmethod
    def nodes(self) -> int:
        """Gauss-Legendre nodes that integrate the distribution of reports between two kinks."""

    @abstractmethod
    def breaks(self, side: int, low: Array, high: Array) -> Float[Array, " q"]:
        """Types in [low, high] between which `report` is smooth."""

    def __call__(self, known: Sides) -> Sides:
        return Sides(self.report(BUYERS, known.buyers), self.report(SELLERS, known.sellers))

    def expand(self, players):
        del players  # all of a side move together
        return self


class AbstractPriceBids(AbstractBids):
    """Bids whose moments are the prices themselves."""

    def clock(self, moment):
        return moment, jnp.ones_like(moment)

    def moment(self, price):
        return price

    def moment_of(self, side, types):
        return self.report(side, types)


class AbstractBidCurves(AbstractBids):
    """Bids and asks that first-order conditions pin down."""

    @abstractmethod
    def path(self, lowest_cost: Array, highest_value: Array) -> Path:
        """Where the first-order conditions are imposed, among prices at which trade is possible."""

    @abstractmethod
    def increasing(self) -> Array:
        """Whether both functions rise."""

    @property
    @abstractmethod
    def selection(self) -> str:
        """Which of the equilibria this class leads to."""


def require_sides(players: tuple[str, ...]) -> None:
    """Refuses bids for players who are neither buyers nor sellers."""
    if not all(name.startswith(("buyer", "seller")) for name in players):
        raise InputError("strategies", "bids and asks", f"they are for buyers and sellers, not for {players[0]}")


def sides_of(players: tuple[str, ...]) -> np.ndarray:
    """The side (N,) of each player."""
    return np.array([BUYERS if name.startswith("buyer") else SELLERS for name in players])


class AffineBids(AbstractPriceBids, AbstractBidCurves):
    """Reports intercept + slope * type: `intercept` and `slope` (2,), of buyers and of sellers, in prices and in prices
    per unit of type."""

    intercept: Array = eqx.field(converter=number("intercept"))
    slope: Array = eqx.field(converter=number("slope"))

    def __check_init__(self):
        for field in ("intercept", "slope"):
            if getattr(self, field).shape != (2,):
                raise InputError(
                    field, f"shape {getattr(self, field).shape}", "give two numbers: the buyers' and the sellers'"
                )

    def report(self, side, types):
        return self.intercept[side] + self.slope[side] * types

    def type_at(self, side, price):
        return (price - self.intercept[side]) / self.slope[side]

    def share_at(self, side, price, prior):
        return prior.cdf(self.type_at(side, price))

    def share_below(self, side, price, prior):
        return self.share_at(side, price, prior)

    def kinks(self, side, low, high):
        return self.report(side, jnp.stack([low, high]))

    @property
    def nodes(self):
        return 24

    def breaks(self, side, low, high):
        del side, low, high
        return jnp.zeros(0, self.slope.dtype)

    def path(self, lowest_cost, highest_value):
        low, high = self.report(SELLERS, lowest_cost), self.report(BUYERS, highest_value)
        price = low + (high - low) * jnp.array([0.25, 0.75], self.slope.dtype)
        one = jnp.ones_like(price)
        return Path(
            price,
            self.type_at(BUYERS, price),
            self.type_at(SELLERS, price),
            one,
            one / self.slope[BUYERS],
            one / self.slope[SELLERS],
        )

    def increasing(self):
        return jnp.all(self.slope > 1e-6)

    def check(self, players):
        require_sides(players)

    def unknowns(self, residuals):
        return residuals.ravel()

    def table(self, players):
        side = sides_of(players)
        return {"intercept": np.asarray(self.intercept)[side], "slope": np.asarray(self.slope)[side]}

    @property
    def replies_stay(self):
        return True

    @property
    def selection(self):
        return "the equilibrium in affine bids; there is a continuum of others, smooth ones and step functions"


class StepBids(AbstractPriceBids):
    """A few prices at which everybody trades (Leininger, Linhart and Radner 1989): all bids and asks are among them.

    `prices` (q,) increasing. `lowest_values` (q,): from which value on buyers bid price j; `highest_costs` (q,): up to
    which cost sellers ask it. Lower values bid `out`[0], higher costs ask `out`[1]: they stay out.
    """

    prices: Array = eqx.field(converter=number("prices"))
    lowest_values: Array = eqx.field(converter=number("lowest_values"))
    highest_costs: Array = eqx.field(converter=number("highest_costs"))
    out: Array = eqx.field(converter=number("out"))

    def __check_init__(self):
        for field in ("prices", "lowest_values", "highest_costs"):
            steps = getattr(self, field)
            if steps.ndim != 1 or steps.shape != self.prices.shape or steps.shape[0] == 0:
                raise InputError(field, f"shape {steps.shape}", "give one number for each price, at least one")
            if is_concrete(steps) and not bool(jnp.all(jnp.diff(steps) > 0)):
                raise InputError(field, f"{steps} does not increase", "give the steps from low to high")

    def report(self, side, types):
        if side == BUYERS:
            steps = jnp.append(self.out[BUYERS], self.prices)
            return steps[jnp.searchsorted(self.lowest_values, types, side="right")]
        steps = jnp.append(self.prices, self.out[SELLERS])
        return steps[jnp.searchsorted(self.highest_costs, types, side="left")]

    def type_at(self, side, price):
        return self._up_to(side, price, "right")

    def share_at(self, side, price, prior):
        return prior.cdf(self._up_to(side, price, "right"))

    def share_below(self, side, price, prior):
        return prior.cdf(self._up_to(side, price, "left"))

    def _up_to(self, side, price, ties):
        below = jnp.searchsorted(self.prices, price, side=ties)
        if side == BUYERS:
            types, stay_out = jnp.append(self.lowest_values, _EVERYBODY), price < self.out[BUYERS]
            return jnp.where(stay_out, -_EVERYBODY, types[below])
        types, all_in = jnp.append(-_EVERYBODY, self.highest_costs), price > self.out[SELLERS]
        all_in = all_in | (price == self.out[SELLERS]) if ties == "right" else all_in
        return jnp.where(all_in, _EVERYBODY, types[below])

    def kinks(self, side, low, high):
        del low, high
        return jnp.append(self.prices, self.out[side])

    @property
    def nodes(self):
        return 2

    def breaks(self, side, low, high):
        return jnp.clip(self.lowest_values if side == BUYERS else self.highest_costs, low, high)

    def check(self, players):
        del players
        raise InputError("strategies", "step functions have no first-order conditions", "use `step_bids` and `regret`")

    def unknowns(self, residuals):
        return residuals.ravel()

    def table(self, players):
        side = sides_of(players)
        steps = {"lowest value": np.asarray(self.lowest_values), "highest cost": np.asarray(self.highest_costs)}
        return {
            f"at {price:.4g}": np.where(side == BUYERS, steps["lowest value"][j], steps["highest cost"][j])
            for j, price in enumerate(np.asarray(self.prices))
        }

    @property
    def replies_stay(self):
        return False


class TabulatedBids(AbstractPriceBids):
    """Bids and asks that run straight between tabulated types: `types`, `reports` and `shares` (2, t), all increasing.

    How a learned profile is looked at: an increasing net at t types of each side, with the share of the side up to each of
    them, so that integrals over prices need no distribution function.
    """

    types: Float[Array, "2 t"]
    reports: Float[Array, "2 t"]
    shares: Float[Array, "2 t"]

    def report(self, side, types):
        return jnp.interp(types, self.types[side], self.reports[side])

    def type_at(self, side, price):
        inside = jnp.interp(price, self.reports[side], self.types[side])
        first, last = self.reports[side, 0], self.reports[side, -1]
        return jnp.where(price < first, -_EVERYBODY, jnp.where(price >= last, _EVERYBODY, inside))

    def share_at(self, side, price, prior):
        del prior
        inside = jnp.interp(price, self.reports[side], self.shares[side])
        first, last = self.reports[side, 0], self.reports[side, -1]
        return jnp.where(price < first, 0.0, jnp.where(price >= last, 1.0, inside))

    def share_below(self, side, price, prior):
        return self.share_at(side, price, prior)

    def kinks(self, side, low, high):
        del low, high
        return self.reports[side]

    @property
    def nodes(self):
        return 4

    def breaks(self, side, low, high):
        return jnp.clip(self.types[side], low, high)

    def check(self, players):
        del players
        raise InputError("strategies", "tabulated bids have no first-order conditions", "use `regret` on them")

    def unknowns(self, residuals):
        return residuals.ravel()

    def table(self, players):
        return {
            "lowest": np.asarray(self.reports)[sides_of(players), 0],
            "highest": np.asarray(self.reports)[sides_of(players), -1],
        }

    @property
    def replies_stay(self):
        return False
