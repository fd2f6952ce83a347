"""A conversation: what is said turn by turn, what comes through, and what it costs.

What a player hears is laid out as everybody's messages of every turn, its own first, then the players after it in order,
zeros where nothing was said, where nothing is heard, and for turns to come: T messages for each of N players.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.talkers import AbstractTalkers
from dcg_econ.channels.base import Info
from dcg_econ.learning.protocol import AbstractProtocol, Protocol
from dcg_econ.messages.language import AbstractLanguage

Hear = Callable[[int, Float[Array, "N R"], Array], tuple[Float[Array, "N H"], Info]]


class Taps(NamedTuple):
    """Probes, zeros to be differentiated in: on raw numbers (T, N, R), on what comes through (T, N, H), and on the
    reports' rows (N, ...) of `own_rows`."""

    raw: Any
    received: Any
    rows: Any


class Talk(NamedTuple):
    """What was said: raw numbers (T, N, R), what came through (T, N, H), and its facts (T, N), zero where nobody spoke.

    `charge`: what speaking cost, in payoff units; the part for length is `length_charge`. `log_prob`: zero where there is none.
    """

    raw: Array
    received: Array
    nats: Array
    length: Array
    log_prob: Array
    entropy: Array
    penalty: Array
    charge: Array
    length_charge: Array


def heard_size(protocol: AbstractProtocol, players: tuple[str, ...]) -> int:
    """How many numbers each player has heard when it reports."""
    return protocol.turns * len(players) * protocol.language.heard if isinstance(protocol, Protocol) else 0


def through(language: AbstractLanguage) -> Hear:
    """Every message through the language's own channel."""

    def hear(turn, raw, keys):
        del turn
        return jax.vmap(language)(raw, keys)

    return hear


def converse(
    population: Any,
    protocol: AbstractProtocol,
    players: tuple[str, ...],
    known: Any,
    key: Array,
    hear: Hear | None = None,
    taps: Taps | None = None,
) -> tuple[Talk | None, Float[Array, "N H"] | None]:
    """What is said in one episode, and what each player has heard in the end; None twice in silence."""
    if not isinstance(protocol, Protocol):
        return None, None
    if not isinstance(population, AbstractTalkers):
        raise InputError(
            "agents",
            f"{type(population).__name__} does not speak",
            "give talkers, e.g. dcg.talkers(...), or no protocol",
        )
    language, speaking, hears = protocol.language, protocol.speaking(players), protocol.hears(players)
    hear = hear or through(language)
    received: list[Array] = []
    facts: list[tuple] = []
    for turn in range(protocol.turns):
        raw = population.raw(known, memory(received, protocol, hears), turn)
        raw = raw if taps is None else raw + taps.raw[turn]
        keys = jax.random.split(jax.random.fold_in(key, turn), len(players))
        came, info = hear(turn, raw, keys)
        came = came if taps is None else came + taps.received[turn]
        on = jnp.asarray(speaking[turn], raw.dtype)
        received.append(on[:, None] * came)
        facts.append((raw, received[-1], *(on * jnp.where(on > 0, x, 0) for x in _facts(language, info, on))))
    talk = Talk(*(jnp.stack(column) for column in zip(*facts, strict=True)))
    return talk, memory(received, protocol, hears)


def _facts(language: AbstractLanguage, info: Info, on: Array) -> tuple[Array, ...]:
    zero = jnp.zeros_like(on)
    log_prob = zero if info.log_prob is None else info.log_prob
    entropy = zero if info.entropy is None else info.entropy
    return (
        info.nats,
        info.length,
        log_prob,
        entropy,
        info.penalty,
        jax.vmap(language.charge)(info),
        language.length_price * info.length,
    )


def memory(received: list[Array], protocol: Protocol, hears: np.ndarray) -> Float[Array, "N H"]:
    """What every player has heard of the messages (N, H) of the turns so far."""
    players, size = hears.shape[0], protocol.language.heard
    blank = jnp.zeros((players, size), received[0].dtype if received else jnp.result_type(float))
    said = jnp.stack([*received, *[blank] * (protocol.turns - len(received))])  # (T, N, H)
    order = (np.arange(players)[:, None] + np.arange(players)) % players  # the player itself, then those after it
    heard = jnp.asarray(hears[np.arange(players)[:, None], order], said.dtype)
    return jnp.swapaxes(said[:, order] * heard[:, :, None], 0, 1).swapaxes(1, 2).reshape(players, -1)
