"""Message fields as a study keeps them, one tidy frame, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

POINT, MESSAGE, CODEWORD = "point", "message", "codeword"


def field_frame(fields: Sequence[tuple[int, Any]]) -> pd.DataFrame:
    """(training step, `MessageField`) pairs as rows: grid points, messages and codewords, with what all of a step share.

    Columns: step, what ("point", "message" or "codeword"), first, second, d_first, d_second, payoff, type, word, player,
    sender, and the shares of the messages' variance, share_first and share_second; `lines`: how many grid points along the
    second direction.
    """
    parts = []
    for step, found in fields:
        shares = np.append(found.plane.shares, 0.0)
        lines = found.shape[1] if len(found.shape) > 1 else 0
        shared = {"step": step, "player": found.player, "sender": found.sender, "lines": lines}
        shared |= {"share_first": shares[0], "share_second": shares[1]}
        kinds = {POINT: found.field_frame(), MESSAGE: found.messages_frame(), CODEWORD: found.codewords_frame()}
        for what, rows in kinds.items():
            parts.append(rows.assign(what=what, **shared))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, eq=False)
class StoredField:
    """What a figure needs of a `MessageField`, from the rows of one step."""

    player: str
    sender: str
    shape: tuple[int, ...]
    plane: Any
    points: np.ndarray
    field: np.ndarray
    payoff: np.ndarray
    messages: np.ndarray
    types: np.ndarray
    rows: pd.DataFrame

    def field_frame(self) -> pd.DataFrame:
        """As of a `MessageField`."""
        return self._of(POINT, ["first", "second", "d_first", "d_second", "payoff"])

    def messages_frame(self) -> pd.DataFrame:
        """As of a `MessageField`."""
        return self._of(MESSAGE, ["first", "second", "type"])

    def codewords_frame(self) -> pd.DataFrame:
        """As of a `MessageField`."""
        return self._of(CODEWORD, ["first", "second", "word"]).astype({"word": int})

    def _of(self, what, columns):
        # Frames of studies from before codewords were kept have no column for them.
        return self.rows.reindex(columns=["what", *columns]).query("what == @what")[columns].reset_index(drop=True)


def stored_fields(frame: pd.DataFrame) -> list[tuple[int, StoredField]]:
    """The (step, field) pairs of one cell's rows, in the order of training."""
    return [(int(step), _stored(rows)) for step, rows in frame.groupby("step", sort=True)]


def _stored(rows: pd.DataFrame) -> StoredField:
    first, lines = rows.iloc[0], int(rows["lines"].iloc[0])
    places = ["first", "second"] if lines else ["first"]
    slopes = ["d_first", "d_second"] if lines else ["d_first"]
    points, messages = rows[rows["what"] == POINT], rows[rows["what"] == MESSAGE]
    shares = first[["share_first", "share_second"]].to_numpy(float)[: len(places)]
    return StoredField(
        player=str(first["player"]),
        sender=str(first["sender"]),
        shape=(len(points) // lines, lines) if lines else (len(points),),
        plane=SimpleNamespace(shares=shares),
        points=points[places].to_numpy(float),
        field=points[slopes].to_numpy(float),
        payoff=points["payoff"].to_numpy(float),
        messages=messages[places].to_numpy(float),
        types=messages["type"].to_numpy(float),
        rows=rows,
    )
