"""How a partner's action answers to a message: R = d E[action] / d message, its rank and its principal directions.

A player's report is a function of what it knows and has heard, so that the expectation over its action is the report itself,
or the chances of its choices where its numbers are logits (`Chances`). Responses are total: what is said in later turns
answers too, channels' noise held. With x a message in units of its own standard deviation over episodes,

    J_e = d action_e / d x,     M = mean over episodes of J_e' J_e = V diag(s^2) V'                       (1)

and s are the pooled singular values: root mean squares of the action's move along the directions V.
"""

# Annotations are not postponed here: the abstract class is followed by its parts.
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ._names import nearest
from dcg_econ.channels.base import AbstractChannel
from dcg_econ.channels.fisher import effective_rank
from dcg_econ.learning.protocol import Protocol, as_protocol
from dcg_econ.learning.talk import Hear, Taps, converse, through
from dcg_econ.mechanism import AbstractGame
from dcg_econ.messages.language import require_count

Null = AbstractChannel | Callable[[Array, Array], Array]


class AbstractResponse(eqx.Module):
    """What of a player's report is looked at."""

    @abstractmethod
    def __call__(self, population: Any, numbers: Float[Array, "N k"], player: int) -> Float[Array, " A"]:
        """The A numbers of `player`, from the numbers of all reports."""


class Policy(AbstractResponse):
    """The numbers that parametrise the report, before it is assembled: logits, a bid, quantities at knots."""

    def __call__(self, population, numbers, player):
        return numbers[player]


class Action(AbstractResponse):
    """The report, flattened: of the assembled reports, `read(reports, player)`, by default the player's own rows.

    An expected action where reports are not drawn, as none here is: in units of the mechanism (money, a quantity).
    """

    read: Callable[[Any, int], Array] | None = eqx.field(static=True, default=None)

    def __call__(self, population, numbers, player):
        reports = population.assemble(numbers)
        own = own_part(reports, player, numbers.shape[0]) if self.read is None else self.read(reports, player)
        if own is None:
            remedy = "give Action(lambda reports, player: ...) with an array of the player's own numbers"
            raise InputError("of", f"the reports of a {type(population).__name__} have no row for each player", remedy)
        return jnp.ravel(own)


class Chances(AbstractResponse):
    """The chances of choices, where each `options` numbers of the report are the logits of one: E of their one-hot rows."""

    options: int = eqx.field(static=True)

    def __check_init__(self):
        require_count("options", self.options, 2)

    def __call__(self, population, numbers, player):
        if numbers.shape[1] % self.options:
            raise InputError("options", f"{self.options} for {numbers.shape[1]} numbers", "give a divisor")
        return jax.nn.softmax(numbers[player].reshape(-1, self.options)).ravel()


class JacobianResponse(NamedTuple):
    """The response of A numbers of the partner to the H numbers of a message, over E episodes; NumPy arrays.

    `by_episode` (E, A, H): action per unit of message. `spread` (H,): the message's standard deviation over episodes, in its
    own units; 0 where it never varies. `singular_values` (r,), falling, and `directions` (r, H), unit rows in standardised
    numbers: s and V of (1), r = min(E A, H), the sign such that the largest entry is positive. `rank`: values above
    `tolerance` of the largest. `effective_rank`: exp(entropy of the shares of s^2), 1 to the rank; 0 where nobody listens.
    """

    by_episode: np.ndarray
    spread: np.ndarray
    singular_values: np.ndarray
    directions: np.ndarray
    rank: int
    effective_rank: float
    tolerance: float

    @property
    def mean(self) -> np.ndarray:
        """(A, H): the response averaged over episodes, action per unit of message."""
        return self.by_episode.mean(axis=0)

    @property
    def scaled(self) -> np.ndarray:
        """(E, A, H): the response in action per standard deviation of the message's numbers."""
        return self.by_episode * self.spread


def jacobian_response(
    game: AbstractGame,
    population: Any,
    protocol: Any,
    *,
    key: Array,
    sender: str,
    receiver: str,
    turn: int = 0,
    of: AbstractResponse | None = None,
    episodes: int = 256,
    sent: bool = False,
    null: Null | None = None,
    tolerance: float = 1e-4,
) -> JacobianResponse:
    """The response of `receiver` to what `sender` says at `turn`, over `episodes` (2 at least) plays as `dcg.play` draws them.

    `of`: `Action()` by default, `Policy()` or `Chances(options)`. The message is what comes out of the language's channel
    into all ears that hear it, the speaker's own too. Words are differentiated at the one-hot rows that are heard, as if
    the listener's net were told mixtures of words; symbols said in later turns have no derivative (`InputError`).

    `null`: what then becomes of the messages (E, H) of all episodes, before anybody hears them: a channel such as
    `Zeroed()`, or a function of (messages, key) such as `shuffled`. The message as received is what comes out of it.
    With `sent` the derivative is with respect to the numbers (R,) that the sender's net hands to the channel in the same
    episode, H being R: through the channel and then `null`, so exactly zero through `Zeroed()` and through `shuffled`,
    where the partner hears somebody else. Languages without a derivative are refused there.

    Derivatives are taken forwards where the message has no more numbers than the action, else backwards. `InputError`
    for a player that is not there, a turn out of range, silence, a partner that does not hear.
    """
    protocol, place = spoken_place(game, protocol, sender, turn)
    listener = player_place("receiver", receiver, game.players)
    require_count("episodes", episodes, 2)
    if not protocol.hears(game.players)[listener, place]:
        raise InputError(
            "receiver", f"`{receiver}` does not hear `{sender}`", "give a public protocol, or the sender itself"
        )
    if sent and not protocol.language.pathwise:
        raise _no_derivative(protocol, "what is heard has no derivative in what is sent")
    answers = _responses(game, population, protocol, key, place, listener, turn, of or Action(), episodes, sent, null)
    slopes, said = (np.asarray(x) for x in answers)
    if not np.all(np.isfinite(slopes)):
        raise InputError("population", "its response is not finite in some episode", "look at its numbers: it diverged")
    return _pooled(slopes, said, tolerance)


def _pooled(slopes: np.ndarray, said: np.ndarray, tolerance: float) -> JacobianResponse:
    spread = np.where(np.ptp(said, axis=0) > 0, np.std(said, axis=0, ddof=1), 0)
    stack = (slopes * spread).reshape(-1, slopes.shape[2]) / np.sqrt(slopes.shape[0])
    _, values, directions = np.linalg.svd(stack, full_matrices=False)
    rank = int(np.sum(values > tolerance * values[0])) if values.size else 0
    return JacobianResponse(
        slopes, spread, values, turned(directions), rank, float(effective_rank(jnp.asarray(stack.T @ stack))), tolerance
    )


@eqx.filter_jit
def _responses(game, population, protocol, key, place, listener, turn, of, episodes, sent, null):
    """d action / d message (E, A, H) and the messages (E, H), as sent or as received."""
    types, keys = drawn(game, key, episodes)
    raw, came = jax.vmap(lambda t, k: said_at(game, population, protocol, t, k, place, turn))(types, keys)
    passing = jax.random.fold_in(key, 2)
    heard = passed(null, came, passing)

    def answer(message, types, key):
        known = game.known(types)
        hear = replaced(protocol, place, turn, message)
        _, told = converse(population, protocol, game.players, known, key, hear)
        return of(population, population.numbers(known, told), listener)

    slopes = jax.vmap(_jacobian(answer, came.shape[1]))(heard, types, keys)
    if not sent:
        return slopes, heard

    def channelled(nudge, types, key):
        return said_at(game, population, protocol, types, key, place, turn, nudge)[1]

    through_channel = jax.vmap(_jacobian(channelled, raw.shape[1]))(jnp.zeros_like(raw), types, keys)
    return slopes @ _kept(null, came, passing) @ through_channel, raw


def _jacobian(function, size):
    """The Jacobian in the first argument, of `size` numbers, by the mode that takes fewer passes."""

    def slopes(at, *rest):
        answers = jax.eval_shape(function, at, *rest).size
        return (jax.jacfwd if size <= answers else jax.jacrev)(function)(at, *rest)

    return slopes


def _kept(null, came, key):
    """What reaches the own episode: d heard_e / d came_e (E, H, H)."""
    if null is None:
        return jnp.broadcast_to(jnp.eye(came.shape[1], dtype=came.dtype), (*came.shape, came.shape[1]))

    def own(e):
        return jax.jacfwd(lambda m: passed(null, came.at[e].set(m), key)[e])(came[e])

    return jax.lax.map(own, jnp.arange(came.shape[0]))


def passed(null: Null | None, messages: Float[Array, "E H"], key: Array) -> Float[Array, "E H"]:
    """What is heard of the messages of all episodes."""
    if null is None:
        return messages
    if isinstance(null, AbstractChannel):
        return jax.vmap(null)(messages, jax.random.split(key, messages.shape[0]))[0]
    return null(messages, key)


def drawn(game: AbstractGame, key: Array, episodes: int) -> tuple[Any, Array]:
    """Types and the keys of talk, as `dcg.play` draws them from each of `jax.random.split(key, episodes)`."""
    keys = jax.random.split(key, episodes)
    return jax.vmap(game.sample_types)(keys), jax.vmap(lambda k: jax.random.fold_in(k, 1))(keys)


def said_at(game, population, protocol, types, key, place, turn, nudge=0.0) -> tuple[Array, Array]:
    """The raw numbers (R,) of one message, `nudge` added to them, and what came out of the language's channel (H,)."""
    language, players = protocol.language, len(game.players)
    probe = jnp.zeros((protocol.turns, players, language.raw)).at[turn, place].add(nudge)
    taps = Taps(probe, jnp.zeros((protocol.turns, 1, 1)), jnp.zeros(1))
    talk, _ = converse(population, protocol, game.players, game.known(types), key, taps=taps)
    assert talk is not None  # somebody speaks
    return talk.raw[turn, place], talk.received[turn, place]


def replaced(protocol: Protocol, place: int, turn: int, message: Float[Array, " H"]) -> Hear:
    """The language's channel, with `message` in place of what comes through of one player's words at `turn`."""
    spoken = through(protocol.language)

    def hear(now, raw, keys):
        came, info = spoken(now, raw, keys)
        return (came.at[place].set(message), info) if now == turn else (came, info)

    return hear


def own_part(tree: Any, player: int, players: int) -> Array | None:
    """A player's own numbers in what all players know or report, flattened; None where they cannot be told.

    Arrays with a row for each player; or whose rows, one array after the other, are the players' (`Sides`); or a tuple of
    one entry for each; or, of arrays with and without such rows, the former.
    """
    leaves = [leaf for leaf in jax.tree.leaves(tree) if eqx.is_array(leaf)]
    rows = [leaf for leaf in leaves if leaf.ndim and leaf.shape[0] == players]
    if leaves and len(rows) < len(leaves):
        if all(leaf.ndim for leaf in leaves) and sum(leaf.shape[0] for leaf in leaves) == players:
            return [row.ravel() for leaf in leaves for row in leaf][player]
        if isinstance(tree, tuple) and len(tree) == players:
            return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree[player])])
    return jnp.concatenate([leaf[player].ravel() for leaf in rows]) if rows else None


def turned(directions: np.ndarray) -> np.ndarray:
    """Unit rows with the sign that makes the largest entry of each, the first of equals, positive."""
    if directions.size == 0:
        return directions
    largest = np.take_along_axis(directions, np.argmax(np.abs(directions).round(6), axis=1)[:, None], axis=1)
    return directions * np.where(largest < 0, -1, 1)


def player_place(field: str, name: str, players: tuple[str, ...]) -> int:
    """The number of the player of this name."""
    if name not in players:
        raise InputError(field, f"no player `{name}`", nearest(str(name), players))
    return players.index(name)


def spoken_place(game: AbstractGame, protocol: Any, sender: str, turn: int) -> tuple[Protocol, int]:
    """The protocol and the sender's number, having made sure that it speaks at `turn` and that answers can be derived."""
    protocol = as_protocol(protocol)
    if not isinstance(protocol, Protocol):
        raise InputError("protocol", "silence", "give a language like dcg.Continuous(), or dcg.Protocol(...)")
    place = player_place("sender", sender, game.players)
    if not isinstance(turn, int) or isinstance(turn, bool) or not 0 <= turn < protocol.turns:
        raise InputError("turn", f"{turn!r} of {protocol.turns}", f"give a whole number from 0 to {protocol.turns - 1}")
    speaking = protocol.speaking(game.players)
    if not speaking[turn, place]:
        who = [name for name, on in zip(game.players, speaking[turn], strict=True) if on]
        raise InputError("sender", f"`{sender}` says nothing at turn {turn}", f"then speaks: {', '.join(who)}")
    if speaking[turn + 1 :].any() and not protocol.language.pathwise:
        raise _no_derivative(protocol, f"what is said after turn {turn} has no derivative in what was heard")
    return protocol, place


def _no_derivative(protocol: Protocol, problem: str) -> InputError:
    remedy = "give a language with a derivative, such as chat.relaxed(temperature, straight_through=False) or dcg.Continuous()"
    return InputError("protocol", f"{problem}: {type(protocol.language).__name__} says symbols that are drawn", remedy)
