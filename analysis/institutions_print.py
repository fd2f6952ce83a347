"""How the tables of institutions print: a line of numbers for each, its standard errors below."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dcg_econ.analysis.tables import MISSING, decimals, in_brackets, number_text, small_percent
from dcg_econ.analysis.units import split_label, units_of

PP = 100.0
INEXACT = 1e-6  # how far Lindahl's share may be from one and still be called efficient
COUNTS = "Sessions (unconverged, failed)"
NAMES = {"learned": "learned", "nash": "Nash"}


def outcome_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Efficiency beside its benchmarks, level and regret."""
    first = {"learned": "Learned (%)", "nash": "Nash (%)", "lindahl": "Lindahl (%)", "first_best": "First best (%)"}
    style = _style(frame, first, PP)
    columns = {head: _lines(frame, name, style, PP) for name, head in first.items()}
    columns |= _both(frame, "level", "Level")
    if frame["regret_max"].notna().any():
        for name, head in (("regret_mean", "Regret, % (mean)"), ("regret_max", "Regret, % (largest)")):
            columns[head] = [(small_percent(value) if value == value else MISSING, "") for value in frame[name]]
    columns[COUNTS] = [(text, "") for text in _counts(frame)]
    return _stack(frame, columns)


def payment_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Budget surplus, the least gain of a player and the rounds in which somebody loses."""
    columns = _both(frame, "surplus", "Budget surplus")
    columns |= _both(frame, "least_gain", "Least gain")
    columns |= _both(frame, "losing_rounds", "Rounds with a loser", PP, ", %")
    return _stack(frame, columns)


def outcome_notes(frame: pd.DataFrame, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What the numbers of the first table are."""
    notes = [
        "Efficiency, the first four columns, is E welfare / E first best over all rounds, in per cent, everyone included. "
        "Learned: by players who learned to play it; Nash: in the treatment that plays its equilibrium. "
        f"{_errors(frame)}",
        _benchmarks(frame),
    ]
    if "level_learned" in frame:
        unit = split_label(labels.get("level", ""))[1]
        notes.append(f"Level: mean level of the good{f', {unit}' if unit else ''}.")
    if frame["regret_max"].notna().any():
        notes.append(
            "Regret, of learned sessions: the largest expected gain of a player from its best deviation, in per cent of first "
            "best; mean and largest over sessions."
        )
    return (*notes, *_left_out(frame))


def payment_notes(frame: pd.DataFrame, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What the numbers of the second table are."""
    units, notes = units_of(labels), []
    if "surplus_learned" in frame:
        notes.append(
            f"Budget surplus: taxes less cost, mean, {units.flow}; it counts in welfare, and a deficit is negative."
        )
    if "least_gain_learned" in frame:
        notes.append(
            f"Least gain: the smallest payoff above that of keeping the endowment without the good, of any player in any "
            f"round, {units.money}. Rounds with a loser: share of rounds, in per cent, in which some player is worse off than "
            "so, by more than a millionth of first best: there the institution is not individually rational ex post. A "
            "player that expected to gain may be among them."
        )
    return (*notes, _errors(frame), *_left_out(frame))


def _benchmarks(frame: pd.DataFrame) -> str:
    text = (
        "Benchmarks: Nash, Lindahl and First best. Lindahl's equilibrium is that at true preferences, on the same draws, where "
        "nobody is excluded from the good; with quasi-linear players it is efficient, so that its column is 100 and its level "
        "the first best's."
    )
    if (frame["lindahl"] < 1 - INEXACT).any():
        text += " It is below 100 where an institution's own first best is larger, as when it can exclude players."
    return text


def _errors(frame: pd.DataFrame) -> str:
    sizes = (frame["sessions"] - frame["failed"]).astype(int)
    sizes = sizes[sizes > 0]
    if not any(frame[name].notna().any() for name in frame if str(name).endswith("_se")):
        return "One session: no standard error; run more sessions."
    counts = ""
    if len(sizes):
        span = f"{sizes.min()}" if sizes.nunique() == 1 else f"{sizes.min()} to {sizes.max()}"
        counts = f" ({span} learned sessions)"
    return f"Standard errors in brackets, clustered by session{counts}; the rounds of a session count as one draw."


def _left_out(frame: pd.DataFrame) -> list[str]:
    notes = []
    if frame[["learned", "nash"]].isna().any(axis=None):
        notes.append("A dash: the study has no such treatment, or no session of it finished.")
    if frame["unconverged"].sum():
        notes.append("Unconverged sessions are included in the means.")
    if frame["failed"].sum():
        notes.append("Failed sessions have no finite welfare and enter no mean.")
    return notes


def _both(
    frame: pd.DataFrame, name: str, head: str, factor: float = 1.0, unit: str = ""
) -> dict[str, list[tuple[str, str]]]:
    """The columns of learned play and of Nash, with as many decimals; nothing where the panel has none."""
    columns = {f"{name}_{play}": f"{head}{unit} ({text})" for play, text in NAMES.items()}
    if not set(columns) <= set(frame):
        return {}
    style = _style(frame, columns, factor)
    return {label: _lines(frame, column, style, factor) for column, label in columns.items()}


def _style(frame: pd.DataFrame, columns: Mapping[str, str], factor: float) -> str:
    errors = [frame[f"{name}_se"] for name in columns if f"{name}_se" in frame]
    known = factor * pd.concat(errors) if errors else np.array([])
    return f",.{decimals(known, smallest=2, largest=3, zero=5e-4)}f"


def _lines(frame: pd.DataFrame, name: str, style: str, factor: float) -> list[tuple[str, str]]:
    """Each number as text, and its standard error in brackets, empty where it has none."""
    errors = frame[f"{name}_se"] if f"{name}_se" in frame else pd.Series(np.nan, frame.index)
    brackets = [in_brackets(factor * error, style) for error in errors]
    below = ["" if text == MISSING else text for text in brackets]
    return list(zip([number_text(factor * value, style) for value in frame[name]], below, strict=True))


def _counts(frame: pd.DataFrame) -> list[str]:
    rows = frame[["sessions", "unconverged", "failed"]].itertuples(index=False, name=None)
    return [f"{n} ({unconverged}, {failed})" if n else MISSING for n, unconverged, failed in rows]


def _stack(frame: pd.DataFrame, columns: Mapping[str, list[tuple[str, str]]]) -> pd.DataFrame:
    """Two lines for each institution, the second without a head; one where nothing stands in the second."""
    lines = []
    for i, label in enumerate(frame["institution"]):
        above, below = ([column[i][line] for column in columns.values()] for line in (0, 1))
        lines += [[label, *above], *([["", *below]] if any(below) else [])]
    return pd.DataFrame(lines, columns=["Institution", *columns], dtype=object)
