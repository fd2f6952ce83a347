r"""Two players divide a surplus S by making offers in turn.

In a round one player proposes: it asks x_i for itself and leaves S - x_i. The other accepts, or refuses and proposes in
the next round, or leaves; if it leaves, each player i takes its outside option o_i. Player i's utility of money x after t
rounds is delta_i^t x^(1 - risk_i), the same to it as the sum d_i^t x at once, with

    d_i = delta_i^(1 / (1 - risk_i)),                                                                    (1)

so risk aversion works like impatience. Payoffs and welfare are in such sums, in units of S. Let i propose and j answer
in round t. Strategies are an ask x_i and a least y_j that j accepts, and in a subgame-perfect equilibrium

    x_i[t] = S - y_j[t],                                                                                 (2)
    y_j[t] = max(o_j, d_j x_j[t+1]):                                                                     (3)

the proposer leaves the other just what it accepts, and that is what refusing is worth to it. With T rounds (Stahl 1972)
the last one has y_j[T] = o_j and backward induction gives the rest. Without a horizon (Rubinstein 1982) the equilibrium
is the stationary solution of (2) and (3), the only one; without outside options

    x_i = S (1 - d_j) / (1 - d_i d_j).                                                                   (4)

An outside option below d_j x_j of (4) changes nothing; a better one is exactly what j gets when it answers (Binmore,
Rubinstein and Wolinsky 1986; Shaked 1994). Where the two are equal the maximum in (3) has a kink, and what is reported is
the derivative on the side where the option changes nothing. As rounds of length h become short, delta_i = exp(-r_i h),
the division becomes the asymmetric Nash bargaining solution with weights 1/r_i for the utilities x^(1 - risk_i).

Regret is over one-shot deviations in every subgame: for the proposer of what it asks, for the other of its answer to the
offer at which its least acceptable amount costs it most. Payoffs are pieces of lines in these reports, so that second
derivatives are zero.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.agents.offers import Offers, OffersByRound, StationaryOffers
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.priors import number

_GRID = 33  # reports at which a best deviation is looked for, besides the kinks of the payoff
_REPEATS = 3  # rounds after which stationary offers have led to whatever they lead to


class Turn(NamedTuple):
    """Who proposes, 0 for player 1 and 1 for player 2, and in which round, counted from 0."""

    proposer: Array
    round: Array


class OfferReports(NamedTuple):
    """The plans of both players and the turn at which play begins."""

    offers: Offers
    turn: Turn


class Division(NamedTuple):
    """What each gets (..., 2) in money, after how many rounds of `delay`, and whether by agreement."""

    money: Array
    delay: Array
    agreed: Array


class AlternatingOffers(AbstractMechanism):
    """Rubinstein's game, and Stahl's with a `horizon`; see the head of this file.

    `delta` (2,): discount factors for one round, in [0, 1). `risk` (2,): relative risk aversion, in [0, 1). `outside`
    (2,): money that each gets if either leaves. `size`: the money to divide. `first_mover`: the probability that player 1
    proposes first. `horizon`: the number of rounds, None for no end (with one, `delta` may be 1). One number for a field
    of two is for both. The conditions of T rounds are solved as one dense system of 4T, meant for T up to some hundred.
    """

    delta: Array = eqx.field(converter=lambda value: _pair("delta", value))
    risk: Array = eqx.field(converter=lambda value: _pair("risk", value), default=(0.0, 0.0))
    outside: Array = eqx.field(converter=lambda value: _pair("outside", value), default=(0.0, 0.0))
    size: Array = eqx.field(converter=number("size"), default=1.0)
    first_mover: Array = eqx.field(converter=number("first_mover"), default=1.0)
    horizon: int | None = eqx.field(converter=lambda value: _rounds_or_none(value), static=True, default=None)

    def __check_init__(self):
        for field, shape in (("delta", (2,)), ("risk", (2,)), ("outside", (2,)), ("size", ()), ("first_mover", ())):
            value = getattr(self, field)
            if value.shape != shape:
                numbers = "two numbers" if shape else "one number"
                raise InputError(field, f"shape {value.shape}", f"give {numbers}; for many games use jax.vmap")
            require_finite(field, value)
        require_positive("size", self.size)
        require_positive("delta", self.delta, strict=False)
        require_positive("outside", self.outside, strict=False)
        self._check_ranges()

    def _check_ranges(self):
        if is_concrete(self.delta):
            largest = float(jnp.max(self.delta))
            if largest >= 1 and self.horizon is None:
                raise InputError(
                    "delta", f"found {largest:g}", "no unique equilibrium: give delta below one, or a horizon"
                )
            if largest > 1:
                raise InputError("delta", f"found {largest:g}", "give discount factors of at most one")
        if is_concrete(self.risk) and not bool(jnp.all((self.risk >= 0) & (self.risk < 1))):
            raise InputError("risk", f"found {self.risk}", "give relative risk aversion in [0, 1)")
        if is_concrete(self.first_mover) and not 0 <= float(self.first_mover) <= 1:
            raise InputError("first_mover", f"found {float(self.first_mover):g}", "give a probability")
        if is_concrete(self.outside, self.size) and float(jnp.sum(self.outside)) > float(self.size):
            sums = f"together {float(jnp.sum(self.outside)):g}, more than size = {float(self.size):g}"
            raise InputError(
                "outside", f"{sums}, so that no agreement is possible", "lower an outside option or raise `size`"
            )

    @property
    def players(self):
        return ("player 1", "player 2")

    @property
    def patience(self) -> Array:
        """(1): what money one round later is worth now, (2,)."""
        return self.delta ** (1 / (1 - self.risk))

    @property
    def continuous(self):
        return False

    def sample_types(self, key):
        second = jax.random.uniform(key, (), self.first_mover.dtype) >= self.first_mover
        return Turn(second.astype(int), jnp.zeros((), int))

    def spliced(self, own, player, others):
        del player, others  # nothing is private: the turn is common knowledge
        return own

    def situations(self, profile):
        """Every subgame that begins with a proposal, by proposer and round, equally weighted: perfection asks for all."""
        del profile
        rounds = 1 if self.horizon is None else self.horizon
        turns = Turn(jnp.tile(jnp.arange(2), rounds), jnp.repeat(jnp.arange(rounds), 2))
        return turns, jnp.full(2 * rounds, 1 / (2 * rounds), self.size.dtype)

    def expectations(self, profile):
        def after(proposer):
            turn = Turn(jnp.asarray(proposer), jnp.asarray(0))
            return self._worth(self.outcome(self.reports(profile, turn)))

        payoffs = self.first_mover * after(0) + (1 - self.first_mover) * after(1)
        return payoffs, jnp.sum(payoffs)

    def expected_first_best(self):
        return self.size

    def known(self, types):
        return (jnp.arange(2) == types.proposer).astype(self.size.dtype)

    def handed_in(self, actions, types):
        return OfferReports(actions, types)

    def outcome(self, reports):
        followed, _ = self._course(reports.offers)
        at = (reports.turn.round, reports.turn.proposer)
        return jax.tree.map(lambda leaf: leaf[at], followed)

    def settled(self, outcome):
        return jnp.all(jnp.isfinite(outcome.money))

    def payoffs(self, types, outcome):
        del types
        return self._worth(outcome)

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome))

    def first_best(self, types):
        del types
        return self.size

    def initial_profile(self):
        half = jnp.broadcast_to(self.size / 2, (2,))
        if self.horizon is None:
            return StationaryOffers(half, half)

        def back(accept, _):
            ask = self.size - accept[::-1]
            return jnp.maximum(self.outside, self.patience * ask), (ask, accept)

        _, (ask, accept) = jax.lax.scan(back, self.outside, None, length=self.horizon, reverse=True)
        return OffersByRound(ask.T, accept.T)

    def bind(self, profile):
        return profile

    def residuals(self, own, others):
        mine, left = self._plan(own), self.size - self._plan(others).accept[::-1]
        now = (slice(None), None) if left.ndim == 2 else slice(None)
        later = left if self.horizon is None else left[:, 1:]
        worth = self.patience[now] * later
        worth = jnp.where(self.outside[now] > worth, self.outside[now], worth)
        if self.horizon is not None:
            worth = jnp.concatenate([worth, self.outside[now]], axis=1)
        gaps = jnp.stack([mine.ask - left, mine.accept - worth], axis=1)  # (2) and (3)
        return gaps.reshape(2, -1)

    def admissible(self, profile):
        slack = self._slack()
        inside = jnp.stack([jnp.all((x >= -slack) & (x <= self.size + slack)) for x in jax.tree.leaves(profile)])
        ends = True if self.horizon is not None else jnp.all(self.delta < 1)
        return jnp.all(inside) & ends & (jnp.sum(self.outside) <= self.size)

    def prepared(self, profile):
        return profile

    def facing(self, profile, player, types):
        offers = profile(self.known(types))
        _, refused = self._course(offers)
        i, j = types.proposer, 1 - types.proposer
        refusal = self._worth(jax.tree.map(lambda leaf: leaf[types.round, i], refused))
        _, accepts = self._rounds(offers)
        least = accepts[types.round, j]
        # The costliest offers to j lie at its own threshold: a lower one accepts them there, a higher one refuses.
        offer = jnp.clip(least, 0, self.size)
        worst = jnp.minimum(offer, refusal[j])

        def payoff(report):
            asking = jnp.where(self.size - report >= least - self._slack(), report, refusal[i])
            answering = jnp.where(report < offer, offer, jnp.where(report > offer, refusal[j], worst))
            return jnp.where(player == i, asking, answering)

        return payoff

    def own_report(self, profile, player, types):
        asks, accepts = self._rounds(profile(self.known(types)))
        offer = jnp.clip(accepts[types.round, player], 0, self.size)
        return jnp.where(player == types.proposer, asks[types.round, player], offer)

    def report_grid(self, profile, player, types):
        _, accepts = self._rounds(profile(self.known(types)))
        kinks = jnp.stack([self.size - accepts[types.round, 1 - player], self.own_report(profile, player, types)])
        even = self.size * jnp.asarray(np.linspace(0, 1, _GRID), self.size.dtype)
        return jnp.sort(jnp.concatenate([even, jnp.clip(kinks, 0, self.size)]))

    def no_equilibrium(self):
        return (
            "no subgame-perfect equilibrium was found in this class of strategies: let `delta` lie below one (or give a "
            "`horizon`) and the outside options sum to `size` at most; unequal players need one ask and threshold each"
        )

    def selection(self, profile):
        del profile
        if self.horizon is None:
            return "the stationary subgame-perfect equilibrium; no other is subgame-perfect"
        return "the subgame-perfect equilibrium, by backward induction"

    def _slack(self):
        """Rounding in offers: a proposal that leaves this much less than the other's threshold is accepted."""
        return 32 * jnp.finfo(self.size.dtype).eps * self.size

    def _plan(self, profile) -> Offers:
        """The offers of a profile that can be solved for: stationary without a horizon, by round with one."""
        offers = profile(self.known(Turn(jnp.asarray(0), jnp.asarray(0))))
        if (offers.ask.ndim == 2) != (self.horizon is not None):
            raise InputError(
                "strategies",
                f"{type(profile).__name__} for horizon {self.horizon}",
                "give StationaryOffers without a horizon, OffersByRound with one",
            )
        self._rounds(offers)
        return offers

    def _rounds(self, offers: Offers) -> tuple[Array, Array]:
        """Asks and thresholds by round and player (T, 2); stationary offers are repeated."""
        if offers.ask.ndim == 1:
            rounds = _REPEATS if self.horizon is None else self.horizon
            return jnp.broadcast_to(offers.ask, (rounds, 2)), jnp.broadcast_to(offers.accept, (rounds, 2))
        if offers.ask.shape != (2, self.horizon):
            raise InputError(
                "strategies",
                f"offers for {offers.ask.shape[1]} rounds where horizon = {self.horizon}",
                "give as many rounds as the horizon has, and StationaryOffers where there is none",
            )
        return offers.ask.T, offers.accept.T

    def _worth(self, division: Division) -> Array:
        """Present sums (..., 2) of what is received after a delay."""
        late = division.delay[..., None] > 0
        periods = jnp.where(late, division.delay[..., None], 1.0)
        return jnp.where(late, self.patience**periods, 1.0) * division.money

    def _course(self, offers: Offers) -> tuple[Division, Division]:
        """What follows each round and proposer (T, 2): on the plan, and if the proposal of that round is refused."""
        asks, accepts = self._rounds(offers)
        accepted = self.size - asks >= accepts[:, ::-1] - self._slack()

        def back(refused, this):
            ask, yes = this
            money = jnp.where(jnp.eye(2, dtype=bool), ask[:, None], self.size - ask[:, None])
            followed = Division(
                jnp.where(yes[:, None], money, refused.money),
                jnp.where(yes, 0.0, refused.delay),
                yes | refused.agreed,
            )
            return self._answered(jax.tree.map(lambda leaf: leaf[::-1], followed)), (followed, refused)

        # Nobody agrees any more: who refused leaves if that is worth anything, or else the other does a round later.
        delay = jnp.where(self.outside[::-1] > 0, 0.0, 1.0)
        end = Division(jnp.broadcast_to(self.outside, (2, 2)), delay.astype(self.size.dtype), jnp.zeros(2, bool))
        return jax.lax.scan(back, end, (asks, accepted), reverse=True)[1]

    def _answered(self, coming: Division) -> Division:
        """After a refusal of player i's offer (rows i), when the other's proposal would lead to `coming`: the other
        leaves if its outside option is worth more to it than to go on."""
        later = coming._replace(delay=coming.delay + 1)
        going_on = self._worth(later)[jnp.arange(2), 1 - jnp.arange(2)]
        leaves = self.outside[::-1] > going_on
        return Division(
            jnp.where(leaves[:, None], self.outside, later.money),
            jnp.where(leaves, 0.0, later.delay),
            later.agreed & ~leaves,
        )


def _pair(field: str, value) -> Array:
    """Two numbers; a single one is for both players."""
    array = number(field)(value)
    return jnp.broadcast_to(array, (2,)) if array.ndim == 0 else array


def _rounds_or_none(value) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise InputError("horizon", f"{value!r} is no number of rounds", "give 1 or more, or None for no end")
