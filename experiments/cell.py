"""Runs one cell: what is played, what comes of it, and the frames that are kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.equilibrium import Equilibrium, solve
from dcg_econ.experiments import panel
from dcg_econ.experiments.benchmarks import lindahl_rule, second_best_rule, theory_rules
from dcg_econ.experiments.conduct import Hooks, played
from dcg_econ.experiments.plan import THEORY, Cell
from dcg_econ.experiments.scene import Scene, scene, settle
from dcg_econ.learning import Silence
from dcg_econ.mechanism import AbstractMechanism


class Result(NamedTuple):
    """Frames by name, facts for the manifest, sentences of warning, and the sessions that did not converge."""

    frames: dict[str, pd.DataFrame]
    facts: dict[str, Any]
    warnings: tuple[str, ...]
    sessions: int
    unconverged: int
    seconds: float


def run_cell(cell: Cell, hooks: Hooks | None = None) -> Result:
    """Computes a cell in its own precision; nothing is written. Errors are those of what it plays."""
    start, hooks = time.perf_counter(), hooks or Hooks()
    with jax.enable_x64(cell.document["precision"] == "float64"):
        if cell.document["task"] == THEORY:
            from dcg_econ.experiments.theory import theory_frames

            frames, facts = theory_frames(cell.document)
            return Result(frames, facts, (), 0, 0, time.perf_counter() - start)
        result = _treatment(cell.name, cell.document, hooks)
    return result._replace(seconds=time.perf_counter() - start)


def _treatment(name: str, document: Mapping[str, Any], hooks: Hooks) -> Result:
    stage = scene(document, hooks.classes)
    done = played(stage.mechanism, document, stage.keys, hooks)
    record = settle(stage.mechanism, done.profile, done.stacked, stage.types, done.protocol, stage.keys.talk)
    nash, warnings = _benchmark(stage)
    welfare = np.full(record.welfare.shape, np.nan)
    if nash is not None:
        welfare = np.asarray(
            settle(stage.reference, nash.strategies, False, stage.reference_types, Silence(), stage.keys.talk).welfare
        )
    second, more = _second_best(stage)
    theory = {
        name: np.asarray(rule(stage.types)) for name, rule in theory_rules(stage.mechanism, done.protocol).items()
    }
    benchmarks = {"nash_welfare": welfare, **second, **_lindahl(stage), **theory}
    rows = panel.frame(name, document, stage, done, record, benchmarks)
    frames = {"panel": rows}
    frames |= {n: f.assign(cell=name, treatment=document["treatment"]) for n, f in done.frames.items()}
    if done.history is not None:
        own = _nash_efficiency(stage, nash)
        history = done.history if (np.asarray(record.first_best) > 0).any() else _without_shares(done.history)
        frames["history"] = history.assign(cell=name, treatment=document["treatment"], nash_efficiency=own)
    if "calibration" in document and isinstance(done.protocol, Silence):
        from dcg_econ.experiments.schedules import schedule_frame

        frames |= schedule_frame(document, stage, done, nash)
    bad = rows.loc[~rows["converged"], "session"].nunique()
    unsettled = int((~np.asarray(record.settled)).any(axis=1).sum())
    said = (f"{unsettled} of {document['sessions']} sessions with rounds that did not settle",) if unsettled else ()
    return Result(frames, {}, (*done.warnings, *said, *warnings, *more), document["sessions"], bad, 0.0)


def _without_shares(history: pd.DataFrame) -> pd.DataFrame:
    """Where welfare is a loss there is no efficiency."""
    return history.assign(efficiency=np.nan, soft=np.nan)


def _benchmark(stage: Scene) -> tuple[Equilibrium | None, tuple[str, ...]]:
    """The equilibrium of the reference mechanism, or why there is none."""
    if not isinstance(stage.reference, AbstractMechanism):
        return None, ()
    try:
        return solve(stage.reference), ()
    except (EquilibriumError, InputError) as error:
        return None, (f"no Nash benchmark: {error}",)


def _second_best(stage: Scene) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The panel's column for the second best of the reference mechanism, where there is one, or why it is not known."""
    try:
        rule = second_best_rule(stage.reference)
    except (EquilibriumError, InputError) as error:
        return {}, (f"no second best: {error}",)
    return ({}, ()) if rule is None else ({"second_best_welfare": np.asarray(rule(stage.reference_types))}, ())


def _lindahl(stage: Scene) -> dict[str, np.ndarray]:
    """The panel's column for Lindahl's allocation of the reference mechanism, where there is one."""
    rule = lindahl_rule(stage.reference)
    return {} if rule is None else {"lindahl_welfare": np.asarray(rule(stage.reference_types))}


def _nash_efficiency(stage: Scene, nash: Equilibrium | None) -> float:
    """Of the mechanism that is played, which a treatment may have chosen otherwise than the reference."""
    if type(stage.mechanism) is type(stage.reference) and stage.reference_types is stage.types:
        return float("nan") if nash is None else float(nash.efficiency)
    if not isinstance(stage.mechanism, AbstractMechanism):
        return float("nan")
    try:
        return float(solve(stage.mechanism).efficiency)
    except (EquilibriumError, InputError):
        return float("nan")
