"""A study as a Python object: the same as a specification file, run and read from a script or a notebook."""

from __future__ import annotations

import operator
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from dcg_econ._errors import InputError
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.experiments.codec import NO_CLASSES, PARTS, Classes, describe, is_own, kind_of
from dcg_econ.experiments.plan import Cell, cells_of
from dcg_econ.experiments.progress import AbstractProgress, progress_for
from dcg_econ.experiments.registration import register_before_data
from dcg_econ.experiments.results import Results, begin, counts, finish
from dcg_econ.experiments.runner import locked, run_cells
from dcg_econ.experiments.specification import ROUNDS, Specification, SpecificationError, load, validate
from dcg_econ.experiments.store import DONE, Store, StoreError, check_folder
from dcg_econ.experiments.where import Where
from dcg_econ.experiments.work import Order, Outcome
from dcg_econ.learning import AbstractEstimator, AbstractObjective, Selfish, Silence
from dcg_econ.learning.protocol import AbstractProtocol
from dcg_econ.mechanism import AbstractGame


@dataclass(frozen=True)
class Treatment:
    """How the players of a treatment decide. `conduct`: "learned", "nash", "price_taking", or a strategy in closed form.

    `estimator`: by default what suits the mechanism. `mechanism` takes the place of the study's; `training` holds what
    differs from the study's settings.
    """

    conduct: str | AbstractStrategy = "learned"
    protocol: AbstractProtocol = field(default_factory=Silence)
    estimator: AbstractEstimator | None = None
    objective: AbstractObjective = field(default_factory=Selfish)
    mechanism: AbstractGame | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """What a run did: outcomes of the cells it did, how many were there before, and what it set aside or replaced.

    `results`: all cells of the study, looked at when the run had ended.
    """

    outcomes: tuple[Outcome, ...]
    earlier: int
    results: Results
    aside: tuple[str, ...]
    replaced: str


class Study:
    """Treatments on one mechanism, each with the same number of sessions, at every point of a grid.

    `treatments` maps a name to a `Treatment`, or to its protocol or strategy alone. `grid` maps a parameter of the
    mechanism ("outside_slope", "values.high") or of training ("training.knots") to a list of values, or a name to a list
    of dicts that set several parameters together under a `label`; every combination is run. `hypotheses`: tables as in
    a specification file (name, outcome, treatment, against, alternative, margin, family); `correction` adjusts their p
    values within families, "holm" or "romano_wolf". Further keywords set the training: steps, batch, knots, width,
    learning_rate, records. `sessions` is fixed beforehand. Raises `SpecificationError`, which names the argument and the
    remedy.

    Results go to `folder`, by default results/NAME; running again does only what is missing there.
    """

    def __init__(
        self,
        mechanism: Any,
        treatments: Any,
        *,
        sessions: Any = 20,
        rounds: Any = ROUNDS,
        seed: Any = 0,
        title: str | None = None,
        question: str = "",
        grid: Any = None,
        outcomes: Any = ("efficiency", "regret"),
        hypotheses: Any = (),
        correction: str = "holm",
        regret_tolerance: float | None = None,
        precision: str = "float64",
        folder: str | Path | None = None,
        **training: Any,
    ):
        if not isinstance(mechanism, AbstractGame):
            raise SpecificationError(
                f"mechanism: got {type(mechanism).__name__}; give a mechanism, e.g. CurveMarket(...)"
            )
        if grid is not None and not isinstance(grid, Mapping):
            raise SpecificationError("grid: give a dict from a parameter to a list of values")
        if not isinstance(treatments, Mapping):
            raise SpecificationError(
                "treatments: give a dict from a name to a treatment, e.g. {'nash': dcg.Treatment('nash')}"
            )
        classes: dict[str, type] = {}
        name = kind_of(type(mechanism))
        tree: dict[str, Any] = {
            "title": title or f"A study of {name.replace('_', ' ')}",
            "question": question,
            "mechanism": _described(mechanism, "mechanism", classes),
            "treatments": [_treatment(key, value, classes) for key, value in treatments.items()],
            "sessions": _whole(sessions),
            "rounds": _whole(rounds),
            "seed": _whole(seed),
            "precision": precision,
            "training": training,
            "grid": {key: _listed(values, f"grid.{key}", classes) for key, values in (grid or {}).items()},
            "outcomes": [outcomes] if isinstance(outcomes, str) else list(outcomes),
            "hypotheses": [dict(h) if isinstance(h, Mapping) else h for h in hypotheses],
            "correction": correction,
        }
        if regret_tolerance is not None:
            tree["tolerances"] = {"regret": regret_tolerance}
        self._set(validate(tree), Path(folder or Path("results") / name), classes)

    @classmethod
    def load(cls, study: str | Path, folder: str | Path | None = None) -> Study:
        """A study of the catalogue by name, or of a TOML file by path."""
        return cls.of(load(study), folder or Path("results") / Path(study).stem)

    @classmethod
    def of(cls, specification: Specification, folder: str | Path) -> Study:
        """The study of a specification that is read already."""
        self = cls.__new__(cls)
        self._set(specification, Path(folder), NO_CLASSES)
        return self

    def _set(self, specification: Specification, folder: Path, classes: Classes) -> None:
        self.specification = specification
        self.folder = folder
        self.classes = classes
        self.cells: list[Cell] = cells_of(specification, classes)

    def run(
        self,
        folder: str | Path | None = None,
        *,
        workers: int | None = None,
        scheduler: str | None = None,
        scheduler_file: str | Path | None = None,
        client: Any = None,
        retries: int = 1,
        checkpoint_every: float = 30.0,
        quiet: bool = False,
    ) -> pd.DataFrame:
        """Does the cells that are missing and returns the panel; what failed is in `status()`.

        One process by default. `workers`: that many Dask workers here, a process each (a script that asks for them needs
        `if __name__ == "__main__":`). `scheduler`, `scheduler_file` or `client`: a Dask scheduler that exists and shares
        the folder's file system. `retries`: further attempts at a cell after an exception.
        `checkpoint_every`: seconds between checkpoints of a long training.
        """
        self.folder = Path(folder) if folder is not None else self.folder
        source = Where(workers, scheduler, scheduler_file, client).connect(retries)
        with progress_for(quiet) as progress:
            results = self.execute(progress, source, retries, checkpoint_every).results
        status = results.status()
        if (status["status"] != DONE).any():
            warnings.warn(f"{counts(status)}: see status()", stacklevel=2)
        return _panel(results)

    def execute(
        self,
        progress: AbstractProgress,
        client: AbstractContextManager[Any],
        retries: int = 1,
        checkpoint_every: float = 30.0,
    ) -> Ran:
        """`run` without its choices: `client` is a context manager of a Dask client, or of None for this process."""
        if retries < 0:
            raise InputError("retries", f"{retries}", "give zero or more")
        store = Store(self.folder, writing=True)
        check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(store):
            store.prepare()
            start = time.perf_counter()
            register_before_data(self.folder, self.specification, [cell.name for cell in self.cells])
            replaced = begin(store, self.specification, self.cells, sorted(self.classes))
            order = Order(str(self.folder.resolve()), retries, checkpoint_every, self.classes)
            with client as connected:
                if connected is not None:
                    self._check_importable()
                outcomes = run_cells(store, self.cells, order, progress, connected)
            results = finish(store, self.specification, self.cells, time.perf_counter() - start)
        return Ran(tuple(outcomes), len(self.cells) - len(outcomes), results, tuple(store.aside), replaced)

    def _check_importable(self) -> None:
        """Workers import the classes of a program; those of the script itself they cannot."""
        for cls in self.classes.values():
            if cls.__module__ == "__main__":
                raise InputError(
                    "workers",
                    f"{cls.__name__} is defined in the script itself",
                    "move it to a module, which workers can import",
                )

    def results(self) -> Results:
        """This study's cells in its folder, whatever else lies there."""
        return Results(Store(self.folder), self.specification, self.cells)

    def panel(self) -> pd.DataFrame:
        """One row per session x round x participant of all finished cells; raises `StoreError` where there is none."""
        return _panel(self.results())

    def status(self) -> pd.DataFrame:
        """One row per cell: its state, sessions, how many did not converge, seconds, warnings, error."""
        return self.results().status()

    def report(self, path: str | Path | None = None) -> Path:
        """Writes the report: report.html with figures/ and tables/ in the folder, or the page alone to `path`."""
        from dcg_econ.experiments.report import write_study_report

        return write_study_report(self.results(), None if path is None else Path(path))

    def __repr__(self) -> str:
        s = self.specification
        return f"Study({s.title!r}: {len(self.cells)} cells of {s.sessions} sessions, in {self.folder})"

    def _repr_html_(self) -> str:
        counts = self.status()["status"].value_counts().to_dict()
        state = ", ".join(f"{count} {name}" for name, count in counts.items())
        rows = "".join(
            f"<tr><td>{escape(t.name)}</td><td>{escape(str(t.conduct))}</td><td>{escape(str(t.protocol))}</td></tr>"
            for t in self.specification.treatments
        )
        grid = "".join(f"<li>{escape(k)}: {escape(str(v))}</li>" for k, v in self.specification.grid.items())
        return (
            f"<b>{escape(self.specification.title)}</b><p>{len(self.cells)} cells of {self.specification.sessions} sessions: "
            f"{escape(state)}</p><table><tr><th>treatment</th><th>conduct</th><th>protocol</th></tr>{rows}</table>"
            + (f"<ul>{grid}</ul>" if grid else "")
        )


def _panel(results: Results) -> pd.DataFrame:
    """The panel of a study, of which something must be there."""
    panel, folder = results.panel(), results.store.folder
    if panel.empty:
        raise StoreError(f"{folder} holds no finished cell of this study: run it, or see status() for errors")
    return panel


def _whole(value: Any) -> Any:
    """A whole number of any library as Python's; what is none is left to the specification to refuse."""
    return value if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)


def _listed(values: Any, where: str, classes: dict[str, type]) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SpecificationError(f"{where}: got {values!r}; give a list of values")
    return [_setting(value, f"{where}[{i}]", classes) for i, value in enumerate(values)]


def _setting(value: Any, where: str, classes: dict[str, type]) -> Any:
    """One value of the grid, which may be a dict of several parameters' values."""
    if isinstance(value, Mapping):
        return {key: _described(item, f"{where}.{key}", classes) for key, item in value.items()}
    return _described(value, where, classes)


def _treatment(name: str, value: Any, classes: dict[str, type]) -> dict[str, Any]:
    """The table of a treatment, which may be given by its protocol, strategy, objective or estimator alone."""
    where = f"treatments.{name}"
    for key, base in {"conduct": AbstractStrategy, **PARTS}.items():
        if isinstance(value, base):
            value = Treatment(**{key: value})
    value = Treatment(conduct=value) if isinstance(value, str) else value
    if not isinstance(value, Treatment):
        raise SpecificationError(
            f"{where}: got {type(value).__name__}; give dcg.Treatment(...), a protocol or a strategy"
        )
    table: dict[str, Any] = {"name": name, "training": dict(value.training)}
    for key in ("conduct", *PARTS, "mechanism"):
        part = getattr(value, key)
        if part is not None:
            table[key] = part if isinstance(part, str) else _described(part, f"{where}.{key}", classes)
    return table


def _described(value: Any, where: str, classes: dict[str, type]) -> Any:
    """`describe`, remembering the classes that are not of this package, which a specification file could not name."""
    for node in jax.tree_util.tree_leaves(
        value, is_leaf=lambda x: x is not value and hasattr(x, "__dataclass_fields__")
    ):
        _remember(node, classes)
    _remember(value, classes)
    return describe(value, where, spell_out=True, inside=where.startswith("grid."))


def _remember(value: Any, classes: dict[str, type]) -> None:
    cls = type(value)
    if hasattr(cls, "__dataclass_fields__") and not is_own(cls):
        classes[kind_of(cls)] = cls
