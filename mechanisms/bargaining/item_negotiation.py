r"""Two players divide a pool of items turn by turn, with private values, optional talk and a deadline.

The pool holds i_k items of kind k, which both see. Player j values an item of kind k at v_jk points and knows its own
values only. Player 1 moves first, then they alternate. The mover accepts what its partner last proposed, or proposes to
keep x with 0 <= x <= i and to leave i - x. It may say something, which the partner hears at the next turn and which costs
nothing. If x_j is what player j holds at agreement,

    payoff_j = sum_k v_jk x_jk,     x_1 + x_2 = i,     and 0 for both without agreement,                    (1)
    share_j = payoff_j / sum_k v_jk i_k,                                                                    (2)
    first best = sum_k i_k max(v_1k, v_2k):  each kind to the player who values it more.                    (3)

(2) is the reward of Cao et al. (2018), welfare / first best is their joint-reward fraction. Talks break down after N turns;
the players know the distribution of N only (a fixed deadline is known to all). The mover's proposal at turn N comes too
late, so that turn N is the last at which anybody can accept.

A proposal outside of 0 <= x <= i, and accepting where nothing is proposed, are refused: the turn passes, what the partner
had proposed lapses, and the partner finds no proposal. Nothing that follows an agreement or the deadline changes anything.

The game is that of Cao, Lazaridou, Lanctot, Leibo, Tuyls and Clark (2018, Emergent communication through negotiation);
`totalled_items` gives the pools and values of DeVault, Mell and Gratch (2015) and Lewis et al. (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.mechanisms.bargaining.item_divisions import Divisions, ItemOutcome, divisions_of
from dcg_econ.mechanisms.bargaining.item_priors import (
    AbstractItemPrior,
    Deadline,
    IndependentItems,
    ItemTypes,
    deadline,
    require_items,
)

MOVERS = 2


class ItemMove(NamedTuple):
    """Whether the mover accepts (), else what it would keep (kinds,), in items; and what it says, shaped like `silence`."""

    accept: Array
    kept: Array
    say: Array


class ItemState(NamedTuple):
    """A negotiation under way.

    `limit` N and `turn`, the turns taken, (); `offer` (kinds,): what the next mover holds if it accepts, none where
    `standing` () is false; `said`: the last utterance; `agreed` (); `refused` (2,): each player's refused moves.
    """

    types: ItemTypes
    limit: Array
    turn: Array
    offer: Array
    standing: Array
    said: Array
    agreed: Array
    refused: Array

    @property
    def over(self) -> Array:
        """Whether the players agreed or ran out of turns."""
        return self.agreed | (self.turn >= self.limit)


class ItemView(NamedTuple):
    """What the mover sees: pool, its own values and its partner's offer, (kinds,) each, whether that is standing, what
    it heard, the turns taken, the turns that may at most follow this one, and the chance that none does."""

    pool: Array
    values: Array
    offer: Array
    standing: Array
    heard: Array
    turn: Array
    turns_left: Array
    hazard: Array


class ItemEpisode(NamedTuple):
    """One negotiation: payoffs and shares (2,), welfare, first best and turns (), refused moves (2,); `moves` has a
    leading axis of T turns, of which the first `turns` were played."""

    types: ItemTypes
    outcome: ItemOutcome
    payoffs: Array
    shares: Array
    welfare: Array
    first_best: Array
    turns: Array
    refused: Array
    moves: ItemMove


class ItemNegotiation(eqx.Module):
    """The division of a pool of items by two players in turn; see the head of this file.

    `items`: prior of pool and values. `deadline`: a number of turns known to all, or a `Deadline`. `silence`: what is
    heard before anyone has spoken; every utterance has its shape and type, and an array of no entries rules talk out.
    """

    items: AbstractItemPrior = eqx.field(converter=lambda value: _items(value), default_factory=IndependentItems)
    deadline: Deadline = eqx.field(converter=deadline, default_factory=Deadline.poisson)
    silence: Array = eqx.field(converter=jnp.asarray, default_factory=lambda: jnp.zeros(0))

    @property
    def players(self) -> tuple[str, str]:
        return ("player 1", "player 2")

    def sample_types(self, key: Array) -> ItemTypes:
        """One pool and the players' values."""
        return self.items.sample(key)

    def start(self, key: Array) -> ItemState:
        """A negotiation with drawn types and a drawn number of turns; nothing is proposed yet."""
        type_key, limit_key = jax.random.split(key)
        return self.begin(self.sample_types(type_key), self.deadline.sample(limit_key))

    def begin(self, types: ItemTypes, limit: Int[Array, ""] | int) -> ItemState:
        """A negotiation with given types and a given number of turns; raises `InputError` where they cannot be played."""
        pool, values = jnp.asarray(types.pool), jnp.asarray(types.values, jnp.result_type(float))
        require_items(pool, values)
        if pool.shape != (self.items.kinds,):
            raise InputError("pool", f"shape {pool.shape}", f"give ({self.items.kinds},); for many use jax.vmap")
        if is_concrete(pool) and bool(jnp.any(pool > self.items.most)):
            raise InputError(
                "pool", f"{int(pool.max())} items of a kind", f"give at most {self.items.most}, `items.most`"
            )
        if is_concrete(limit) and int(limit) < 1:
            raise InputError("limit", f"found {int(limit)}", "give one turn or more")
        nothing = jnp.zeros((), bool)
        return ItemState(
            types=ItemTypes(pool, values),
            limit=jnp.asarray(limit, jnp.int32),
            turn=jnp.zeros((), jnp.int32),
            offer=jnp.zeros_like(pool),
            standing=nothing,
            said=self.silence,
            agreed=nothing,
            refused=jnp.zeros(MOVERS, jnp.int32),
        )

    def view(self, state: ItemState, player: Int[Array, ""] | int | None = None) -> ItemView:
        """What the mover sees; `player` (0 or 1) spares the look-up of whose turn it is."""
        mover = state.turn % MOVERS if player is None else player
        return ItemView(
            pool=state.types.pool,
            values=state.types.values[mover],
            offer=state.offer,
            standing=state.standing,
            heard=state.said,
            turn=state.turn,
            turns_left=jnp.maximum(self.deadline.last() - 1 - state.turn, 0),
            hazard=self.deadline.hazard(state.turn),
        )

    def step(self, state: ItemState, move: ItemMove) -> ItemState:
        """The negotiation after the mover's `move`; the same one where it is over already."""
        pool, kept, say = state.types.pool, jnp.asarray(move.kept), jnp.asarray(move.say)
        self._check_move(pool, kept, say)
        live = ~state.over
        agrees = move.accept & state.standing
        proposes = ~move.accept & jnp.all((kept >= 0) & (kept <= pool))
        refused = (live & ~agrees & ~proposes) & (jnp.arange(MOVERS) == state.turn % MOVERS)
        offer = jnp.where(agrees, state.offer, jnp.where(proposes, pool - kept, 0))
        return ItemState(
            types=state.types,
            limit=state.limit,
            turn=state.turn + live,
            offer=jnp.where(live, offer, state.offer),
            standing=jnp.where(live, agrees | proposes, state.standing),
            said=jnp.where(live, say, state.said),
            agreed=state.agreed | (live & agrees),
            refused=state.refused + refused,
        )

    def _check_move(self, pool: Array, kept: Array, say: Array) -> None:
        if kept.shape != pool.shape or not jnp.issubdtype(kept.dtype, jnp.integer):
            problem = f"shape {kept.shape} and type {kept.dtype}"
            raise InputError("kept", problem, f"give whole numbers of items, {pool.shape}")
        if say.shape != self.silence.shape or say.dtype != self.silence.dtype:
            remedy = f"give shape {self.silence.shape} and type {self.silence.dtype}, or change `silence`"
            raise InputError("say", f"shape {say.shape} and type {say.dtype}", remedy)

    def outcome(self, state: ItemState) -> ItemOutcome:
        """Who holds what at this state: nothing where the players have not agreed."""
        # The player who made the last move accepted and holds what was offered; its partner holds the rest.
        accepted = (state.turn[..., None] - 1) % MOVERS == jnp.arange(MOVERS)
        offer, pool = state.offer[..., None, :], state.types.pool[..., None, :]
        held = jnp.where(accepted[..., None], offer, pool - offer)
        return ItemOutcome(jnp.where(state.agreed[..., None, None], held, 0), state.agreed)

    def settled(self, outcome: ItemOutcome) -> Array:
        """Whether the players agreed."""
        return outcome.agreed

    def payoffs(self, types: ItemTypes, outcome: ItemOutcome) -> Float[Array, "*batch 2"]:
        """The players' payoffs (1), in points."""
        return jnp.sum(types.values * outcome.held, -1)

    def shares(self, types: ItemTypes, outcome: ItemOutcome) -> Float[Array, "*batch 2"]:
        """The players' payoffs as shares (2) of what the whole pool is worth to them; 0 where it is worth nothing."""
        whole = jnp.sum(types.values * types.pool[..., None, :], -1)
        return self.payoffs(types, outcome) / jnp.where(whole > 0, whole, 1.0)

    def welfare(self, types: ItemTypes, outcome: ItemOutcome) -> Float[Array, "*batch"]:
        """The sum of the payoffs."""
        return jnp.sum(self.payoffs(types, outcome), -1)

    def first_best(self, types: ItemTypes) -> Float[Array, "*batch"]:
        """The largest sum of payoffs (3)."""
        return jnp.sum(types.pool * jnp.max(types.values, -2), -1)

    def bargaining_set(self, types: ItemTypes) -> Divisions:
        """Every division of the pool with its payoffs, and the bargaining solutions among them."""
        return divisions_of(types, self.items.most)


def negotiate(
    game: ItemNegotiation, agents: Sequence[Callable], key: Array, start: ItemState | None = None
) -> ItemEpisode:
    """One negotiation between two agents, each `(view, key) -> move`, from a drawn state or from `start`.

    For many, use jax.vmap over keys: all episodes take their turns in step in one scan of as many turns as the deadline
    has room for.
    """
    if len(agents) != MOVERS:
        raise InputError("agents", f"{agents!r}", "give a pair of callables (view, key) -> ItemMove")
    start_key, turn_key = jax.random.split(key)
    start = game.start(start_key) if start is None else start
    horizon = game.deadline.horizon
    rounds = -(-horizon // MOVERS)

    def play_round(state, first):
        moves = []
        for player, agent in enumerate(agents):
            move = agent(game.view(state, player), jax.random.fold_in(turn_key, first + player))
            state = game.step(state, move)
            moves.append(move)
        return state, jax.tree.map(lambda *both: jnp.stack(both), *moves)

    end, moves = jax.lax.scan(play_round, start, MOVERS * jnp.arange(rounds, dtype=jnp.uint32))
    moves = jax.tree.map(lambda x: x.reshape(rounds * MOVERS, *x.shape[2:])[:horizon], moves)
    types, outcome = end.types, game.outcome(end)
    return ItemEpisode(
        types=types,
        outcome=outcome,
        payoffs=game.payoffs(types, outcome),
        shares=game.shares(types, outcome),
        welfare=game.welfare(types, outcome),
        first_best=game.first_best(types),
        turns=end.turn,
        refused=end.refused,
        moves=moves,
    )


def _items(value) -> AbstractItemPrior:
    if not isinstance(value, AbstractItemPrior):
        raise InputError("items", f"{value!r} is no prior of items", "give IndependentItems() or ListedItems(...)")
    return value
