"""Games in which nobody knows anything that others do not: what a player learns is one row of numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, require_positive
from dcg_econ.agents.learned import AbstractPopulation
from dcg_econ.mechanism import AbstractGame
from dcg_econ.priors import number


class AbstractTableGame(AbstractGame):
    """A game without types, in which every player reports a row of `size` numbers; reports are (N, size)."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers a player reports."""

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        """Nothing is drawn: a zero."""
        del key
        return jnp.zeros(())

    def known(self, types):
        """(N, 0): nothing."""
        del types
        return jnp.zeros((len(self.players), 0))

    def handed_in(self, actions, types):
        """The `actions` (N, size); raises `InputError` for another shape."""
        del types
        shape = (len(self.players), self.size)
        if jnp.shape(actions) != shape:
            raise InputError("actions", f"shape {jnp.shape(actions)}", f"give {shape}, for instance by Tables{shape}")
        return actions

    def settled(self, outcome):
        return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(outcome)]))

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome))


class Tables(AbstractPopulation):
    """Each player has its own row of numbers, which it reports whatever happens: `rows` (N, size), what is learned.

    By default two players with a strategy of an `IteratedGame` each; for another game give its numbers of players and
    `size`. Fresh rows are normal with mean zero and standard deviation `spread`, above zero.
    """

    rows: Float[Array, "N size"]

    def __init__(self, players: int = 2, size: int = 5, *, key: Array, spread: ArrayLike = 0.1):
        spread = number("spread")(spread)
        if spread.ndim > 0:
            raise InputError("spread", f"shape {spread.shape}", "give one number")
        require_positive("spread", spread)
        self.rows = spread * jax.random.normal(key, (players, size), spread.dtype)

    def numbers(self, known, heard=None):
        del known, heard
        return self.rows

    def assemble(self, numbers):
        return numbers


def payoffs_of(game: AbstractTableGame) -> Callable[[tuple[Float[Array, " size"], ...]], Float[Array, " N"]]:
    """The players' payoffs as a function of a tuple of N rows (size,), as `dcg_econ.learning.lookahead` takes them."""

    def values(copies):
        types = jnp.zeros(())
        return game.payoffs(types, game.outcome(game.handed_in(jnp.stack(copies), types)))

    return values
