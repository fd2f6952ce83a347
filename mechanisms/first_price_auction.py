r"""The first-price sealed-bid auction: n bidders of independent private values, the highest bid wins and pays itself.

Values are drawn from one distribution F with density f on [low, high]; bids below the reserve price r are refused, and the
seller has no use for the item. A bidder of value v who wins at a bid b earns u(v - b), u of constant relative risk
aversion rho,

    u(x) = s (x / s)^(1 - rho),     s = high - low,                                                     (1)

in money (s only sets the unit; u(s) = s). Values above the lowest that takes part, v_0 = max(r, low), bid by an increasing
function with b(v_0) = v_0. The best reply to it puts the gain from winning more often against that from paying less:

    (n - 1) f(v) (v - b(v)) = (1 - rho) F(v) b'(v),                                                     (2)

whose solution, the only symmetric equilibrium, is

    b(v) = v - int_{v_0}^v [F(t) / F(v)]^{(n - 1) / (1 - rho)} dt.                                      (3)

With F uniform on [0, 1], r = 0 and rho = 0 it is (n - 1) v / n, and the expected revenue (n - 1) / (n + 1). Risk aversion
raises bids as if there were more rivals. `solve` solves (2) by collocation; (3) is what it is tested against. Sources:
Vickrey (1961); Riley and Samuelson (1981) for reserve prices and risk aversion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.bid_function import BidFunction
from dcg_econ.agents.frozen import Frozen
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms.sealed_bids import AbstractMet, MetFunction, MetTable
from dcg_econ.priors import AbstractBoundedPrior, Uniform, number

_GRID = 65  # bids at which deviations are tried, the reserve price besides
_SITUATIONS = 64  # own values at which they are tried
_NODES = 48  # of quadrature in each piece of values
_SLACK = 1e-7  # of the range of values, by which rounding may bend a bid that is flat or equals the value
_DEGREES = ((1, 96), (8, 32), (10**9, 12))  # of bids by the number of pieces, up to so many


class AuctionTypes(NamedTuple):
    """The bidders' values (n,), in money, and lots (n,) in [0, 1] that break ties."""

    values: Array
    lots: Array


class SealedBids(NamedTuple):
    """Bids (n,), in money, and lots (n,)."""

    bids: Array
    lots: Array


class AuctionOutcome(NamedTuple):
    """The highest bid (), who won (n,), 0 or 1: nobody where it is below the reserve price; and the revenue ()."""

    price: Array
    won: Array
    revenue: Array


class FirstPriceAuction(AbstractMechanism):
    """n bidders for one item, sealed bids, the highest wins and pays its bid; see the head of this file.

    `bidders` n >= 2. `values`: one prior with a density on an interval from zero up (`Uniform`, `Beta`, `TruncatedNormal`,
    `Tabulated`), in money. `reserve`: the lowest bid accepted, in money. `risk` in [0, 1): relative risk aversion.
    """

    bidders: int = eqx.field(static=True, default=2)
    values: AbstractBoundedPrior = eqx.field(default_factory=lambda: Uniform(0.0, 1.0))
    reserve: Array = eqx.field(converter=number("reserve"), default=0.0)
    risk: Array = eqx.field(converter=number("risk"), default=0.0)

    def __check_init__(self):
        if not isinstance(self.bidders, int) or self.bidders < 2:
            raise InputError("bidders", f"{self.bidders!r}", "give a whole number from two up")
        if not isinstance(self.values, AbstractBoundedPrior) or jnp.shape(self.values.mean()) != ():
            raise InputError(
                "values",
                f"{self.values!r} is no prior with a density on an interval",
                "give one Uniform, Beta ..., the same for all bidders",
            )
        for field in ("reserve", "risk"):
            if getattr(self, field).ndim > 0:
                raise InputError(
                    field, f"shape {getattr(self, field).shape}", "give one number; for many auctions use jax.vmap"
                )
        low, high = self.values.support()
        if is_concrete(low) and float(low) < 0:
            raise InputError("values", f"some are below zero, down to {float(low):g}", "give values from zero up")
        if is_concrete(self.reserve, high) and not float(self.reserve) < float(high):
            raise InputError(
                "reserve",
                f"no value exceeds {float(self.reserve):g}",
                f"give one below {float(high):g}, the highest value",
            )
        if is_concrete(self.risk) and not 0 <= float(self.risk) < 1:
            raise InputError("risk", f"found {float(self.risk):g}", "give relative risk aversion in [0, 1)")

    @property
    def players(self):
        return tuple(f"bidder {i + 1}" for i in range(self.bidders))

    @property
    def continuous(self):
        return False

    def sample_types(self, key):
        value_key, lot_key = jax.random.split(key)
        lots = jax.random.uniform(lot_key, (self.bidders,), self.reserve.dtype)
        return AuctionTypes(self.values.sample(value_key, (self.bidders,)), lots)

    def spliced(self, own, player, others):
        mine = jnp.arange(self.bidders) == player
        return AuctionTypes(jnp.where(mine, own.values, others.values), others.lots)

    def known(self, types):
        return types.values

    def handed_in(self, actions, types):
        return SealedBids(actions, types.lots)

    def outcome(self, reports):
        first = jnp.lexsort((reports.lots, reports.bids))[-1]
        price = reports.bids[first]
        sold = price >= self.reserve
        won = jnp.where((jnp.arange(self.bidders) == first) & sold, 1.0, 0.0)
        return AuctionOutcome(price, won, jnp.where(sold, price, 0.0))

    def settled(self, outcome):
        return jnp.isfinite(outcome.price)

    def payoffs(self, types, outcome):
        return outcome.won * self.utility(types.values - outcome.price)

    def welfare(self, types, outcome):
        return jnp.sum(outcome.won * types.values)

    def first_best(self, types):
        return jnp.max(types.values)

    def utility(self, gain: Array) -> Array:
        """(1), in money; losses by symmetry, which no equilibrium uses."""
        low, high = self.values.support()
        scale = high - low
        away = jnp.where(gain == 0, 1.0, jnp.abs(gain))
        return jnp.where(gain == 0, gain, jnp.sign(gain) * scale * (away / scale) ** (1 - self.risk))

    def situations(self, profile):
        del profile
        points, weights = np.polynomial.legendre.leggauss(_SITUATIONS)
        values = self.values.quantile(jnp.asarray(0.5 * (1 + points), self.reserve.dtype))
        types = AuctionTypes(*(jnp.repeat(x[:, None], self.bidders, axis=1) for x in (values, jnp.zeros_like(values))))
        return types, jnp.asarray(0.5 * weights, self.reserve.dtype)

    def expectations(self, profile):
        won = self._by_value(profile)
        density = won.weights * self.values.density(won.values)
        payoffs = density @ (won.chances * self.utility(won.values[:, None] - won.bids))
        return payoffs, jnp.sum(density @ (won.chances * won.values[:, None]))

    def expected_revenue(self, profile: Any) -> Float[Array, ""]:
        """What the seller earns in expectation when every bidder follows `profile`, in money."""
        won = self._by_value(profile)
        return jnp.sum((won.weights * self.values.density(won.values)) @ (won.chances * won.bids))

    def expected_first_best(self):
        values, weights = self._nodes(self.values.knots())
        n = self.bidders
        return n * jnp.sum(weights * self.values.density(values) * self.values.cdf(values) ** (n - 1) * values)

    def initial_profile(self):
        return self.bid_function()

    def bid_function(self, degree: int | None = None) -> BidFunction:
        """The start of `solve`: the bids (3) of a uniform prior, as series of this `degree` between the prior's knots.

        The default degrees leave an error in bids of 1e-13 of the range of values for analytic densities and up to fifty
        bidders, of 1e-7 where the density ends in a root (`Beta(1, 1.5)`).
        """
        edges = self._edges()
        pieces = edges.shape[0] - 1
        degree = degree or next(d for most, d in _DEGREES if pieces <= most)
        rivals = (self.bidders - 1) / (1 - self.risk)
        bids = edges[0] + rivals / (1 + rivals) * (edges - edges[0])
        series = jnp.zeros((pieces, degree + 1), edges.dtype)
        series = series.at[:, 0].set(0.5 * (bids[1:] + bids[:-1])).at[:, 1].set(0.5 * jnp.diff(bids))
        return BidFunction(series, Frozen(edges))

    def bind(self, profile):
        return BidFunction(profile.coefficients, Frozen(self._edges())) if isinstance(profile, BidFunction) else profile

    def residuals(self, own, others):
        if not isinstance(others, BidFunction):
            raise InputError("strategies", f"{type(others).__name__}", "give `auction.bid_function()`")
        at = own.collocation()
        rival = at.values if own is others else others.value_of(at.bids)
        slopes = at.slopes if own is others else others.slope(rival) * at.half
        more_often = (self.bidders - 1) * self.values.density(rival) * at.half
        pays = (1 - self.risk) * self.values.cdf(rival)
        # (2) over the sum of its coefficients: in money, and of one size where the density or the chance to win vanishes.
        size = more_often + pays
        conditions = (more_often * (at.values - at.bids) - pays * slopes) / jnp.where(size > 0, size, 1.0)
        return jnp.concatenate([conditions.ravel(), own.jumps()])[None]

    def admissible(self, profile):
        at, scale = profile.collocation(), self.values.support()[1] - self.values.support()[0]
        return jnp.all(at.slopes >= -_SLACK * scale) & jnp.all(at.bids <= at.values + _SLACK * scale)

    def prepared(self, profile):
        if isinstance(profile, AbstractMet):
            return profile
        if isinstance(profile, BidFunction):
            return MetFunction(profile, self.values, self.bidders)
        return MetTable(profile, self.values, self.bidders)

    def facing(self, profile, player, types):
        met = self.prepared(profile)
        own, mine = types.values[player], jnp.arange(self.bidders) == player

        def payoff(bid):
            chance = jnp.prod(jnp.where(mine, 1.0, met.shares_below(bid)))
            return jnp.where(bid >= self.reserve, chance, 0.0) * self.utility(own - bid)

        return payoff

    def own_report(self, profile, player, types):
        return profile(self.known(types))[player]

    def report_grid(self, profile, player, types):
        del player, types
        low, high = self.values.support()
        top = jnp.max(profile(jnp.full(self.bidders, high)))
        grid = jnp.linspace(jnp.minimum(low, top), jnp.maximum(low, top), _GRID)
        return jnp.sort(jnp.append(grid, self.reserve))

    def no_equilibrium(self):
        return (
            "no increasing bids were found: start from `auction.bid_function(degree=...)` with a higher degree, for many "
            "bidders or much risk aversion"
        )

    def selection(self, profile):
        del profile
        return "the symmetric equilibrium in increasing bids, the only symmetric one"

    def _edges(self) -> Float[Array, " e"]:
        """The prior's knots, from the lowest value that takes part."""
        knots = self.values.knots()
        return jnp.where(self.reserve > knots, self.reserve, knots)

    def _nodes(self, edges):
        """Gauss-Legendre nodes and weights between the edges."""
        points, weights = np.polynomial.legendre.leggauss(_NODES)
        half = 0.5 * jnp.diff(edges)[:, None]
        nodes = edges[:-1, None] + half * (1 + jnp.asarray(points, edges.dtype))
        return nodes.ravel(), (half * jnp.asarray(weights, edges.dtype)).ravel()

    def _by_value(self, profile) -> _Won:
        met = self.prepared(profile)
        values, weights = self._nodes(self._edges())
        bids = jax.vmap(lambda value: profile(jnp.full(self.bidders, value)))(values)

        def chance(bid):
            others = jnp.where(jnp.eye(self.bidders, dtype=bool), 1.0, jax.vmap(met.shares_below)(bid))
            return jnp.where(bid >= self.reserve, jnp.prod(others, axis=1), 0.0)

        return _Won(values, weights, bids, jax.vmap(chance)(bids))


class _Won(NamedTuple):
    """At nodes of values (k,) with weights (k,): every bidder's bid (k, n) and its chance to win (k, n)."""

    values: Array
    weights: Array
    bids: Array
    chances: Array
