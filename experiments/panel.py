"""From what happened to rows of the panel: one row per session x round x participant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dcg_econ.experiments import observe
from dcg_econ.experiments.codec import short_text
from dcg_econ.experiments.conduct import Played
from dcg_econ.experiments.scene import Record, Scene
from dcg_econ.experiments.specification import Specification
from dcg_econ.learning import Protocol

LABELS = {
    "cell": "Cell (treatment at one point of the grid)",
    "session": "Session (independently trained group)",
    "round": "Round",
    "participant": "Participant",
    "role": "Role",
    "mechanism": "Mechanism",
    "treatment": "Treatment",
    "payoff": "Payoff, {money}",
    "welfare": "Surplus of everyone, {money} per round",
    "first_best": "First-best surplus, {money} per round",
    "nash_welfare": "Surplus in the Nash equilibrium, {money} per round",
    "second_best_welfare": "Surplus in the second best (Myerson and Satterthwaite), {money} per round",
    "lindahl_welfare": "Surplus in Lindahl's equilibrium at true preferences, {money} per round",
    "theory_welfare": "Surplus in theory, {money} per round",
    "babbling_welfare": "Surplus were nothing learned from talk, {money} per round",
    "theory_bits": "Information cost in theory, bits",
    "bits": "Information cost of the own messages, bits (missing in silence)",
    "capacity": "Capacity of one player's messages, bits (0 in silence, infinite where a whole report is handed in)",
    "regret": "Regret, one player's expected gain from the best deviation, share of first best",
    "converged": "Converged",
    "agent_type": "Agent",
}
_FIXED = ("cell", "session", "round", "participant", "role", "mechanism", "treatment")
_LAST = (
    "payoff",
    "welfare",
    "first_best",
    "nash_welfare",
    "second_best_welfare",
    "lindahl_welfare",
    "theory_welfare",
    "babbling_welfare",
    "theory_bits",
    "bits",
    "capacity",
    "regret",
    "converged",
    "agent_type",
)


def frame(
    name: str,
    document: Mapping[str, Any],
    scene: Scene,
    played: Played,
    record: Record,
    benchmarks: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """The rows of one cell, in the panel's units; `benchmarks`: columns of welfare, or of bits (S, T)."""
    people = observe.participants(scene.mechanism)
    labels = observe.columns(scene.mechanism)
    first_best = np.asarray(record.first_best)
    (sessions, rounds), count = first_best.shape, len(people.names)
    shape = (sessions, rounds, count)

    def spread(values: Any, unit: str) -> np.ndarray:
        values = np.asarray(values)
        values = values[:, :, list(people.places)] if values.ndim == 3 else values[:, :, None]
        if values.dtype.kind in "bi" and not unit:
            return np.broadcast_to(values, shape).ravel()
        scale = np.asarray(scene.units.of(unit))
        return np.broadcast_to(values * (scale[None, :, None] if scale.ndim else scale), shape).ravel()

    def by_session(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, rounds * count)

    found = {
        "cell": name,
        "session": by_session(np.arange(sessions)),
        "round": np.tile(np.repeat(np.arange(rounds), count), sessions),
        "participant": np.tile(people.names, sessions * rounds),
        "role": np.tile(people.roles, sessions * rounds),
        "mechanism": scene.kind,
        "treatment": document["treatment"],
    }
    found |= {column: parameter(value) for column, value in parameter_columns(document["parameters"]).items()}
    for name_, values in record.columns.items():
        column = f"outcome_{name_}" if name_ in found else name_  # a swept parameter of the same name was first
        unit = observe.MONEY if name_ == "payoff" else labels[name_].unit if name_ in labels else ""
        found[column] = spread(values, unit)
    common = {"welfare": record.welfare, "first_best": first_best, **benchmarks}
    units = {column: "" if column == "theory_bits" else observe.MONEY for column in common}
    found |= {column: spread(values, units[column]) for column, values in common.items()}
    found |= {
        "bits": _said(np.asarray(record.bits), people),
        "capacity": played.protocol.bits if isinstance(played.protocol, Protocol) else np.nan,
        "regret": by_session(played.regret),
        "converged": spread(np.asarray(record.settled) & played.converged[:, None], ""),
        "agent_type": np.tile(np.where(people.strategic, played.agent_type, "analytic"), sessions * rounds),
    }
    table = pd.DataFrame(found)
    middle = [column for column in table if column not in _FIXED + _LAST]
    table = table[[*_FIXED, *middle, *(column for column in _LAST if column in table)]]
    table.attrs["variable_labels"] = _labels(list(table), labels, scene.units.names, document["parameters"])
    return table


def _said(bits: np.ndarray, people: observe.Participants) -> np.ndarray:
    """The bits (S, T, N) of the players' own messages, at their rows; nobody else says anything."""
    column = np.full((*bits.shape[:2], len(people.names)), np.nan)
    column[:, :, np.flatnonzero(people.strategic)] = bits
    return column.ravel()


def parameter_columns(point: Mapping[str, Any]) -> dict[str, Any]:
    """The panel's columns for a point of the grid; `values.high` is `values_high`, and `supply`, a column, `grid_supply`."""
    taken = {*LABELS, "price", "quantity", "supply", "competitive_price", "type_value", "report_slope"}
    names = {key: key.replace(".", "_") for key in point}
    return {f"grid_{name}" if name in taken else name: point[key] for key, name in names.items()}


def parameter(value: Any) -> float | str:
    """A value of the grid as a column holds it: a number, or a short text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else short_text(value)


def _labels(
    names: Sequence[str], known: Mapping[str, observe.Column], units: Mapping[str, str], point: Mapping
) -> dict:
    texts = LABELS | {name: column.label for name, column in known.items()}
    parameters = zip(parameter_columns(point), point, strict=True)
    texts |= {name: f"Parameter {key}" for name, key in parameters if name not in known}
    return {name: texts.get(name, name.replace("_", " ").capitalize()).format(**units) for name in names}


def join(frames: Sequence[pd.DataFrame], specification: Specification) -> pd.DataFrame:
    """All cells in one panel, with a 0/1 column for each treatment, and labels and swept parameters in `attrs`."""
    names = [treatment.name for treatment in specification.treatments]
    labels = {k: v for f in frames for k, v in f.attrs.get("variable_labels", {}).items()}
    panel = pd.concat([_bare(f) for f in frames], ignore_index=True) if frames else empty()
    for name in names:
        panel[f"treat_{name}"] = (panel["treatment"] == name).astype(float)
    panel["capacity"] = _capacity(panel["capacity"], specification)
    treats = {f"treat_{name}": f"Treatment: {name.replace('_', ' ')}" for name in names}
    panel.attrs = {"variable_labels": labels | treats, "parameters": list(parameter_columns(specification.grid))}
    return panel


def _capacity(found: pd.Series, specification: Specification) -> pd.Series:
    """With the capacity of silence, which is nothing, or in a study of reports sent in words that of a whole report."""
    talks = [t.protocol for t in specification.treatments if t.protocol != "silence"]
    private = any(isinstance(talk, Mapping) and talk.get("private") for talk in talks)
    return found.fillna(np.inf if private else 0.0) if talks else found


def empty() -> pd.DataFrame:
    """A panel without rows, of a study none of whose cells is there."""
    texts, flags = ("cell", "participant", "role", "mechanism", "treatment", "agent_type"), ("converged",)
    kinds: dict[str, type] = {
        name: str if name in texts else bool if name in flags else float for name in (*_FIXED, *_LAST)
    }
    kinds |= {"session": int, "round": int}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _bare(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without its attributes: pandas compares them all when it concatenates."""
    frame = frame.copy(deep=False)
    frame.attrs = {}
    return frame
