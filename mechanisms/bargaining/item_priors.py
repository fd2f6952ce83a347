"""What is drawn before two players divide a pool of items: the pool, the private values, the number of turns."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.priors import number

LARGEST = (
    2**22
)  # pools, or values of a player, between which one 32-bit word chooses: chances differ by 1 in 1000 there


class ItemTypes(NamedTuple):
    """The pool (kinds,), in items, which both see, and the players' values (2, kinds), in points an item."""

    pool: Array
    values: Array


def require_items(pools: Array, values: Array) -> None:
    """Raises `InputError` unless the counts (..., kinds) and values (..., 2, kinds) describe pools worth dividing."""
    pools, values = jnp.asarray(pools), jnp.asarray(values)
    if not jnp.issubdtype(pools.dtype, jnp.integer):
        raise InputError("pool", f"counts of type {pools.dtype}", "give whole numbers, e.g. jnp.array([1, 2, 3])")
    if pools.ndim == 0 or values.shape != (*pools.shape[:-1], 2, pools.shape[-1]):
        raise InputError(
            "values", f"shape {values.shape} beside a pool of shape {pools.shape}", "give (2, kinds) beside (kinds,)"
        )
    require_positive("pool", pools, strict=False)
    require_positive("values", values, strict=False)
    if is_concrete(values) and not bool(jnp.all(jnp.any(values > 0, -1))):
        raise InputError("values", "a player values no item", "give each player a kind with a value above zero")


class AbstractItemPrior(eqx.Module):
    """A joint prior of the pool and of both players' values; `most` bounds the items of one kind."""

    kinds: eqx.AbstractVar[int]
    most: eqx.AbstractVar[int]

    @abstractmethod
    def sample(self, key: Array) -> ItemTypes:
        """One pool and the players' values."""


class IndependentItems(AbstractItemPrior):
    """Counts uniform on 0..most and values uniform on 0..highest, all independent; no player's values are all zero.

    The defaults are those of Cao et al. (2018). `highest` (), in points an item, is an array and may be swept.
    """

    kinds: int = eqx.field(static=True, default=3)
    most: int = eqx.field(static=True, default=5)
    highest: Int[Array, ""] = eqx.field(converter=lambda value: _whole("highest", value), default=10)

    def __check_init__(self):
        for field in ("kinds", "most"):
            if not isinstance(getattr(self, field), int) or getattr(self, field) < 1:
                raise InputError(field, f"found {getattr(self, field)!r}", "give a whole number of one or more")
        if self.highest.ndim > 0:
            raise InputError("highest", f"shape {self.highest.shape}", "give one number")
        require_positive("highest", self.highest)
        codes = (self.most + 1) ** self.kinds
        if is_concrete(self.highest):
            codes = max(codes, (int(self.highest) + 1) ** self.kinds)
        if codes > LARGEST:
            raise InputError("kinds", f"{self.kinds} kinds make {codes} pools or values", f"keep to {LARGEST}")

    def sample(self, key):
        # One random word for the pool and one for each player, read as numbers in base most + 1 and highest + 1.
        words = jax.random.bits(key, (3,), jnp.uint32)
        base = self.highest.astype(jnp.uint32) + 1
        pool = _digits(words[0] % (self.most + 1) ** self.kinds, self.most + 1, self.kinds)
        codes = 1 + words[1:] % (base**self.kinds - 1)  # code 0 is the player without values
        values = _digits(codes, base, self.kinds)
        return ItemTypes(pool.astype(jnp.int32), values.astype(jnp.result_type(float)))


def _digits(code: Array, base: Array | int, count: int) -> Array:
    digits = []
    for _ in range(count):
        digits.append(code % base)
        code = code // base
    return jnp.stack(digits, -1)


class ListedItems(AbstractItemPrior):
    """Equal chances for each of m listed instances: `pools` (m, kinds) in items, `values` (m, 2, kinds) in points."""

    pools: Int[Array, "m kinds"]
    values: Float[Array, "m 2 kinds"]
    most: int = eqx.field(static=True)

    def __init__(self, pools, values):
        self.pools = jnp.asarray(pools)
        self.values = number("values")(values)
        if self.pools.ndim != 2 or 0 in self.pools.shape:
            raise InputError("pools", f"shape {self.pools.shape}", "give one row of counts an instance: (m, kinds)")
        if not is_concrete(self.pools):
            raise InputError("pools", "traced", "list the pools outside of jit and vmap; values may be traced")
        require_items(self.pools, self.values)
        self.most = max(1, int(self.pools.max()))

    @property  # type: ignore[misc]  # Equinox lets a property stand for an abstract variable
    def kinds(self) -> int:  # type: ignore[override]
        return self.pools.shape[1]

    def sample(self, key):
        row = jax.random.randint(key, (), 0, self.pools.shape[0])
        return ItemTypes(self.pools[row], self.values[row])


def totalled_items(kinds: int = 3, fewest: int = 5, most: int = 7, total: int = 10) -> ListedItems:
    """Every instance in which the whole pool is worth `total` points to each player, with equal chances.

    The pool has `fewest` to `most` items, at least one of each kind; each kind has a value to at least one player, and
    some kind to both: the setting of DeVault et al. (2015) and Lewis et al. (2017).
    """
    counts = itertools.product(range(1, most + 1), repeat=kinds)
    pools, values = [], []
    for pool in (np.array(c) for c in counts if fewest <= sum(c) <= most):
        own = np.array(list(itertools.product(*(range(total // n + 1) for n in pool))))
        own = own[own @ pool == total]
        first, second = (grid.ravel() for grid in np.indices((len(own), len(own))))
        wanted = (own[first] > 0).astype(int) + (own[second] > 0)
        good = np.all(wanted > 0, 1) & np.any(wanted == 2, 1)
        values.append(np.stack([own[first], own[second]], 1)[good])
        pools.append(np.broadcast_to(pool, (good.sum(), kinds)))
    if sum(map(len, pools)) == 0:
        problem = f"no pool of {fewest} to {most} items of {kinds} kinds can be worth {total} points to both"
        raise InputError("total", problem, "give a larger total, or more items than kinds")
    return ListedItems(np.concatenate(pools).astype(np.int32), np.concatenate(values))


class Deadline(eqx.Module):
    """The number of turns after which talks break down: `weights` (T,) in proportion to the chances of 1..T turns.

    T, the length of the array, is the number of turns that a compiled episode has room for.
    """

    weights: Float[Array, " T"] = eqx.field(converter=number("weights"))

    def __check_init__(self):
        if self.weights.ndim != 1 or self.weights.shape[0] == 0:
            raise InputError(
                "weights", f"shape {self.weights.shape}", "give one weight for each number of turns from 1"
            )
        require_positive("weights", self.weights, strict=False)
        if is_concrete(self.weights) and not bool(jnp.any(self.weights > 0)):
            raise InputError("weights", "all zero", "give some number of turns a weight above zero")

    @classmethod
    def fixed(cls, turns: int | Array, longest: int | None = None) -> Deadline:
        """A deadline known to all; `turns` may be swept as an array below a common `longest`."""
        turns = _whole("turns", turns)
        if turns.ndim > 0:
            raise InputError("turns", f"shape {turns.shape}", "give one number; for many deadlines use jax.vmap")
        if longest is None and not is_concrete(turns):
            raise InputError("longest", "unknown, since `turns` is swept", "give the largest number of turns")
        longest = int(turns) if longest is None else longest
        if is_concrete(turns) and not 1 <= int(turns) <= longest:
            raise InputError("turns", f"found {int(turns)}", f"give a deadline of 1 to {max(longest, 1)} turns")
        return cls(jnp.arange(1, longest + 1) == turns)

    @classmethod
    def poisson(cls, mean: float | Array = 7.0, fewest: int = 4, most: int = 10) -> Deadline:
        """A Poisson number of turns, given that it lies between `fewest` and `most` (Cao et al. 2018)."""
        mean = number("mean")(mean)
        require_positive("mean", mean)
        if not 1 <= fewest <= most:
            raise InputError("fewest", f"{fewest} to {most} turns", "give 1 <= fewest <= most")
        turns = jnp.arange(1, most + 1)
        logs = turns * jnp.log(mean) - jax.lax.lgamma(turns + jnp.ones((), mean.dtype))
        logs = jnp.where(turns >= fewest, logs, -jnp.inf)
        return cls(jnp.exp(logs - jnp.max(logs)))

    @property
    def horizon(self) -> int:
        """The number of turns that a compiled episode has room for."""
        return self.weights.shape[0]

    def last(self) -> Int[Array, ""]:
        """The largest number of turns that has a chance."""
        return jnp.max(jnp.where(self.weights > 0, jnp.arange(1, self.horizon + 1, dtype=jnp.int32), 1))

    def sample(self, key: Array) -> Int[Array, ""]:
        """One number of turns."""
        below = jnp.cumsum(self.weights)
        point = below[-1] * jax.random.uniform(key, (), self.weights.dtype)
        return jnp.minimum(1 + jnp.sum(below <= point, dtype=jnp.int32), self.last())

    def hazard(self, turn: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
        """The chance that turn number `turn`, counted from 0, is the last, given that it is reached."""
        left = jnp.cumsum(self.weights[::-1])[::-1]
        return jnp.where(left > 0, self.weights / jnp.where(left > 0, left, 1.0), 1.0)[turn]


def deadline(value) -> Deadline:
    """A converter for a field that holds a deadline: a number becomes a deadline known to all."""
    return value if isinstance(value, Deadline) else Deadline.fixed(value)


def _whole(field: str, value) -> Array:
    try:
        whole = jnp.asarray(value)
    except (TypeError, ValueError):
        raise InputError(field, f"{value!r} is not a number", "give a whole number") from None
    if not jnp.issubdtype(whole.dtype, jnp.integer):
        raise InputError(field, f"{value!r} is not a whole number", "give a whole number")
    return whole.astype(jnp.int32)
