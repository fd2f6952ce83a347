"""Who speaks to whom before the reports, over which channel, for how many turns."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import numpy as np

from dcg_econ._errors import InputError
from dcg_econ._names import nearest
from dcg_econ.messages.language import AbstractLanguage, require_count


class AbstractProtocol(eqx.Module):
    """The talk before the reports."""

    @property
    @abstractmethod
    def turns(self) -> int:
        """Turns of talk before the reports."""

    @abstractmethod
    def speaking(self, players: tuple[str, ...]) -> np.ndarray:
        """Who speaks when, (T, N) of bool."""

    @abstractmethod
    def hears(self, players: tuple[str, ...]) -> np.ndarray:
        """Whether player i hears player j, (N, N) of bool; everybody hears itself."""

    @abstractmethod
    def sharp(self) -> AbstractProtocol:
        """The protocol as it is used after training: nothing is soft any more."""

    @property
    @abstractmethod
    def bits(self) -> float:
        """The most that one speaker says over all its turns, in bits."""


class Silence(AbstractProtocol):
    """Nobody speaks; the report is all that is said."""

    @property
    def turns(self):
        return 0

    def speaking(self, players):
        return np.zeros((0, len(players)), bool)

    def hears(self, players):
        return np.eye(len(players), dtype=bool)

    def sharp(self):
        return self

    @property
    def bits(self):
        return 0.0


def _names(speakers: Any) -> Any:
    """Names from a file come as a list, and what is static must be a tuple."""
    return tuple(speakers) if isinstance(speakers, list) else speakers


class Protocol(AbstractProtocol):
    """`speakers` (all players by default) speak `language`, for `turns` turns, before the reports.

    At each turn all speakers talk at once; with `in_turn` one does, the first named first. What is said is public;
    with `private` nobody but the mechanism hears it (and the speaker knows what came through).
    """

    language: AbstractLanguage
    speakers: tuple[str, ...] | None = eqx.field(static=True, default=None, converter=_names)
    turns: int = eqx.field(static=True, default=1)
    in_turn: bool = eqx.field(static=True, default=False)
    private: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if not isinstance(self.language, AbstractLanguage):
            raise InputError("language", f"{self.language!r}", "give one, e.g. dcg.Chat(vocabulary=8, length=2)")
        require_count("turns", self.turns)
        if self.speakers is not None and (not isinstance(self.speakers, tuple) or not self.speakers):
            raise InputError("speakers", f"{self.speakers!r}", 'give names, e.g. ("buyer",), or None for everybody')

    def _named(self, players):
        names = players if self.speakers is None else self.speakers
        for name in names:
            if name not in players:
                raise InputError("speakers", f"no player `{name}`", nearest(str(name), list(players)))
        return names

    def speaking(self, players):
        names = self._named(players)
        speaks = np.zeros((self.turns, len(players)), bool)
        for turn in range(self.turns):
            for name in (names[turn % len(names)],) if self.in_turn else names:
                speaks[turn, players.index(name)] = True
        return speaks

    def hears(self, players):
        everybody = np.ones((len(players), len(players)), bool)
        return np.eye(len(players), dtype=bool) if self.private else everybody

    def sharp(self):
        return eqx.tree_at(lambda p: p.language, self, self.language.sharp())

    @property
    def bits(self):
        if not (self.in_turn and self.speakers):
            return self.turns * self.language.bits
        taken = [self.speakers[turn % len(self.speakers)] for turn in range(self.turns)]
        return max(map(taken.count, taken)) * self.language.bits


def as_protocol(talk: Any) -> AbstractProtocol:
    """A protocol: a language alone is spoken once, by everybody at the same time; None is silence."""
    if talk is None:
        return Silence()
    if isinstance(talk, AbstractLanguage):
        return Protocol(talk)
    if not isinstance(talk, AbstractProtocol):
        raise InputError(
            "protocol", f"{talk!r}", "give dcg.Silence(), a language like dcg.Chat(), or dcg.Protocol(...)"
        )
    return talk
