"""Which way a payoff pulls a message: its mean derivative on the plane that the messages of trained speakers span.

At a point m of the plane every episode is played as drawn, but for one message that is set to m, do(m):

    u(m) = mean over episodes of payoff(do(m)),     field(m) = D' du/dm                                   (1)

with D the two unit directions of the plane. The mean is over all types of the speaker, whoever says m in play. What is said
and reported afterwards answers, channels' noise held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from dcg_econ._errors import InputError, require_finite
from dcg_econ.diagnostics.jacobian_response import (
    Null,
    drawn,
    own_part,
    passed,
    player_place,
    replaced,
    said_at,
    spoken_place,
    turned,
)
from dcg_econ.learning.episode import settle
from dcg_econ.mechanism import AbstractGame
from dcg_econ.messages.language import require_count

if TYPE_CHECKING:
    import pandas as pd

MARGIN = 0.1  # of the messages' range, by which the grid goes beyond them
NARROWEST = 1 / 2  # of the wider side: so narrow the other side of the grid may be
VANISHING = 1e-6  # of the largest singular value: messages do not vary in such a direction


class Plane(NamedTuple):
    """A plane through messages: `centre` (H,), unit rows `directions` (2, H), and the `shares` (2,) of the messages'
    variance along them, 0 where they do not vary. For messages of one number it is a line: `directions` (1, 1)."""

    centre: np.ndarray
    directions: np.ndarray
    shares: np.ndarray

    def place(self, messages: ArrayLike) -> np.ndarray:
        """Where messages (..., H) stand on the plane, (..., 2); what lies off it is dropped."""
        return (np.asarray(messages, float) - self.centre) @ self.directions.T


class MessageField(NamedTuple):
    """The field of `player`'s mean payoff over the messages of `sender` at `turn`; NumPy arrays, D = 2 (1 on a line).

    `points` (G, D): the grid in coordinates of the `plane`, in units of the message; `shape`: how many along the first and
    the second direction, the second one running fastest. `field` (G, D): payoff per unit of message. `payoff` (G,): the
    mean payoff, before the cost of messages. `messages` (E, D): what was said, as it came out of the language's channel,
    and `types` (E,) of those who said it. `codewords` (K, D), K = 0 where none were given.
    """

    player: str
    sender: str
    turn: int
    plane: Plane
    shape: tuple[int, ...]
    points: np.ndarray
    field: np.ndarray
    payoff: np.ndarray
    messages: np.ndarray
    types: np.ndarray
    codewords: np.ndarray

    def field_frame(self) -> pd.DataFrame:
        """One row for each grid point: `first`, `second` (its place), `d_first`, `d_second` (the field), `payoff`."""
        return self._placed(self.points, d_first=self.field[:, 0], d_second=_second(self.field), payoff=self.payoff)

    def messages_frame(self) -> pd.DataFrame:
        """One row for each episode: `first`, `second` (where the message stands) and `type` of its speaker."""
        return self._placed(self.messages, type=self.types)

    def codewords_frame(self) -> pd.DataFrame:
        """One row for each codeword: `first`, `second` and `word`, its number."""
        return self._placed(self.codewords, word=np.arange(len(self.codewords)))

    def _placed(self, places, **columns):
        import pandas as pd

        return pd.DataFrame({"first": places[:, 0], "second": _second(places)} | columns)


def message_field(
    game: AbstractGame,
    population: Any,
    protocol: Any,
    *,
    key: Array,
    player: str,
    sender: str,
    turn: int = 0,
    episodes: int = 256,
    grid: int | MessageField = 15,
    codewords: ArrayLike | None = None,
    type_of: Callable[[Any], Array] | None = None,
    null: Null | None = None,
) -> MessageField:
    """The field (1) at `grid` points a side (2 at least), over `episodes` (2 at least) plays as `dcg.play` draws them.

    The plane is that of the first two principal directions of the messages, centred on their mean. Where they vary in
    fewer (all alike, two words), axes of the message space complete it; messages of one number have a line, with `grid`
    points. The grid covers the messages and the `codewords` (K, H), with a tenth of their range around; a side is no less
    than half of the other, and one unit either way where nothing varies. `grid` may be another field of the same language,
    whose plane and points are used again, to follow a language over training.

    `type_of(types)`: the number by which a message is coloured, by default the first number that its speaker knows.
    `null`: a channel that messages go through besides the language's, as in `jacobian_response`; a point of the grid goes
    through it too. `InputError` for a player that is not there, a turn out of range, silence, payoffs that jump.
    """
    protocol, place = spoken_place(game, protocol, sender, turn)
    earner = player_place("player", player, game.players)
    require_count("episodes", episodes, 2)
    if not isinstance(grid, MessageField):
        require_count("grid", grid, 2)
    if not game.continuous:
        remedy = "soften it, e.g. SoftAuction(auction, width=0.02)"
        raise InputError("game", f"payoffs of a {type(game).__name__} jump: they have no field", remedy)
    said, types = (
        np.asarray(x, float) for x in _messages(game, population, protocol, key, place, turn, episodes, type_of)
    )
    if not np.all(np.isfinite(said)):
        raise InputError(
            "population", "its messages are not finite in some episode", "look at its numbers: it diverged"
        )
    words = _words(codewords, said.shape[1])
    plane, points, shape = _grid(np.concatenate([said, words]), said, grid)
    at = jnp.asarray(plane.centre + points @ plane.directions, jnp.result_type(float))
    payoff, slopes = _field(game, population, protocol, key, place, turn, earner, episodes, null, at)
    return MessageField(
        player,
        sender,
        turn,
        plane,
        shape,
        points,
        np.asarray(slopes, float) @ plane.directions.T,
        np.asarray(payoff, float),
        plane.place(said),
        types,
        plane.place(words),
    )


@eqx.filter_jit
def _messages(game, population, protocol, key, place, turn, episodes, type_of):
    """The messages as they are received (E, H) and the types of the sender (E,)."""
    types, keys = drawn(game, key, episodes)
    _, came = jax.vmap(lambda t, k: said_at(game, population, protocol, t, k, place, turn))(types, keys)

    def first(types):
        if type_of is not None:
            return type_of(types)
        own = own_part(game.known(types), place, len(game.players))
        if own is None or own.size == 0:
            remedy = "give type_of, a function of one draw of types"
            raise InputError("type_of", f"what `{game.players[place]}` knows has no first number", remedy)
        return own[0]

    return came, jax.vmap(first)(types)


@eqx.filter_jit
def _field(game, population, protocol, key, place, turn, earner, episodes, null, points):
    """The mean payoff (G,) and its slopes (G, H) at messages (G, H)."""
    types, keys = drawn(game, key, episodes)
    passing = jax.random.fold_in(key, 2)

    def payoff(message):
        heard = passed(null, jnp.broadcast_to(message, (episodes, message.size)), passing)

        def one(heard, types, key):
            hear = replaced(protocol, place, turn, heard)
            return settle(game, population, protocol, types, key, hear).payoffs[earner]

        return jnp.mean(jax.vmap(one)(heard, types, keys))

    return jax.lax.map(jax.value_and_grad(payoff), points)


def principal_plane(messages: ArrayLike) -> Plane:
    """The plane of the first two principal directions of messages (E, H), as `message_field` says."""
    said = np.asarray(messages, float)
    centre = said.mean(axis=0)
    size = said.shape[1]
    _, values, right = np.linalg.svd(said - centre, full_matrices=False)
    varied = bool(np.any(np.ptp(said, axis=0) > 0))
    kept = min(2, int(np.sum(values > VANISHING * values[0]))) if varied else 0
    directions, shares = turned(right[:kept]), values[:kept] ** 2 / max(float(values @ values), np.finfo(float).tiny)
    while len(directions) < min(2, size):
        off = np.eye(size) - directions.T @ directions  # its rows: what is left of each axis
        longest = np.argmax(np.linalg.norm(off, axis=1).round(6))  # the first of equals
        directions = np.vstack([directions, off[longest] / np.linalg.norm(off[longest])])
    return Plane(centre, directions, np.pad(shares, (0, len(directions) - kept)))


def _grid(covered, said, grid):
    """The plane, a regular grid (G, D) on it that covers messages (n, H), and the grid's shape."""
    if isinstance(grid, MessageField):
        if grid.plane.centre.shape != said.shape[1:]:
            problem = f"of {grid.plane.centre.size} numbers for messages of {said.shape[1]}"
            raise InputError("grid", problem, "give a field of this language")
        return grid.plane, grid.points, grid.shape
    plane = principal_plane(said)
    places = plane.place(covered)
    low, high = places.min(axis=0), places.max(axis=0)
    half = (high - low) / 2 * (1 + 2 * MARGIN)
    half = np.maximum(half, NARROWEST * half.max()) if half.max() > 0 else np.ones_like(half)
    sides = [np.linspace(-h, h, grid) + middle for h, middle in zip(half, (low + high) / 2, strict=True)]
    mesh = np.meshgrid(*sides, indexing="ij")
    return plane, np.stack([side.ravel() for side in mesh], axis=1), mesh[0].shape


def _words(codewords, size):
    words = np.zeros((0, size)) if codewords is None else np.asarray(codewords, float)
    if words.ndim != 2 or words.shape[1] != size:
        raise InputError(
            "codewords", f"shape {words.shape}", f"give (K, {size}): the numbers of a message as it is heard"
        )
    require_finite("codewords", words)
    return words


def _second(places):
    """The second coordinate; 0 on a line."""
    return places[:, 1] if places.shape[1] > 1 else np.zeros(len(places))
