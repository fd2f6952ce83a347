r"""The linear public-goods game as laboratories run it: many rounds, groups of fixed size, partners or strangers.

Each round a participant gives g_i of its endowment e, and its group of n shares what all gave, multiplied,

    payoff_i = e - g_i + (multiplier / n) sum_j g_j,     mpcr = multiplier / n,                                 (1)

so that a group's payoffs sum to n e + (multiplier - 1) sum_j g_j: giving all is best for multiplier > 1, and giving nothing is
dominant for mpcr < 1. It is VoluntaryContribution with LinearPreferences of that mpcr and a cost of 1 a unit, repeated. The
names of what is recorded are those of oTree's sample game where it has them.

Source: Isaac and Walker (1988); for partners and strangers, Andreoni (1988).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.mechanisms.public_goods.laboratory_behaviour import AbstractBehaviour, Population, Setting
from dcg_econ.priors import number

if TYPE_CHECKING:
    import pandas as pd

_LABELS = {
    "session": "Session (independent group of participants)",
    "round": "Round",
    "group": "Group of the round",
    "participant": "Participant",
    "role": "Role",
    "mechanism": "Mechanism",
    "treatment": "Treatment",
    "contribution": "Contribution, money",
    "group_total": "Contributions of the group, money",
    "individual_share": "What each of the group gets from the contributions, money",
    "payoff": "Payoff, money",
    "welfare": "Payoffs of the group, money per round",
    "first_best": "First-best payoffs of the group, money per round",
    "nash_welfare": "Payoffs of the group in the Nash equilibrium, money per round",
    "bits": "Information in the message, bits (not priced: missing)",
    "regret": "Regret (behaviour is not solved for: missing)",
    "converged": "Converged",
    "agent_type": "Agent",
}


class AbstractMatching(eqx.Module):
    """Who meets whom."""

    @property
    @abstractmethod
    def treatment(self) -> str:
        """What the panel calls it."""

    @abstractmethod
    def seats(self, key: Array, participants: int) -> Int[Array, " P"]:
        """The participants of one round in the order of their seats, whose first `size` are the first group."""


class Partners(AbstractMatching):
    """The same groups in all rounds: the first `size` participants, the next ..."""

    @property
    def treatment(self):
        return "partners"

    def seats(self, key, participants):
        return jnp.arange(participants)


class Strangers(AbstractMatching):
    """Groups drawn anew each round, every partition equally likely."""

    @property
    def treatment(self):
        return "strangers"

    def seats(self, key, participants):
        return jax.random.permutation(key, participants)


class Rounds(NamedTuple):
    """What happened, by round and participant (T, P): the group's number, the contribution and the group's total, money."""

    group: Array
    contribution: Array
    group_total: Array


class PublicGoodsSession(eqx.Module):
    """A session of `groups` x `size` participants over `rounds`; `endowment` in money, each round anew.

    Errors: a group of one; a multiplier of 1 (every total is a first best) or of `size` (mpcr is 1, and every contribution a
    best reply); strangers in a single group, who are partners.
    """

    groups: int = eqx.field(static=True, default=4)
    size: int = eqx.field(static=True, default=4)
    rounds: int = eqx.field(static=True, default=10)
    endowment: Array = eqx.field(converter=number("endowment"), default=20.0)
    multiplier: Array = eqx.field(converter=number("multiplier"), default=1.6)
    matching: AbstractMatching = eqx.field(default_factory=Partners)

    def __check_init__(self):
        for field, least in (("groups", 1), ("size", 2), ("rounds", 1)):
            value = getattr(self, field)
            if not isinstance(value, int) or value < least:
                raise InputError(field, f"{value!r}", f"give a whole number, {least} or more")
        for field in ("endowment", "multiplier"):
            value = getattr(self, field)
            if value.ndim:
                raise InputError(field, f"shape {value.shape}", "give one number; for many use jax.vmap over `play`")
            require_positive(field, value)
        if is_concrete(self.multiplier) and np.isclose(float(self.multiplier), self.size, rtol=1e-12, atol=0):
            raise InputError(
                "multiplier",
                f"{self.size} is the group's size, so that mpcr is 1 and every contribution a best reply",
                "take it below `size` (nobody gives) or above (all give)",
            )
        if is_concrete(self.multiplier) and np.isclose(float(self.multiplier), 1, rtol=1e-12, atol=0):
            raise InputError(
                "multiplier",
                "1, so that mpcr is 1/size and every total a first best",
                "take it above 1 (giving is efficient) or below",
            )
        if isinstance(self.matching, Strangers) and self.groups == 1:
            raise InputError(
                "matching",
                "strangers in a single group meet the same people every round",
                "give `groups` of 2 or more, or Partners()",
            )

    @property
    def mpcr(self) -> Array:
        """The marginal per-capita return, money per money given."""
        return self.multiplier / self.size

    @property
    def participants(self) -> tuple[str, ...]:
        """The names of the P = groups x size participants."""
        return tuple(f"player {i + 1}" for i in range(self.groups * self.size))

    def play(self, behaviours: AbstractBehaviour | Sequence[AbstractBehaviour], key: Array) -> Rounds:
        """One session, traceable: `behaviours` is one for each participant, in order, or one for all.

        A round's draws depend on `key` and on its number only, so that longer sessions begin as shorter ones do.
        """
        population = Population(self._each(behaviours))
        setting = Setting(self.endowment, self.mpcr, jnp.asarray(self.size, self.endowment.dtype))
        number_of = jnp.repeat(jnp.arange(self.groups), self.size)

        def step(past, period):
            meet, act = jax.random.split(jax.random.fold_in(key, period))
            given = population.contributions(act, setting, period == 0, *past)
            seats = self.matching.seats(meet, len(self.participants))
            group = jnp.zeros_like(seats).at[seats].set(number_of)
            total = jnp.sum(given[seats].reshape(self.groups, self.size), axis=1)[group]
            return (given, total / self.size), Rounds(group, given, total)

        nothing = jnp.zeros(len(self.participants), self.endowment.dtype)
        _, rounds = jax.lax.scan(step, (nothing, nothing), jnp.arange(self.rounds))
        return rounds

    def individual_share(self, rounds: Rounds) -> Array:
        """What each participant gets from its group's contributions, money, of `group_total`'s shape."""
        return self.mpcr * rounds.group_total

    def payoffs(self, rounds: Rounds) -> Array:
        """(1), money, of `contribution`'s shape."""
        return self.endowment - rounds.contribution + self.individual_share(rounds)

    def welfare(self, rounds: Rounds) -> Array:
        """The payoffs of the own group, money, of `group_total`'s shape."""
        return self.size * self.endowment + (self.multiplier - 1) * rounds.group_total

    def first_best(self) -> Array:
        """A group's largest sum of payoffs, money per round: all or nothing is given."""
        return self.size * self.endowment * jnp.maximum(self.multiplier, 1.0)

    def nash_welfare(self) -> Array:
        """A group's payoffs if all maximise their own money, which is so in every round of the finite game."""
        return self.size * self.endowment * jnp.where(self.mpcr > 1, self.multiplier, 1.0)

    def simulate(
        self, behaviours: AbstractBehaviour | Sequence[AbstractBehaviour], key: Array, sessions: int = 1
    ) -> pd.DataFrame:
        """A panel of independent sessions, one row a session x round x participant; see `attrs["variable_labels"]`.

        Session s draws from `fold_in(key, s)`, however many there are.
        """
        import pandas as pd

        if not isinstance(sessions, int) or sessions < 1:
            raise InputError("sessions", f"{sessions!r}", "give a whole number, 1 or more")
        behaviours = self._each(behaviours)
        rounds = _sessions(self, behaviours, key, jnp.arange(sessions))
        shape = rounds.contribution.shape
        _, periods, count = shape
        columns = rounds._asdict() | {
            "individual_share": self.individual_share(rounds),
            "payoff": self.payoffs(rounds),
            "welfare": self.welfare(rounds),
            "first_best": self.first_best(),
            "nash_welfare": self.nash_welfare(),
        }
        found: dict[str, Any] = {
            name: np.broadcast_to(np.asarray(column), shape).ravel() for name, column in columns.items()
        }
        found |= {
            "session": np.repeat(np.arange(sessions), periods * count),
            "round": np.tile(np.repeat(np.arange(periods), count), sessions),
            "participant": np.tile(self.participants, sessions * periods),
            "role": "player",
            "mechanism": "public_goods_session",
            "treatment": self.matching.treatment,
            "bits": np.nan,
            "regret": np.nan,
            "converged": True,
            "agent_type": np.tile([behaviour.agent_type for behaviour in behaviours], sessions * periods),
        }
        table = pd.DataFrame(found)[list(_LABELS)]
        table.attrs["variable_labels"] = dict(_LABELS)
        return table

    def _each(self, behaviours: AbstractBehaviour | Sequence[AbstractBehaviour]) -> tuple[AbstractBehaviour, ...]:
        """One behaviour for each participant."""
        count = len(self.participants)
        if isinstance(behaviours, AbstractBehaviour):
            return (behaviours,) * count
        if len(behaviours) < count:
            missing = ", ".join(self.participants[len(behaviours) :][:3])
            raise InputError(
                "behaviours",
                f"{len(behaviours)} for {count} participants: {missing} ... have none",
                f"give {count}, or one behaviour for all",
            )
        if len(behaviours) > count:
            raise InputError(
                "behaviours", f"{len(behaviours)} for {count} participants", f"give {count}, or raise `groups`"
            )
        for name, behaviour in zip(self.participants, behaviours, strict=True):
            if not isinstance(behaviour, AbstractBehaviour):
                raise InputError(
                    "behaviours", f"{name} has {behaviour!r}", "give ConditionalCooperator(), FixedShare() ..."
                )
        return tuple(behaviours)


@eqx.filter_jit
def _sessions(session: PublicGoodsSession, behaviours: tuple, key: Array, numbers: Array) -> Rounds:
    return jax.vmap(lambda s: session.play(behaviours, jax.random.fold_in(key, s)))(numbers)
