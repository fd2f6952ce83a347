"""How the field of the first speaker's payoff over its messages moves while one session learns, for the report."""

from __future__ import annotations

from typing import Any

import jax
import pandas as pd

from dcg_econ.analysis.field_frames import field_frame
from dcg_econ.diagnostics import message_field
from dcg_econ.experiments.specification import SpecificationError
from dcg_econ.learning import AbstractProtocol, Protocol, play
from dcg_econ.mechanism import AbstractGame
from dcg_econ.messages import Codes

EPISODES, GRID = 128, 11


class Album:
    """Copies of the first session's players over a training: `album.add` is what `train` takes as `watch`.

    A training that is resumed shows its players from there on only; no number depends on an album.
    """

    def __init__(self, game: AbstractGame, protocol: AbstractProtocol, wanted: bool | None):
        if wanted and (not isinstance(protocol, Protocol) or protocol.private or not protocol.language.pathwise):
            raise SpecificationError(
                "training.field: there is no field over these messages; talk in numbers, in public"
            )
        self.game, self.protocol, self.wanted = game, protocol, wanted
        self.seen: list[tuple[int, Any]] = []

    def add(self, step: int, population: Any) -> None:
        """Keeps the players as they stand at `step`."""
        if self.wanted:
            self.seen.append((step, population))

    def frames(self, key: jax.Array) -> dict[str, pd.DataFrame]:
        """The fields of all steps over the messages of the last, as the frame `field`; nothing where none is wanted."""
        if not self.seen:
            return {}
        assert isinstance(self.protocol, Protocol)
        speaker = next(n for n in self.game.players if n in (self.protocol.speakers or self.game.players))
        ask = {"key": key, "player": speaker, "sender": speaker, "episodes": EPISODES}
        words = self._codewords(self.seen[-1][1], self.game.players.index(speaker), key)
        last = message_field(self.game, self.seen[-1][1], self.protocol, grid=GRID, codewords=words, **ask)
        earlier = [
            (step, message_field(self.game, population, self.protocol, grid=last, **ask))
            for step, population in self.seen[:-1]
        ]
        return {"field": field_frame([*earlier, (self.seen[-1][0], last)])}

    def _codewords(self, population: Any, speaker: int, key: jax.Array) -> Any:
        """The codebook (K, d) of a quantised language, which no type moves; None of others."""
        assert isinstance(self.protocol, Protocol)
        if not isinstance(self.protocol.language, Codes):
            return None
        said = play(self.game, population, self.protocol, key=key).talk
        assert said is not None
        return self.protocol.language.quantiser(said.raw[0, speaker]).codebook
