"""Analytic agents for the division of items: a demand, a concession, chance, and the truth told to a partner."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.mechanisms.bargaining.item_negotiation import ItemMove, ItemView
from dcg_econ.priors import number

SLACK = 1e-5  # of the pool's value: what rounding may take from a share that is met exactly


class Demand(eqx.Module):
    """Asks for the share `share` () of what the pool is worth to it, turn after turn, and accepts no less.

    It asks for the kinds it values most, and for no item beyond its demand. `Demand(1.0)` takes all that has a value to it;
    `Demand(0.0)` leaves everything and accepts everything.
    """

    share: Float[Array, ""] = eqx.field(converter=number("share"))

    def __check_init__(self):
        _require_share("share", self.share)

    def __call__(self, view: ItemView, key: Array) -> ItemMove:
        del key
        return demand(view, self.share)


class Concede(eqx.Module):
    """A demand that moves from the share `first` () in a straight line to `final` () at the last turn there can be."""

    first: Float[Array, ""] = eqx.field(converter=number("first"), default=1.0)
    final: Float[Array, ""] = eqx.field(converter=number("final"), default=0.0)

    def __check_init__(self):
        _require_share("first", self.first)
        _require_share("final", self.final)

    def __call__(self, view: ItemView, key: Array) -> ItemMove:
        del key
        elapsed = view.turn / jnp.maximum(view.turn + view.turns_left, 1)
        return demand(view, self.first + (self.final - self.first) * elapsed)


class RandomMoves(eqx.Module):
    """Draws each legal move with equal chances: every proposal the pool allows and, where one stands, to accept.

    The key's own bits are the draw: give it keys that `jax.random.split` or `fold_in` made, as `negotiate` does.
    """

    def __call__(self, view: ItemView, key: Array) -> ItemMove:
        # One random word numbers the legal moves: the proposals in mixed radix, then the acceptance.
        choices = view.pool.astype(jnp.uint32) + 1
        strides = jnp.cumprod(choices) // choices
        proposals = strides[-1] * choices[-1]
        code = jax.random.key_data(key)[..., -1] % (proposals + view.standing)
        kept = (code // strides % choices).astype(view.pool.dtype)
        return ItemMove(code == proposals, kept, jnp.zeros_like(view.heard))


class Truthful(eqx.Module):
    """Says its values, believes what it hears, and proposes and accepts first-best divisions only.

    Two of them reach the first best by the third turn; talk must have one number a kind, `silence=jnp.zeros(kinds)`. Of
    a kind that both value alike, the proposer keeps half, rounded down.
    """

    def __call__(self, view: ItemView, key: Array) -> ItemMove:
        del key
        if view.heard.shape != view.pool.shape:
            raise InputError(
                "silence", f"shape {view.heard.shape}", f"give jnp.zeros({view.pool.shape[0]}): room for values"
            )
        own, partners = view.values, view.heard
        half = jnp.where(own == partners, view.pool // 2, 0)
        kept = jnp.where(own > partners, view.pool, half).astype(view.pool.dtype)
        offered = jnp.sum(own * view.offer + partners * (view.pool - view.offer))
        best = jnp.sum(view.pool * jnp.maximum(own, partners))
        accept = view.standing & (offered >= best * (1 - SLACK))
        return ItemMove(accept, kept, own.astype(view.heard.dtype))


def demand(view: ItemView, share: Float[Array, ""]) -> ItemMove:
    """Accepts an offer of at least `share` of the pool's value to the mover, and otherwise asks for just that much."""
    whole = jnp.sum(view.values * view.pool)
    needed = (share - SLACK) * whole
    accept = view.standing & (jnp.sum(view.values * view.offer) >= needed)
    return ItemMove(accept, fewest_items(view, needed), jnp.zeros_like(view.heard))


def fewest_items(view: ItemView, needed: Float[Array, ""]) -> Int[Array, " kinds"]:
    """The kinds that the mover values most, as many items of each as it takes to be worth `needed` points to it."""
    values, kinds = view.values, jnp.arange(view.pool.shape[0])
    ahead = (values > values[:, None]) | ((values == values[:, None]) & (kinds < kinds[:, None]))
    missing = needed - jnp.sum(ahead * values * view.pool, -1)
    items = jnp.ceil(missing / jnp.where(values > 0, values, 1.0))
    return jnp.where(values > 0, jnp.clip(items, 0, view.pool), 0).astype(view.pool.dtype)


def _require_share(field: str, share: Array) -> None:
    if share.ndim > 0:
        raise InputError(field, f"shape {share.shape}", "give one number; for many use jax.vmap")
    if is_concrete(share) and not bool((share >= 0) & (share <= 1)):
        raise InputError(field, f"found {float(share):g}", "give a share of the pool's value, 0 to 1")
