r"""The division of items by players who plan ahead, to learn on: every turn's proposal and the least they would take.

Player j's plan for its turn s is the fraction f_jsk of each kind k that it would keep, and a reservation r_js, the least
share of what the pool is worth to it for which it accepts (zero or less: anything). The mover at turn t (counted from 0;
players alternate) finds the partner's proposal of turn t - 1, is offered x_t = i - (what the partner keeps), worth the share

    sigma_t = sum_k v_jk x_tk / sum_k v_jk i_k,                                                             (1)

accepts with chance a_t (a_0 = 0), and else proposes. With h_t the chance that turn t is the last, turn t is reached with
chance q_0 = 1, q_{t+1} = q_t (1 - a_t)(1 - h_t), and what players hold is, on average over the deadline,

    E held = sum_t q_t a_t held_t,    payoff_j = sum_k v_jk E held_jk,                                      (2)

since payoffs are linear in items. In `PlannedNegotiation` items are whole, i f rounded, and a_t is 1 where sigma_t >= r: it
is `ItemNegotiation` played by `Planned` agents. In `SoftNegotiation` items are divisible and a_t = 1 / (1 + e^{-(sigma_t -
r)/width}), so that derivatives of a play see who accepts.

With a deadline of N turns known to all, whoever moves at turn N accepts anything, so the mover at turn N - 1 keeps all that
has a value to it, and its partner waits for nothing: in every subgame-perfect equilibrium the *last proposer* takes all (3),
whatever was said before (cf. Stahl 1972 on finite alternating offers). Items that are worth nothing to it may go either way.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms.bargaining.item_agents import SLACK
from dcg_econ.mechanisms.bargaining.item_divisions import ItemOutcome
from dcg_econ.mechanisms.bargaining.item_negotiation import MOVERS, ItemMove, ItemNegotiation, ItemView
from dcg_econ.mechanisms.bargaining.item_priors import (
    AbstractItemPrior,
    Deadline,
    IndependentItems,
    ItemTypes,
    deadline,
)
from dcg_econ.priors import number


class Plans(NamedTuple):
    """Of each player and each of its m turns: fractions of the kinds `kept` (2, m, kinds), and reservation shares (2, m)."""

    kept: Array
    reserve: Array


class Planned(NamedTuple):
    """Plans, and what they are carried out on."""

    plans: Plans
    types: ItemTypes


class Shown(NamedTuple):
    """What each player knows: the pool, and its own values, (2, kinds) each."""

    pool: Array
    values: Array


class AbstractPlannedGame(AbstractGame):
    """What the exact and the softened game share."""

    @abstractmethod
    def negotiation(self) -> ItemNegotiation:
        """The game that is planned for."""

    @abstractmethod
    def carried_out(self, kept: Float[Array, "*b kinds"], pool: Array) -> Array:
        """The items that a player keeps who plans to keep the fractions `kept`."""

    @abstractmethod
    def acceptance(self, shares: Float[Array, " T"], reserve: Float[Array, " T"]) -> Float[Array, " T"]:
        """The chance that the share offered at each turn is accepted."""

    @property
    def players(self):
        return self.negotiation().players

    def sample_types(self, key):
        return self.negotiation().sample_types(key)

    def known(self, types):
        return Shown(jnp.broadcast_to(types.pool, types.values.shape), types.values)

    def handed_in(self, actions, types):
        return Planned(actions, types)

    def outcome(self, reports):
        (plans, types), game = reports, self.negotiation()
        turns = jnp.arange(game.deadline.horizon)
        mover, place = turns % MOVERS, turns // MOVERS
        kept = self.carried_out(plans.kept[mover, place], types.pool)  # (T, kinds)
        offered = jnp.concatenate([jnp.zeros_like(kept[:1]), (types.pool - kept)[:-1]])  # to the mover
        shares = _share(types.values[mover], offered, types.pool)
        accepts = jnp.where(turns > 0, self.acceptance(shares, plans.reserve[mover, place]), 0)
        goes_on = (1 - accepts) * (1 - game.deadline.hazard(turns))
        reached = jnp.concatenate([jnp.ones(1), jnp.cumprod(goes_on)[:-1]])
        agreed = reached * accepts
        to_mover = jnp.where(mover[:, None, None] == jnp.arange(MOVERS)[:, None], offered[:, None], 0)
        to_other = jnp.where(mover[:, None, None] != jnp.arange(MOVERS)[:, None], (types.pool - offered)[:, None], 0)
        return ItemOutcome(jnp.sum(agreed[:, None, None] * (to_mover + to_other), 0), jnp.sum(agreed))

    def settled(self, outcome):
        return jnp.isfinite(outcome.agreed)

    def payoffs(self, types, outcome):
        return self.negotiation().payoffs(types, outcome)

    def welfare(self, types, outcome):
        return self.negotiation().welfare(types, outcome)

    def first_best(self, types):
        return self.negotiation().first_best(types).astype(float)


class PlannedNegotiation(AbstractPlannedGame):
    """`ItemNegotiation` of whole items by players who plan; `items` and `deadline` as there.

    `agreed` in an outcome is the chance that talks do not break down, `held` (2, kinds) the expected items.
    """

    items: AbstractItemPrior = eqx.field(default_factory=IndependentItems)
    deadline: Deadline = eqx.field(converter=deadline, default_factory=Deadline.poisson)

    def __check_init__(self):
        if self.deadline.horizon < MOVERS:
            raise InputError("deadline", "one turn", "give two turns or more: nobody can accept at the first")

    @property
    def continuous(self):
        return False

    @property
    def own_turns(self) -> int:
        """Turns m that a plan has room for."""
        return -(-self.deadline.horizon // MOVERS)

    def negotiation(self):
        return ItemNegotiation(self.items, self.deadline)

    def carried_out(self, kept, pool):
        return jnp.round(kept * pool)

    def acceptance(self, shares, reserve):
        return (shares >= reserve - SLACK).astype(shares.dtype)

    def last_proposer(self) -> Array:
        """The player who takes all in equilibrium (3); raises `InputError` unless one deadline is known to all."""
        weights = self.deadline.weights
        if is_concrete(weights) and int(jnp.sum(weights > 0)) > 1:
            raise InputError("deadline", "a number of turns that is not known to all", "give one number of turns")
        return self.deadline.last() % MOVERS  # turn N - 1 of N, counted from one


class SoftNegotiation(AbstractPlannedGame):
    """`planned` with divisible items and acceptance softened over `width`, a share of the pool's worth."""

    planned: PlannedNegotiation
    width: Array = eqx.field(converter=number("width"), default=0.02)

    def __check_init__(self):
        require_positive("width", self.width)

    @property
    def continuous(self):
        return True

    def negotiation(self):
        return self.planned.negotiation()

    def carried_out(self, kept, pool):
        return kept * pool

    def acceptance(self, shares, reserve):
        return jax.nn.sigmoid((shares - reserve) / self.width)


class PlanAgent(eqx.Module):
    """An agent of `ItemNegotiation` who follows player `player`'s part of `plans`."""

    plans: Plans
    player: int = eqx.field(static=True)

    def __call__(self, view: ItemView, key: Any) -> ItemMove:
        del key
        place = view.turn // MOVERS
        share = _share(view.values, view.offer, view.pool)
        kept = jnp.round(self.plans.kept[self.player, place] * view.pool).astype(view.pool.dtype)
        accept = view.standing & (share >= self.plans.reserve[self.player, place] - SLACK)
        return ItemMove(accept, kept, jnp.zeros_like(view.heard))


def _share(values, offered, pool):
    """The share (1) of the pool's worth; zero of a pool that is worth nothing."""
    whole = jnp.sum(values * pool, -1)
    return jnp.sum(values * offered, -1) / jnp.where(whole > 0, whole, 1)
