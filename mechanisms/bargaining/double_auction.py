r"""Double-blind bargaining: the k-double auction of m buyers and n sellers of one unit each.

Buyer i values a unit at v_i ~ F and bids b_i; seller j has cost c_j ~ G and asks a_j; all types are independent and
private. The m + n offers are sorted, s_1 <= ... <= s_{m+n}; the n highest offers end with the n units, at the price

    p = (1 - k) s_m + k s_{m+1}                                                                         (1)

(with m = n = 1: trade where b >= a at k b + (1 - k) a). A bid and an ask at the same price trade; ties on one side are
broken by lot, each with the same chance. At a price p let v(p) be the value that bids it and c(p) the cost that asks it,
B = F(v(p)) and S = G(c(p)). With exactly(j; x, y) the chance that j of x bids and y asks are below p, best replies solve

    (v - p) [(m-1) exactly(m-1; m-2, n) dB/dp + n exactly(m-1; m-1, n-1) dS/dp] = k exactly(m; m-1, n)           (2)
    (p - c) [m exactly(m-1; m-1, n-1) dB/dp + (n-1) exactly(m-1; m, n-2) dS/dp] = (1-k) exactly(m-1; m, n-1)      (3)

the gain from overtaking another offer against the cost of a worse price when the own offer sets it. With m = n = 1 these
are (v - p) g c' = k G and (p - c) f v' = (1 - k) (1 - F). For F and G uniform on [0, 1] the affine solution is

    b(v) = v/(1+k) + k(1-k)/(2(1+k)),     a(c) = c/(2-k) + (1-k)/2,                                       (4)

Solutions of (2) and (3) are many: through every
interior (p, v, c) passes one (Satterthwaite and Williams 1989), and step functions are equilibria too (Leininger, Linhart
and Radner 1989). Sources: Chatterjee and Samuelson (1983) for m = n = 1; Rustichini, Satterthwaite and Williams (1994).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.bids import BUYERS, SELLERS, AbstractBidCurves, AbstractBids, AffineBids, Sides, TabulatedBids
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.mechanisms.bargaining.opposition import Faced, Opposition, exactly, expected_payoff
from dcg_econ.mechanisms.bargaining.shooting import Terms, regular_mark, shoot
from dcg_econ.priors import AbstractBoundedPrior, Uniform, number

_GRID = 65  # prices at which deviations are tried, besides those of the others' offers
_SITUATIONS = 64  # own types at which they are tried
_DEGREE = 128  # of the series of smooth bids
_TABLE = 129  # types at which a learned profile is looked at


class TradeTypes(NamedTuple):
    """The buyers' values (m,), the sellers' costs (n,), and lots (m + n,) in [0, 1] that break ties."""

    values: Array
    costs: Array
    lots: Array


class Offers(NamedTuple):
    """Bids (m,), asks (n,) and lots (m + n,)."""

    bids: Array
    asks: Array
    lots: Array


class TradeOutcome(NamedTuple):
    """The price (), who bought (m,) and who sold (n,), each 0 or 1; without trade the price is hypothetical."""

    price: Array
    bought: Array
    sold: Array


class DoubleAuction(AbstractMechanism):
    """m buyers and n sellers of one unit each, sealed bids and asks, one price; see the head of this file.

    `k` in [0, 1]: the weight of the marginal bid in the price. `values`, `costs`: priors with a density on an interval
    (`Uniform`, `Beta`, `TruncatedNormal`, `Tabulated`), in money. `buyers` m and `sellers` n.
    """

    k: Array = eqx.field(converter=number("k"), default=0.5)
    values: AbstractBoundedPrior = eqx.field(default_factory=lambda: Uniform(0.0, 1.0))
    costs: AbstractBoundedPrior = eqx.field(default_factory=lambda: Uniform(0.0, 1.0))
    buyers: int = eqx.field(static=True, default=1)
    sellers: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        if self.k.ndim > 0:
            raise InputError("k", f"shape {self.k.shape}", "give one number; for many auctions use jax.vmap")
        if is_concrete(self.k) and not 0 <= float(self.k) <= 1:
            raise InputError("k", f"{float(self.k):g} is outside [0, 1]", "it is the weight of the bid in the price")
        for field in ("values", "costs"):
            given = getattr(self, field)
            if not isinstance(given, AbstractBoundedPrior) or jnp.shape(given.mean()) != ():
                raise InputError(
                    field, f"{given!r} is no prior with a density on an interval", "give one Uniform, Beta ..."
                )
        for field in ("buyers", "sellers"):
            if not isinstance(getattr(self, field), int) or getattr(self, field) < 1:
                raise InputError(field, f"{getattr(self, field)!r}", "give a whole number above zero")
        (_, highest), (lowest, _) = self.values.support(), self.costs.support()
        if is_concrete(highest, lowest) and not bool(highest > lowest):
            raise InputError(
                "values",
                f"no value exceeds {float(highest):g} and no cost is below {float(lowest):g}: no trade is possible",
                "raise the values or lower the costs until their supports overlap",
            )

    @property
    def players(self):
        buyers = tuple(f"buyer {i + 1}" for i in range(self.buyers))
        sellers = tuple(f"seller {j + 1}" for j in range(self.sellers))
        return ("buyer", "seller") if (self.buyers, self.sellers) == (1, 1) else buyers + sellers

    @property
    def continuous(self):
        return False

    def sample_types(self, key):
        value_key, cost_key, lot_key = jax.random.split(key, 3)
        lots = jax.random.uniform(lot_key, (self.buyers + self.sellers,), self.k.dtype)
        return TradeTypes(
            self.values.sample(value_key, (self.buyers,)), self.costs.sample(cost_key, (self.sellers,)), lots
        )

    def spliced(self, own, player, others):
        mine = jnp.arange(self.buyers + self.sellers) == player
        return TradeTypes(
            jnp.where(mine[: self.buyers], own.values, others.values),
            jnp.where(mine[self.buyers :], own.costs, others.costs),
            others.lots,
        )

    def known(self, types):
        return Sides(types.values, types.costs)

    def handed_in(self, actions, types):
        return Offers(actions.buyers, actions.sellers, types.lots)

    def outcome(self, reports):
        m = self.buyers
        offers = jnp.concatenate([reports.bids, reports.asks])
        is_bid = jnp.arange(m + self.sellers) < m
        order = jnp.lexsort((reports.lots, is_bid, offers))
        rank = jnp.argsort(order)
        ordered = offers[order]
        price = (1 - self.k) * ordered[m - 1] + self.k * ordered[m]
        holds = jnp.asarray(rank >= m, offers.dtype)
        return TradeOutcome(price, holds[:m], 1 - holds[m:])

    def settled(self, outcome):
        return jnp.isfinite(outcome.price)

    def payoffs(self, types, outcome):
        gains = outcome.bought * (types.values - outcome.price), outcome.sold * (outcome.price - types.costs)
        return jnp.concatenate(gains)

    def welfare(self, types, outcome):
        return jnp.sum(outcome.bought * types.values) - jnp.sum(outcome.sold * types.costs)

    def first_best(self, types):
        size = min(self.buyers, self.sellers)
        best, cheapest = jnp.sort(types.values)[::-1][:size], jnp.sort(types.costs)[:size]
        return jnp.sum(jnp.maximum(best - cheapest, 0))

    def situations(self, profile):
        del profile
        points, weights = np.polynomial.legendre.leggauss(_SITUATIONS)
        share = jnp.asarray(0.5 * (1 + points), self.k.dtype)
        values = jnp.repeat(self.values.quantile(share)[:, None], self.buyers, axis=1)
        costs = jnp.repeat(self.costs.quantile(share)[:, None], self.sellers, axis=1)
        lots = jnp.zeros((_SITUATIONS, self.buyers + self.sellers), self.k.dtype)
        return TradeTypes(values, costs, lots), jnp.asarray(0.5 * weights, self.k.dtype)

    def expectations(self, profile):
        faced = self.prepared(profile)
        buyer = expected_payoff(faced.by_side[BUYERS], faced.bids, self.values)
        seller = expected_payoff(faced.by_side[SELLERS], faced.bids, self.costs)
        payoffs = jnp.concatenate([jnp.full(self.buyers, buyer), jnp.full(self.sellers, seller)])
        return payoffs, jnp.sum(payoffs)

    def expected_first_best(self):
        truth = AffineBids(jnp.zeros(2, self.k.dtype), jnp.ones(2, self.k.dtype))
        return self.expectations(truth)[1]

    def initial_profile(self):
        low, high = self.terms.range()
        uniform = isinstance(self.values, Uniform) and isinstance(self.costs, Uniform)
        if not uniform and is_concrete(self.k) and 0 < float(self.k) < 1:
            return shoot(self.terms, regular_mark(self.terms, 0.5 * (low + high)), _DEGREE)
        slope = jnp.stack([1 / (1 + self.k), 1 / (2 - self.k)])  # (4), moved to the range of possible trades
        shade = 0.5 * (1 - self.k) * jnp.stack([self.k / (1 + self.k), jnp.ones_like(self.k)])
        return AffineBids(low + (high - low) * shade - slope * low, slope)

    def bind(self, profile):
        return profile

    def residuals(self, own, others):
        if not isinstance(others, AbstractBidCurves):
            raise InputError("strategies", f"{type(others).__name__}", "give dcg.AffineBids or `smooth_bids(...)`")
        m, n = self.buyers, self.sellers
        at = others.path(*self.terms.range())
        value, cost = (
            (at.value, at.cost) if own is others else (own.type_at(s, own.moment(at.price)) for s in (BUYERS, SELLERS))
        )
        f, g = self.values.density(at.value), self.costs.density(at.cost)
        below = self.values.cdf(at.value), self.costs.cdf(at.cost)
        both = exactly(m - 1, m - 1, n - 1, below)
        bids_met = (m - 1) * exactly(m - 1, m - 2, n, below) * f * at.d_value + n * both * g * at.d_cost
        asks_met = m * both * f * at.d_value + (n - 1) * exactly(m - 1, m, n - 2, below) * g * at.d_cost
        sets_bid = self.k * exactly(m, m - 1, n, below) * at.d_price
        sets_ask = (1 - self.k) * exactly(m - 1, m, n - 1, below) * at.d_price
        # (2) over the density of the cost, (3) over that of the value: they stay of one size where either chance vanishes.
        return jnp.stack(
            [((value - at.price) * bids_met - sets_bid) / g, ((at.price - cost) * asks_met - sets_ask) / f]
        )

    def admissible(self, profile):
        lowest_ask = profile.report(SELLERS, self.costs.support()[0])
        return profile.increasing() & (profile.report(BUYERS, self.values.support()[1]) > lowest_ask)

    def prepared(self, profile):
        if isinstance(profile, Faced):
            return profile
        bids = self.bids_of(profile)
        return Faced(profile, bids, (self.opposition(BUYERS, bids), self.opposition(SELLERS, bids)))

    def facing(self, profile, player, types):
        faced = self.prepared(profile)

        def payoff(report):
            moment = faced.bids.moment(report)
            as_buyer = faced.by_side[BUYERS].payoff(self._value(player, types), moment)
            as_seller = faced.by_side[SELLERS].payoff(self._cost(player, types), moment)
            return jnp.where(player < self.buyers, as_buyer, as_seller)

        return payoff

    def own_report(self, profile, player, types):
        reports = profile(self.known(types))
        return jnp.concatenate([reports.buyers, reports.sellers])[player]

    def report_grid(self, profile, player, types):
        del player, types
        faced = self.prepared(profile)
        knots, _ = faced.bids.clock(faced.by_side[BUYERS].knots)
        low, high = self.terms.range()
        grid = jnp.linspace(jnp.minimum(low, knots[0]), jnp.maximum(high, knots[-1]), _GRID)
        return jnp.sort(jnp.concatenate([grid, knots]))

    def no_equilibrium(self):
        return (
            "no equilibrium in this class of bids was found: affine bids suit uniform priors; for others start from "
            "`smooth_bids(auction, markup=...)`, with a `markup` between those that fail"
        )

    def selection(self, profile):
        return profile.selection if isinstance(profile, AbstractBidCurves) else "one of a continuum"

    def bids_of(self, profile: Any) -> AbstractBids:
        """The profile with its inverse: itself, or a table of it at equally spaced types, its decreases cut off."""
        if isinstance(profile, AbstractBids):
            return profile
        types = jnp.stack([jnp.linspace(*prior.support(), _TABLE) for prior in (self.values, self.costs)])

        def at(value, cost):
            reports = profile(Sides(jnp.full(self.buyers, value), jnp.full(self.sellers, cost)))
            return jnp.stack([reports.buyers[0], reports.sellers[0]])

        reports = jax.lax.cummax(jax.vmap(at, out_axes=1)(*types), axis=1)
        # Equal neighbours would leave the inverse open.
        apart = jnp.arange(_TABLE) * 64 * jnp.finfo(reports.dtype).eps * (1 + jnp.abs(reports[:, -1:]))
        shares = jnp.stack([self.values.cdf(types[BUYERS]), self.costs.cdf(types[SELLERS])])
        return TabulatedBids(types, reports + apart, shares)

    @property
    def terms(self) -> Terms:
        """What the path of smooth bids depends on."""
        return Terms(self.k, self.values, self.costs, self.buyers, self.sellers)

    def opposition(self, side: int, bids: AbstractBids) -> Opposition:
        """What a trader of `side` faces when the others bid so."""
        return Opposition(side, self.buyers, self.sellers, self.k, bids, self.values, self.costs)

    def _value(self, player, types):
        return types.values[jnp.clip(player, 0, self.buyers - 1)]

    def _cost(self, player, types):
        return types.costs[jnp.clip(player - self.buyers, 0, self.sellers - 1)]
