r"""What players do who know the rules but not the equilibrium: adjustment round by round, at fixed types.

Everybody moves at once, x_{t+1} = rule(x_t), where x_i is what player i says under an institution of numbers and its shade
where curves are reported (`ShadedCurves`). With BR_i the best reply and u_i the payoff,

    best response with inertia   x_i' = inertia x_i + (1 - inertia) BR_i(x_{-i})    (Cournot; inertia 0: best response)     (1)
    gradient play                x_i' = x_i + step du_i/dx_i                                                    (2)
    logit response               x_i' drawn with chances proportional to exp(lam u_i(., x_{-i})) on a grid           (3)

all cut at the bounds. Sources: Cournot (1838); Rosen (1965); (3) McKelvey and Palfrey's (1995) responses, played.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.agents.number_messages import FixedMessages
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood, PublicOutcome
from dcg_econ.priors import number

_NEWTON = 8  # steps to a best reply; one is exact for quadratic utility
_REACH, _HALVINGS = 1e6, 100  # bisection, where payoffs have kinks: this many own messages away


class NumberGame(eqx.Module):
    """An institution at given types, as a game in which everybody names one number."""

    mechanism: AbstractPublicGood
    types: Float[Array, "N k"]

    def outcome(self, x: Float[Array, " N"]) -> PublicOutcome:
        """The outcome of the numbers."""
        return self.mechanism.outcome(self.mechanism.said(x, self.types))

    def payoffs(self, x: Float[Array, " N"]) -> Float[Array, " N"]:
        """The players' payoffs."""
        return self.mechanism.payoffs(self.types, self.outcome(x))

    def alone(self, x: Float[Array, " N"], player: Array, message: Array) -> Float[Array, ""]:
        """The payoff of one player who says `message` while the others stay at `x`."""
        return self.payoffs(x.at[player].set(message))[player]

    def gradient(self, x: Float[Array, " N"]) -> Float[Array, " N"]:
        """du_i/dx_i of every player."""
        return jax.vmap(lambda i: jax.grad(self.alone, argnums=2)(x, i, x[i]))(jnp.arange(x.shape[0]))

    def best_replies(self, x: Float[Array, " N"]) -> Float[Array, " N"]:
        """BR_i(x_{-i}) of concave payoffs: by Newton's method, or bisection of the slope where they have kinks; where payoffs
        jump, the best of the mechanism's own grid."""
        return jax.vmap(lambda i: self._reply(x, i))(jnp.arange(x.shape[0]))

    def _reply(self, x, player):
        if not self.mechanism.continuous:
            grid = self.mechanism.report_grid(FixedMessages(latent=x), player, self.types)
            return grid[jnp.argmax(jax.vmap(lambda m: self.alone(x, player, m))(grid))]
        slope = jax.grad(self.alone, argnums=2)
        low, high = (bound[player] for bound in self.mechanism.bounds())

        def step(m, _):
            at, bend = slope(x, player, m), jax.grad(slope, argnums=2)(x, player, m)
            far = jnp.where(at > 0, high, jnp.where(at < 0, low, m))
            new = jnp.clip(jnp.where(bend < 0, m - at / jnp.where(bend < 0, bend, -1.0), far), low, high)
            return new, jnp.abs(new - m)

        smooth, moved = jax.lax.scan(step, x[player], None, length=_NEWTON)

        def halve(_, ends):
            a, b = ends
            middle = 0.5 * (a + b)
            up = slope(x, player, middle) > 0
            return jnp.where(up, middle, a), jnp.where(up, b, middle)

        reach = _REACH * (1 + jnp.abs(x[player]))
        ends = jnp.maximum(low, x[player] - reach), jnp.minimum(high, x[player] + reach)
        kinked = jnp.mean(jnp.stack(jax.lax.fori_loop(0, _HALVINGS, halve, ends)))
        settled = (moved[-1] <= 1e-9 * (1 + jnp.abs(smooth))) | ~jnp.isfinite(smooth)
        return jnp.where(settled, smooth, kinked)


class AbstractRule(eqx.Module):
    """How players adjust."""

    @abstractmethod
    def move(self, game: NumberGame, x: Float[Array, " N"], key: Array) -> Float[Array, " N"]:
        """What everybody says next."""


class BestResponse(AbstractRule):
    """(1). `inertia` in [0, 1): how much of the last message stays."""

    inertia: Array = eqx.field(converter=number("inertia"), default=0.0)

    def __check_init__(self):
        if is_concrete(self.inertia) and not bool(jnp.all((self.inertia >= 0) & (self.inertia < 1))):
            raise InputError("inertia", f"found {self.inertia}", "give a number from 0 (none) to below 1")

    def move(self, game, x, key):
        del key
        return self.inertia * x + (1 - self.inertia) * game.best_replies(x)


class GradientPlay(AbstractRule):
    """(2). `step` > 0, messages squared over money."""

    step: Array = eqx.field(converter=number("step"))

    def __check_init__(self):
        require_positive("step", self.step)

    def move(self, game, x, key):
        del key
        low, high = game.mechanism.bounds()
        return jnp.clip(x + self.step * game.gradient(x), low, high)


class LogitResponse(AbstractRule):
    """(3). `lam` >= 0, choices per money; `grid` (r,): the numbers that can be said."""

    lam: Array = eqx.field(converter=number("lam"))
    grid: Array = eqx.field(converter=number("grid"))

    def __check_init__(self):
        require_positive("lam", self.lam, strict=False)
        if self.grid.ndim != 1:
            raise InputError("grid", f"shape {self.grid.shape}", "give a list of numbers, e.g. jnp.linspace(0, 20, 21)")

    def chances(self, game: NumberGame, x: Float[Array, " N"]) -> Float[Array, "N r"]:
        """The logit choice probabilities of every player against the others at `x`."""
        players = jnp.arange(x.shape[0])
        payoffs = jax.vmap(lambda i: jax.vmap(lambda m: game.alone(x, i, m))(self.grid))(players)
        return jax.nn.softmax(self.lam * payoffs, axis=1)

    def move(self, game, x, key):
        keys = jax.random.split(key, x.shape[0])
        draw = lambda k, p: jax.random.choice(k, self.grid, p=p)  # noqa: E731
        return jax.vmap(draw)(keys, self.chances(game, x))


class Path(eqx.Module):
    """Rounds 0 to T of adjustment: messages, payoffs and gains over the status quo (T+1, N), the rest (T+1,).

    `built`: level; `budget_surplus`: taxes less cost; `welfare`, `first_best` in money.
    """

    messages: Float[Array, "t N"]
    payoffs: Float[Array, "t N"]
    gains: Float[Array, "t N"]
    built: Float[Array, " t"]
    budget_surplus: Float[Array, " t"]
    welfare: Float[Array, " t"]
    first_best: Float[Array, ""]
    players: tuple[str, ...] = eqx.field(static=True)

    def rounds_to(self, target: ArrayLike, within: ArrayLike) -> Array:
        """The first round from which all messages stay `within` so much of `target`; infinite where they do not."""
        return first_to_stay(jnp.all(jnp.abs(self.messages - target) <= within, axis=1))

    def to_frame(self):
        """A pandas frame, one row for each round and player."""
        import pandas as pd

        rounds, n = self.messages.shape
        columns = {name: np.asarray(getattr(self, name)).ravel() for name in ("messages", "payoffs", "gains")}
        whole = ("built", "budget_surplus", "welfare")
        columns |= {name: np.repeat(np.asarray(getattr(self, name)), n) for name in whole}
        frame = pd.DataFrame({"round": np.repeat(np.arange(rounds), n), "participant": list(self.players) * rounds})
        names = {"messages": "message", "payoffs": "payoff", "gains": "gain", "built": "level"}
        return frame.assign(**columns).rename(columns=names)


def first_to_stay(near: Bool[Array, " t"]) -> Float[Array, ""]:
    """The first round from which all are near; infinite where the last is not."""
    stays = jnp.flip(jnp.cumprod(jnp.flip(near)))
    return jnp.where(stays[-1] > 0, jnp.argmax(stays).astype(float), jnp.inf)


def dynamics(
    mechanism: AbstractPublicGood,
    rule: AbstractRule,
    *,
    start: Any,
    types: Array | None = None,
    rounds: int = 50,
    key: Array | None = None,
) -> Path:
    """`rounds` of adjustment from the messages `start` (N,), by default at mean types; one compiled scan.

    `key` is used by rules that draw. Errors: a start of another length than the players.
    """
    x = number("start")(start)
    if x.shape != (mechanism.preferences.count,):
        raise InputError(
            "start", f"shape {x.shape}", f"give one number for each of {mechanism.preferences.count} players"
        )
    if isinstance(rule, LogitResponse) and key is None:
        raise InputError("key", "missing, and logit responses are drawn", "give jax.random.key(0)")
    types = mechanism.preferences.at(jnp.zeros(())) if types is None else types
    return _dynamics(mechanism, rule, x, types, rounds, jax.random.key(0) if key is None else key)


@eqx.filter_jit
def _dynamics(mechanism, rule, start, types, rounds, key):
    game = NumberGame(mechanism, types)

    def play(x, key):
        outcome = game.outcome(x)
        payoffs = mechanism.payoffs(types, outcome)
        gains = payoffs - mechanism.status_quo(types)
        surplus, welfare = mechanism.budget_surplus(outcome), mechanism.welfare(types, outcome)
        return rule.move(game, x, key), (x, payoffs, gains, outcome.built, surplus, welfare)

    _, seen = jax.lax.scan(play, start, jax.random.split(key, rounds + 1))
    messages, payoffs, gains, built, surplus, welfare = seen
    first_best = mechanism.first_best(types)
    return Path(messages, payoffs, gains, built, surplus, welfare, first_best, mechanism.players)
