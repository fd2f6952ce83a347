r"""Every number of the text as a LaTeX macro: \newcommand{\DoubleBlindContinuousPrice}{17.8}.

A macro is named after its table, row and column, digits spelled out; shares of first best and scores are in per cent. Words
that depend on a result ("above", "not told apart from") are macros too, so that the text changes when it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd
from paper_data import StudyData
from paper_tables import RACES, p_text

from dcg_econ.analysis import Table

DIGITS = dict(
    zip("0123456789", ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"], strict=True)
)
SHARES = {
    "selfish", "joint", "shaped", "price", "shaping", "gap", "regret", "efficiency", "difference", "regret_max", "regret_mean",
    "learned", "nash", "lindahl", "arrived", "discretised", "soft", "best", "sd", "budget_surplus", "estimate", "accuracy",
}  # fmt: skip


def macros(tables: Mapping[str, Table], studies: Mapping[str, StudyData]) -> dict[str, str]:
    """Every macro with its text."""
    found = _Macros()
    for name, table in tables.items():
        if name == "replications":
            continue
        for row, values in zip(table.frame.index, table.frame.to_dict("records"), strict=True):
            found.add({macro(name, str(row), str(column)): text(str(column), v) for column, v in values.items()})
            found.add(_words(name, str(row), values))
    for name, study in studies.items():
        found.add(_of_study(name, study))
    for name, (_, target) in RACES.items():
        found.add({macro(name, "target"): f"{target:g}"})
    found.add(_of_replications(tables["replications"].frame))
    found.add(_of_hypotheses(tables["hypotheses"].frame))
    return dict(found)


class _Macros(dict[str, str]):
    """Macros by name; two numbers with one name are refused."""

    def add(self, more: Mapping[str, str]) -> None:
        for name, value in more.items():
            if self.setdefault(name, value) != value:
                raise ValueError(f"two numbers are called {name}: {self[name]} and {value}")


def macro(*parts: str) -> str:
    """The name of a macro: letters only."""
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(DIGITS.get(word, word[:1].upper() + word[1:]) for word in words)


def text(column: str, value: object) -> str:
    """A value as the text prints it."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if pd.isna(value):
        return "unknown"
    if column == "p" or column.startswith("p_"):
        return p_text(value).replace("<", "less than")
    stem = re.sub(r"_(se|low|high)$", "", column)
    if stem in SHARES:
        digits = 2 if abs(value) < 0.1 or column != stem else 3 if 0.9995 <= value < 1 else 1
        return _signed(f"{100 * value:.{digits}f}")
    if float(value).is_integer() or abs(value) >= 100:
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.3g}")


def _signed(number: str) -> str:
    return f"$-${number[1:]}" if number.startswith("-") else number


def _words(name: str, row: str, values: Mapping[str, object]) -> dict[str, str]:
    """Where an interval lies, in words, for every estimate that has one."""
    found = {}
    for column, value in values.items():
        low, high = values.get(f"{column}_low"), values.get(f"{column}_high")
        if isinstance(low, float) and isinstance(high, float) and isinstance(value, float):
            found[macro(name, row, column, "side")] = side(low, high)
    if {"more", "low", "high"} <= set(values):
        found[macro(name, row, "side")] = side(float(values["low"]), float(values["high"]))  # type: ignore[arg-type]
    return found


def side(low: float, high: float) -> str:
    """What an interval says of a difference."""
    return "above" if low > 0 else "below" if high < 0 else "not told apart from"


def _of_study(name: str, study: StudyData) -> dict[str, str]:
    about = study.about
    training = about["specification"]["training"]
    found = {"sessions": about["sessions"], "unconverged": sum(about["unconverged"].values())}
    found |= {"steps": training["steps"], "batch": training["batch"], "rounds": about["specification"]["rounds"] or 0}
    found |= {"cells": len(about["unconverged"]), "minutes": round(about["seconds"] / 60)}
    return {macro(name, key): f"{int(value):,}" for key, value in found.items()}


def _of_replications(frame: pd.DataFrame) -> dict[str, str]:
    counts = {
        "rows": len(frame),
        "ok": int((frame["verdict"] == "ok").sum()),
        "papers": frame["paper"].nunique(),
        "derived": int((frame["kind"] == "derived").sum()),
    }
    return {macro("replications", key): str(value) for key, value in counts.items()}


def _of_hypotheses(frame: pd.DataFrame) -> dict[str, str]:
    supported = frame["verdict"].str.contains("supported") & ~frame["verdict"].str.contains(
        "not supported|not established"
    )
    return {
        macro("hypotheses", "declared"): str(len(frame)),
        macro("hypotheses", "supported"): str(int(supported.sum())),
    }


def written(found: Mapping[str, str]) -> str:
    """The file of macros."""
    lines = [f"\\newcommand{{\\{name}}}{{{value}}}" for name, value in sorted(found.items())]
    return "% Written by paper.py from the data: do not edit.\n" + "\n".join(lines) + "\n"
