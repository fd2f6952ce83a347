r"""Cheap talk as a game that can be played and learned; its theory is in `partitions`.

A talk rule is a table: the chance p(w | t) of each word w at each type t, and the action a_w that the receiver takes on
hearing w. Against it the sender gains at most

    max_w -(a_w - t - b)^2 - sum_w p(w | t) [-(a_w - t - b)^2]     at type t,                             (1)

and the receiver, who answers each word best by m_w = E[t | w], exactly

    sum_w P(w) (a_w - m_w)^2.                                                                             (2)

Both zero, the table is an equilibrium. The best word of (1) is sought among all, those that nobody says included: what the
receiver would do on hearing them can hold the sender to its words, or tempt it away.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms.cheap_talk.partitions import bounded
from dcg_econ.priors import AbstractBoundedPrior, Uniform, number

_SPOKEN = 1e-3  # a word that no type says more often than this is not in use
_SAME = 1e-6  # actions closer together than this, as a share of the span of the types, are one
_MASS = 1e-6  # how far chances and weights may be from adding up to one


class TalkRegret(NamedTuple):
    """What the best deviations from a talk rule bring: `sender`, the expectation of (1), `sender_at` (g,), at each type,
    `receiver`, (2), all in squared units of the type; and `cells`, the number of distinct actions of words in use."""

    sender: Float[Array, ""]
    sender_at: Float[Array, " g"]
    receiver: Float[Array, ""]
    cells: Int[Array, ""]


class CheapTalk(AbstractGame):
    """A sender who knows the type and would have the action higher by `bias`, and a receiver who acts.

    Types are numbers (), drawn from `prior`. Only the receiver's action counts, whatever the sender "does": it speaks
    before, through a channel.
    """

    bias: Array = eqx.field(converter=number("bias"))
    prior: AbstractBoundedPrior = eqx.field(converter=bounded, default_factory=lambda: Uniform())

    def __check_init__(self):
        if self.bias.ndim > 0:
            raise InputError("bias", f"shape {self.bias.shape}", "give one number; for many games use jax.vmap")
        require_finite("bias", self.bias)

    @property
    def players(self):
        return ("sender", "receiver")

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        return self.prior.sample(key, ())

    def known(self, types):
        """(2, 1): the type, and for the receiver its expectation."""
        return jnp.stack([types, self.prior.mean()])[:, None]

    def handed_in(self, actions, types):
        """The receiver's action () of the two `actions` (2,), or (2, 1) as nets give them."""
        del types
        return jnp.ravel(actions)[1]

    def outcome(self, reports):
        return reports

    def settled(self, outcome):
        return jnp.isfinite(outcome)

    def payoffs(self, types, outcome):
        return -((outcome - types - jnp.stack([self.bias, jnp.zeros_like(self.bias)])) ** 2)

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome))

    def first_best(self, types):
        """From the action half way between what the two want, whatever the type."""
        return -0.5 * self.bias**2 + 0.0 * types

    def regret_of(
        self,
        types: Float[Array, " g"],
        weights: Float[Array, " g"],
        probabilities: Float[Array, "g W"],
        actions: Float[Array, " W"],
        threshold: float = _SPOKEN,
    ) -> TalkRegret:
        """(1) and (2) for the table p(word | type) on `types` of these `weights`, with the receiver's `actions`.

        `cells` counts words that some type of positive weight says with more than `threshold`. Raises `InputError` where
        weights or a row of chances are negative or do not add up to one.
        """
        _require_chances("weights", weights)
        _require_chances("probabilities", probabilities)
        losses = (actions - types[:, None] - self.bias) ** 2
        sender_at = jnp.sum(probabilities * losses, axis=-1) - jnp.min(losses, axis=-1)
        said = weights @ probabilities
        right = (weights * types) @ probabilities / jnp.where(said > 0, said, 1.0)
        receiver = jnp.sum(said * (actions - right) ** 2)
        used = jnp.any((probabilities > threshold) & (weights > 0)[:, None], axis=0)
        low, high = self.prior.support()
        cells = _distinct(jnp.where(used, actions, jnp.inf), _SAME * (high - low))
        return TalkRegret(weights @ sender_at, sender_at, receiver, cells)


def _require_chances(field, chances):
    require_positive(field, chances, strict=False)
    if is_concrete(chances) and np.any(np.abs(np.sum(np.asarray(chances), axis=-1) - 1) > _MASS):
        raise InputError(field, "they do not add up to one", "divide them by their sum")


def _distinct(values, gap):
    """How many of the finite `values` are further than `gap` from the next lower one."""
    ordered = jnp.sort(values)
    below = jnp.concatenate([jnp.array([-jnp.inf], ordered.dtype), ordered[:-1]])
    return jnp.sum(jnp.isfinite(ordered) & (ordered - below > gap))
