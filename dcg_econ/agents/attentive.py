"""One player who acts on what comes through of its own message to itself: costly attention as a channel."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.talkers import AbstractTalkers


class Attentive(AbstractTalkers):
    """`look(known) -> raw (R,)` says what the player attends to; `act(heard) -> numbers (k,)` is all that it acts on."""

    look: Callable[[Float[Array, " n"]], Float[Array, " R"]]
    act: Callable[[Float[Array, " H"]], Float[Array, " k"]]

    def raw(self, known, heard, turn):
        del heard, turn
        return self.look(known[0])[None]

    def numbers(self, known, heard=None):
        if heard is None:
            raise InputError("protocol", "silence", "what is attended to goes through a channel: give a language")
        return self.act(heard[0])[None]

    def assemble(self, numbers):
        return numbers


class ChoiceTable(eqx.Module):
    """Logits of A choices in each of S states, and of the prior over choices, which no state moves: for `Choice`."""

    logits: Float[Array, "S A"]
    prior: Float[Array, " A"]

    def __init__(self, states: int, choices: int, *, key: Array):
        self.logits = 0.1 * jax.random.normal(key, (states, choices))
        self.prior = jnp.zeros(choices)

    def __call__(self, known: Float[Array, " S"]) -> Float[Array, " R"]:
        return jnp.concatenate([known @ self.logits, self.prior])


class AsHeard(eqx.Module):
    """The choice that came through is the choice that is made."""

    def __call__(self, heard: Float[Array, " H"]) -> Float[Array, " H"]:
        return heard
