"""Does one cell from beginning to end, wherever it runs: compute, try again, keep what came of it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from dcg_econ._errors import EquilibriumError, InputError
from dcg_econ.experiments.cell import Result, run_cell
from dcg_econ.experiments.codec import Classes
from dcg_econ.experiments.conduct import Hooks
from dcg_econ.experiments.plan import Cell
from dcg_econ.experiments.provenance import provenance
from dcg_econ.experiments.specification import SpecificationError
from dcg_econ.experiments.store import DONE, FAILED, Store, WriteError
from dcg_econ.learning import Checkpoint

HOPELESS = (InputError, EquilibriumError, SpecificationError)  # said by the game itself: trying again changes nothing
Steps = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Outcome:
    """What the run is told of a cell; its numbers lie in the store."""

    name: str
    id: str
    state: str
    seconds: float = 0.0
    unconverged: int = 0
    error: str = ""


@dataclass(frozen=True)
class Order:
    """How cells are done: attempts after an exception, seconds between checkpoints, and a program's own classes."""

    folder: str
    retries: int = 1
    checkpoint_every: float = 30.0
    classes: Classes = field(default_factory=dict)


def perform(cell: Cell, order: Order, steps: Steps | None = None) -> Outcome:
    """Computes a cell and keeps it, or its error; raises only `WriteError`, when nothing can be kept."""
    store = Store(order.folder, writing=True)
    checkpoint = Checkpoint(store.checkpoint(cell.id), tag=cell.id, every=order.checkpoint_every)
    hooks = Hooks(
        progress=None if steps is None else lambda done, total, text: steps(cell.name, done, total, text),
        checkpoint=checkpoint,
        devices=jax.local_devices(),
        classes=order.classes,
    )
    resumed = checkpoint.path.exists()
    for attempt in range(1, order.retries + 2):
        begun = datetime.now(UTC)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                result = run_cell(cell, hooks)
        except Exception as error:
            if _is_full(error):
                raise WriteError(f"the checkpoint of {cell.name}", error) from error
            if isinstance(error, HOPELESS) or attempt > order.retries:
                record = store.write_failure(cell.name, cell.id, error, attempt)
                return Outcome(cell.name, cell.id, FAILED, time.perf_counter() - start, error=record["error"])
            continue
        manifest = _manifest(cell, result, begun, attempt, resumed, _said(caught))
        store.write_cell(cell.id, result.frames, manifest)
        checkpoint.remove()
        return Outcome(cell.name, cell.id, DONE, result.seconds, result.unconverged)
    raise AssertionError("unreachable: the last attempt returns")


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and Path(str(error.filename or "")).parent.name == "checkpoints"


def _said(caught: list[warnings.WarningMessage]) -> list[str]:
    """Warnings that concern results; that JAX found no use for a compiled file of another process does not."""
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return [text for text in texts if "persistent compilation cache" not in text]


def _manifest(
    cell: Cell, result: Result, begun: datetime, attempt: int, resumed: bool, caught: list[str]
) -> dict[str, Any]:
    return {
        "name": cell.name,
        "hash": cell.hash,
        "document": dict(cell.document),
        "sessions": result.sessions,
        "unconverged": result.unconverged,
        "warnings": [*result.warnings, *caught],
        "facts": result.facts,
        "attempts": attempt,
        "resumed": resumed,
        "begun": begun.isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 3),
    } | provenance()
