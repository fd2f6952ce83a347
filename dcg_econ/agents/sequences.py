"""Recurrent nets that say and read messages token by token."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class TokenWriter(eqx.Module):
    """From what a sender knows (n,) to the raw numbers of a message, `length` tokens of `size` numbers, by a GRU.

    The state starts from what is known; every token is a linear reading of it. `extra` raw numbers follow at the end.
    """

    start: eqx.nn.Linear
    cell: eqx.nn.GRUCell
    positions: Float[Array, "L w"]
    read: eqx.nn.Linear
    tail: eqx.nn.Linear | None

    def __init__(self, known: int, length: int, size: int, *, key: Array, width: int = 64, extra: int = 0):
        keys = jax.random.split(key, 5)
        self.start = eqx.nn.Linear(known, width, key=keys[0])
        self.cell = eqx.nn.GRUCell(width, width, key=keys[1])
        self.positions = jax.random.normal(keys[2], (length, width))
        self.read = eqx.nn.Linear(width, size, key=keys[3])
        self.tail = eqx.nn.Linear(width, extra, key=keys[4]) if extra else None

    def __call__(self, known: Float[Array, " n"]) -> Float[Array, " R"]:
        state, states = jnp.tanh(self.start(known)), []
        for position in self.positions:  # few tokens: unrolled, which compiles to faster code than a scan
            state = self.cell(position, state)
            states.append(state)
        tokens = jax.vmap(self.read)(jnp.stack(states)).ravel()
        return tokens if self.tail is None else jnp.concatenate([tokens, self.tail(state)])


class TokenReader(eqx.Module):
    """From a message of `length` tokens of `size` numbers to a vector (w,) by a GRU; a token of zeros is nothing said."""

    embed: eqx.nn.Linear
    cell: eqx.nn.GRUCell
    length: int = eqx.field(static=True)

    def __init__(self, length: int, size: int, *, key: Array, width: int = 64):
        first, second = jax.random.split(key)
        self.embed = eqx.nn.Linear(size, width, key=first)
        self.cell = eqx.nn.GRUCell(width, width, key=second)
        self.length = length

    def __call__(self, heard: Float[Array, " H"]) -> Float[Array, " w"]:
        state = jnp.zeros(self.cell.hidden_size, heard.dtype)
        for token in heard.reshape(self.length, -1):
            state = self.cell(self.embed(token), state)
        return state


class Describer(eqx.Module):
    """A receiver who reads a message by `reader`, into a row of `width` numbers, and answers in k numbers."""

    reader: Callable[[Float[Array, " H"]], Float[Array, " w"]]
    answer: eqx.nn.Linear

    def __init__(self, reader, width: int, answers: int, *, key: Array):
        self.reader, self.answer = reader, eqx.nn.Linear(width, answers, key=key)

    def __call__(self, seen: Array, heard: Float[Array, " H"]) -> Float[Array, " k"]:
        del seen
        return self.answer(self.reader(heard))


class Chooser(eqx.Module):
    """A receiver who reads a message, as a `Describer` does, and weighs the n candidates it sees (n, c) by inner products."""

    reader: Callable[[Float[Array, " H"]], Float[Array, " w"]]
    look: eqx.nn.Linear

    def __init__(self, reader, width: int, features: int, *, key: Array):
        self.reader, self.look = reader, eqx.nn.Linear(features, width, key=key)

    def __call__(self, seen: Float[Array, "n c"], heard: Float[Array, " H"]) -> Float[Array, " n"]:
        return jax.vmap(self.look)(seen) @ self.reader(heard)
