"""The direction of players who reckon with each other's learning, in any game that is differentiated through."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError
from dcg_econ.agents.talkers import AbstractTalkers
from dcg_econ.learning.estimators import AbstractEstimator, Pathwise
from dcg_econ.learning.lookahead import Copies, shaped_directions
from dcg_econ.learning.objectives import Shaped
from dcg_econ.learning.score import Relaxed


class EachItsOwn(AbstractTalkers):
    """Player k acts as it does in the kth of N populations."""

    copies: Copies

    def raw(self, known, heard, turn):
        return jnp.stack([copy.raw(known, heard, turn)[k] for k, copy in enumerate(self.copies)])

    def numbers(self, known, heard=None):
        return jnp.stack([copy.numbers(known, heard)[k] for k, copy in enumerate(self.copies)])

    def assemble(self, numbers):
        return self.copies[0].assemble(numbers)


def require_differentiable(estimator: AbstractEstimator) -> None:
    """Refuses estimators that credit what was drawn: an update of the others is seen through derivatives alone."""
    if not isinstance(estimator, Pathwise | Relaxed):
        raise InputError(
            "objective",
            f"looks ahead where gradients are estimated by {type(estimator).__name__}",
            "give a channel that is differentiated through (dcg.Continuous, dcg.SpokenCurve) or estimator=dcg.Relaxed(), or "
            "an objective that does not look ahead",
        )


def shaped_direction(game: Any, objective: Shaped, learned: Any, draw: Any, step: Array) -> tuple[Any, Array]:
    """The sum of all players' directions, shaped like `learned`, and the share of episodes that failed.

    Each player has a copy of everything that is learned and moves its own: nets that players share get the sum. Costs of
    messages are in the payoffs. The update that is looked at is that of the same batch.
    """
    blank = game.taps(eqx.combine(learned, game.rest), draw)

    def played(copies):
        agents = EachItsOwn(tuple(eqx.combine(copy, game.rest) for copy in copies))
        (payoffs, _, _), passage = game.played(agents, draw, step, blank)
        good = passage.whole & jnp.all(jnp.isfinite(payoffs), axis=1)
        return jnp.mean(jnp.where(good[:, None], payoffs, 0), axis=0), jnp.mean(~(good & passage.settled))

    copies = (learned,) * len(game.mechanism.players)
    directions = shaped_directions(lambda copies: played(copies)[0], copies, objective.lookahead)
    return jax.tree.map(lambda *parts: sum(parts), *directions), played(copies)[1]
