"""Choices with costly attention as games of one player, who knows everything but acts through a channel.

The theory of the best channel is in `gaussian` and `discrete`; what the channel costs is not part of the payoffs here.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from dcg_econ._errors import InputError, require_positive
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms.inattention.discrete import require_choice
from dcg_econ.priors import number


class GaussianChoice(AbstractGame):
    """An action a (1,) that pays -(a - x)^2, where x (1,) is normal with mean zero and standard deviation `sd`."""

    sd: Array = eqx.field(converter=number("sd"), default=1.0)

    def __check_init__(self):
        if self.sd.ndim > 0:
            raise InputError("sd", f"shape {self.sd.shape}", "give one number; for many games use jax.vmap")
        require_positive("sd", self.sd)

    @property
    def players(self):
        return ("chooser",)

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        return self.sd * jax.random.normal(key, (1,), self.sd.dtype)

    def known(self, types):
        """(1, 1): x."""
        return types[:, None]

    def handed_in(self, actions, types):
        """The action (1,), or (1, 1) as nets give it."""
        del types
        return jnp.ravel(actions)

    def outcome(self, reports):
        return reports

    def settled(self, outcome):
        return jnp.all(jnp.isfinite(outcome))

    def payoffs(self, types, outcome):
        return -((outcome - types) ** 2)

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome))

    def first_best(self, types):
        """Zero, from the action x."""
        return jnp.zeros_like(types[0])


class DiscreteChoice(AbstractGame):
    """One of A actions in one of S states: `payoffs` (S, A), with the states drawn from `prior` (S,).

    The report (1, A) holds weights on the actions that sum to one: a choice, or probabilities.
    """

    table: Array = eqx.field(converter=number("payoffs"))
    prior: Array = eqx.field(converter=number("prior"))

    def __check_init__(self):
        require_choice(self.table, self.prior)

    @property
    def players(self):
        return ("chooser",)

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        return jax.random.categorical(key, jnp.log(self.prior))

    def known(self, types):
        """(1, S): one for the state, zero for the others."""
        return jax.nn.one_hot(types, self.prior.shape[0], dtype=self.table.dtype)[None]

    def handed_in(self, actions, types):
        del types
        return actions

    def outcome(self, reports):
        return reports

    def settled(self, outcome):
        return jnp.all(jnp.isfinite(outcome))

    def payoffs(self, types, outcome):
        return outcome @ self.table[types]

    def welfare(self, types, outcome):
        return jnp.sum(self.payoffs(types, outcome))

    def first_best(self, types):
        """From the best action in the state."""
        return jnp.max(self.table[types])
