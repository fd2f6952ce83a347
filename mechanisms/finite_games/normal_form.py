"""Finite games in normal form: expected payoffs of mixed profiles, and what best replies would gain.

A profile is a tuple of N arrays of probabilities, one (A_i,) a player.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.priors import number

Profile = tuple[Float[Array, " _"], ...]

_MASS = 1e-6  # how far probabilities may be from adding up to one


class NormalForm(eqx.Module):
    """A game of N players in which player i has A_i actions and gets `payoffs[i, a_1, ..., a_N]`.

    `payoffs` (N, A_1, ..., A_N), in any unit. Raises `InputError` for another shape and for what is not finite.
    """

    payoffs: Array = eqx.field(converter=number("payoffs"))

    def __check_init__(self):
        shape = self.payoffs.shape
        if len(shape) < 2 or shape[0] != len(shape) - 1 or 0 in shape:
            raise InputError(
                "payoffs", f"shape {shape}", "give (N, A_1, ..., A_N), a table of all action profiles a player"
            )
        require_finite("payoffs", self.payoffs)

    @property
    def actions(self) -> tuple[int, ...]:
        """A_1, ..., A_N."""
        return self.payoffs.shape[1:]

    def uniform(self) -> Profile:
        """Every action of a player as likely as any other of its actions."""
        return tuple(jnp.full(n, 1 / n, self.payoffs.dtype) for n in self.actions)


def action_payoffs(game: NormalForm, profile: Profile) -> tuple[Float[Array, " _"], ...]:
    """What each action of each player pays against the others' part of `profile`: a tuple of (A_i,)."""

    def of(player):
        table = game.payoffs[player]
        for other in reversed(range(len(game.actions))):
            if other != player:
                table = jnp.tensordot(table, profile[other], axes=(other, 0))
        return table

    return tuple(of(player) for player in range(len(game.actions)))


def expected_payoffs(game: NormalForm, profile: Profile) -> Float[Array, " N"]:
    """The players' expected payoffs when each follows `profile`."""
    each = zip(action_payoffs(game, profile), profile, strict=True)
    return jnp.stack([payoffs @ mixed for payoffs, mixed in each])


def best_reply_gains(game: NormalForm, profile: Profile) -> Float[Array, " N"]:
    """What each player would gain by its best reply to the others: zero at a Nash equilibrium, in units of payoff.

    Raises `InputError` where `profile` does not hold probabilities.
    """
    require_profile(game, profile)
    each = zip(action_payoffs(game, profile), profile, strict=True)
    return jnp.stack([jnp.max(payoffs) - payoffs @ mixed for payoffs, mixed in each])


def exploitability(game: NormalForm, profile: Profile) -> Float[Array, ""]:
    """The mean of `best_reply_gains` over players, in units of payoff (the sum is known as NashConv)."""
    return jnp.mean(best_reply_gains(game, profile))


def is_pure_equilibrium(game: NormalForm, slack: float = 0.0) -> Bool[Array, "*actions"]:
    """Which action profiles (A_1, ..., A_N) are Nash: nobody gains more than `slack` by another action."""
    best = [jnp.max(game.payoffs[i], axis=i, keepdims=True) for i in range(len(game.actions))]
    gains = jnp.stack([high - game.payoffs[i] for i, high in enumerate(best)])
    return jnp.all(gains <= slack, axis=0)


def require_profile(game: NormalForm, profile: Profile) -> None:
    """Raises `InputError` unless `profile` holds probabilities of each player's actions."""
    shapes = tuple(jnp.shape(mixed) for mixed in profile)
    if shapes != tuple((n,) for n in game.actions):
        raise InputError("profile", f"shapes {shapes}", f"give probabilities of {game.actions} actions")
    for mixed in profile:
        require_positive("profile", mixed, strict=False)
        if is_concrete(mixed) and abs(float(np.sum(np.asarray(mixed))) - 1) > _MASS:
            raise InputError("profile", "it does not add up to one", "divide each player's weights by their sum")
