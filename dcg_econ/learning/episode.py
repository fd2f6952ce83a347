"""One play of a mechanism."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from dcg_econ.mechanism import AbstractMechanism


class AbstractProtocol(eqx.Module):
    """Who speaks to whom before the reports, over which channel, for how many turns."""

    @property
    @abstractmethod
    def turns(self) -> int:
        """Turns of talk before the reports."""


class Silence(AbstractProtocol):
    """Nobody speaks; the report is all that is said."""

    @property
    def turns(self):
        return 0


class Episode(eqx.Module):
    """What was drawn, reported and earned in one play."""

    types: Any
    reports: Any
    outcome: Any
    payoffs: Float[Array, " N"]
    welfare: Float[Array, ""]
    first_best: Float[Array, ""]


def play(mechanism: AbstractMechanism, agents: Any, protocol: AbstractProtocol | None = None, *, key: Array) -> Episode:
    """Draws types, lets every player follow `agents`, and settles; map it over keys by `jax.vmap`."""
    del protocol  # silence is the only protocol so far
    types = mechanism.sample_types(key)
    reports = mechanism.reports(agents, types)
    outcome = mechanism.outcome(reports)
    return Episode(
        types,
        reports,
        outcome,
        mechanism.payoffs(types, outcome),
        mechanism.welfare(types, outcome),
        mechanism.first_best(types),
    )
