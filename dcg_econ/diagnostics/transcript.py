"""What was said, for people to read: episodes as text, languages as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Bool

from dcg_econ._errors import InputError
from dcg_econ.diagnostics.topographic import cut, said_lengths

if TYPE_CHECKING:
    import pandas as pd

SILENCE = "(silent)"


def transcript(
    players: Sequence[str],
    said: Array | np.ndarray,
    stop: int | None = 0,
    spoken: Bool[Array | np.ndarray, "T N"] | None = None,
) -> str:
    """One episode, a line a message, in the order of turns and players: `turn 1  buyer: 3 1 4`.

    `said`: tokens (T, N, L), whole numbers read up to `stop`, or values (T, N, d), to three digits; `spoken` (T, N): whose
    turn it was, everybody's if None. A message of no tokens is `(silent)`. `InputError` where shapes and players do not agree.
    """
    said = np.asarray(said)
    if said.ndim != 3 or said.shape[1] != len(players):
        raise InputError("said", f"shape {said.shape} for {len(players)} players", "give (turns, players, length)")
    spoken = np.ones(said.shape[:2], bool) if spoken is None else np.asarray(spoken)
    if spoken.shape != said.shape[:2]:
        raise InputError("spoken", f"shape {spoken.shape}", f"give {said.shape[:2]}: turns, players")
    name = max((len(player) for player in players), default=0)
    turn = len(str(len(said)))
    lines = [
        f"turn {t + 1:>{turn}}  {players[i]:>{name}}: {message_text(said[t, i], stop)}"
        for t, i in zip(*np.nonzero(spoken), strict=True)
    ]
    return "\n".join(lines)


def message_text(message: Array | np.ndarray, stop: int | None = 0) -> str:
    """One message: tokens (L,) up to `stop`, or values (d,) to three digits, spaced."""
    message = np.asarray(message)
    if not np.issubdtype(message.dtype, np.integer):
        return " ".join(f"{value:.3g}" for value in message) or SILENCE
    return " ".join(map(str, message[: int(said_lengths(message, stop))])) or SILENCE


def codebook_table(meanings: Any, tokens: Array | np.ndarray, stop: int | None = 0) -> pd.DataFrame:
    """A language for audit: one row a distinct message of n, most frequent first.

    Columns: `message` as text, `count`, `share`, `meaning`, the most frequent one (of several columns: a tuple; of equals the
    first seen), `purity`, its share of the row, and `mean <column>` of numeric meanings. `meanings`: whatever
    `pandas.DataFrame` takes, n rows; tokens (n, L). `InputError` where they are unpaired.
    """
    import pandas as pd

    frame, tokens = pd.DataFrame(meanings).reset_index(drop=True), np.asarray(tokens)
    if tokens.ndim != 2 or len(frame) != len(tokens):
        raise InputError("tokens", f"shape {tokens.shape} for {len(frame)} meanings", "give (n, L), one row a meaning")
    heard = tokens if stop is None else cut(tokens, stop)
    whole = frame.iloc[:, 0] if frame.shape[1] == 1 else pd.Series(list(frame.itertuples(index=False, name=None)))
    rows = [_row(tokens[kept[0]], stop, frame.loc[kept], whole.loc[kept], len(frame)) for kept in _groups(heard)]
    named = ["message", "count", "share", "meaning", "purity"]
    columns = named + [f"mean {name}" for name in frame.select_dtypes("number")]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def _groups(heard):
    """The positions of each distinct row."""
    if len(heard) == 0:
        return []
    numbers = np.unique(heard, axis=0, return_inverse=True)[1].ravel()
    return [np.flatnonzero(numbers == number) for number in range(numbers.max() + 1)]


def _row(message, stop, meanings, whole, total):
    counts = whole.value_counts(sort=False)  # in the order of appearance
    means = {f"mean {name}": values.mean() for name, values in meanings.select_dtypes("number").items()}
    return {
        "message": message_text(message, stop),
        "count": len(whole),
        "share": len(whole) / total,
        "meaning": counts.idxmax(),
        "purity": counts.max() / len(whole),
        **means,
    }
