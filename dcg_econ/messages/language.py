"""A language: what one message may be, and the channel it goes through."""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.channels.base import AbstractChannel, Info

MOST_WORDS = 4096  # messages that are listed one by one


class AbstractLanguage(AbstractChannel):
    """A channel from the `raw` numbers of a speaker's net to the `heard` numbers that reach a listener.

    `price`: payoff units per nat of the information cost; `length_price`: per token said.
    """

    price: eqx.AbstractVar[Array]
    length_price: eqx.AbstractVar[Array]

    @property
    @abstractmethod
    def raw(self) -> int:
        """How many numbers a net gives for one message."""

    @property
    @abstractmethod
    def constant(self) -> int:
        """How many of them, the last ones, nothing that a speaker knows may move: a codebook, a prior over choices."""

    @property
    @abstractmethod
    def heard(self) -> int:
        """How many numbers a listener gets."""

    @property
    @abstractmethod
    def bits(self) -> float:
        """The most that one message carries, in bits; infinite without noise."""

    @abstractmethod
    def sharp(self) -> "AbstractLanguage":
        """The language as it is used after training: nothing is soft any more."""

    @abstractmethod
    def text(self, heard: Float[Array, " H"]) -> str:
        """A message that was heard, for people to read."""

    def charge(self, info: Info) -> Float[Array, ""]:
        """What saying it costs the speaker, in payoff units."""
        nats = jnp.where(self.price > 0, info.nats, 0)
        return self.price * nats + self.length_price * info.length


class AbstractWords(AbstractLanguage):
    """A language of finitely many messages."""

    @abstractmethod
    def words(self) -> Float[Array, "W H"]:
        """Every message as it is heard; `InputError` where there are more than `MOST_WORDS`."""

    @abstractmethod
    def log_probs(self, raw: Float[Array, " R"]) -> Float[Array, " W"]:
        """The log-probability of every message."""

    @abstractmethod
    def facts(self, raw: Float[Array, " R"], heard: Float[Array, " H"]) -> Info:
        """The facts of one message."""

    @abstractmethod
    def relaxed(self, temperature: Array, straight_through: bool) -> "AbstractWords":
        """The language with differentiable stand-ins for its symbols."""


def require_price(language: Any) -> None:
    """Refuses prices that are negative."""
    for field in ("price", "length_price"):
        require_positive(field, getattr(language, field), strict=False)
        if is_concrete(getattr(language, field)) and getattr(language, field).ndim > 0:
            raise InputError(field, f"shape {getattr(language, field).shape}", "give one number; for many use jax.vmap")


def require_count(field: str, value: Any, least: int = 1) -> None:
    """Refuses what is no whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(field, f"{value!r}", f"give a whole number of {least} or more")
