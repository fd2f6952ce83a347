"""From a specification to cells: one treatment at one point of the grid, with all its sessions.

A cell has a readable name, and a hash of everything its numbers depend on: its own part of the specification, the
package's version and the data. Titles and hypotheses are not among them, so rewording a question repeats no work.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import jax

import dcg_econ
from dcg_econ._errors import InputError
from dcg_econ._names import nearest
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.experiments.codec import (
    NO_CLASSES,
    PARTS,
    Classes,
    build,
    canonical_text,
    describe,
    kinds,
    parameters_of,
    short_text,
    sources,
)
from dcg_econ.experiments.conduct import CONDUCTS
from dcg_econ.experiments.specification import (
    OUTCOMES,
    ROUNDS,
    Calibration,
    Specification,
    SpecificationError,
    Training,
    Treatment,
)
from dcg_econ.experiments.talkers import learning_form
from dcg_econ.learning import AbstractEstimator, AbstractObjective, as_protocol, default_estimator
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import CurveMarket

THEORY = "theory"  # the cell with what theory alone says about a calibrated market
_LONGEST = 100


@dataclass(frozen=True)
class Cell:
    """One unit of work. `document`: all that its numbers depend on, in plain values; `hash`: of these."""

    name: str
    hash: str
    document: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The name of its folder."""
        return f"{self.name}-{self.hash}"


def cells_of(specification: Specification, classes: Classes = NO_CLASSES) -> list[Cell]:
    """All cells of a study in the order of the specification; raises `SpecificationError` where one cannot be built."""
    shared = {key: getattr(specification, key) for key in ("sessions", "seed", "precision")}
    shared["rounds"] = specification.rounds or ROUNDS  # a calibrated market has its data's, whatever this says
    shared["tolerances"] = specification.tolerances.model_dump()
    origin = {"data": _data_hash(specification)} | ({"classes": sources(classes)} if classes else {})
    documents = []
    _check_outcomes(specification, classes)
    with jax.enable_x64(specification.precision == "float64"):
        if specification.calibration is not None:
            calibration = specification.calibration.model_dump()
            documents.append((THEORY, {"task": THEORY, "calibration": calibration, "precision": shared["precision"]}))
        if specification.mechanism is not None:
            _check_as_written(specification, classes)
        for i, treatment in enumerate(specification.treatments):
            players = _players(treatment, f"treatments[{i}]", classes)
            for point in points(specification):
                own = _own_part(specification, treatment, i, point, classes)
                own |= _estimator(treatment, i, players | own, classes)
                name = _name(treatment.name, point)
                documents.append((name, {"task": "treatment"} | shared | players | own | {"parameters": point}))
    _check_values(specification)
    cells = [Cell(name, _hash(document, origin), document) for name, document in documents]
    return [_apart(cell, cells) for cell in cells] if len({c.name for c in cells}) < len(cells) else cells


def points(specification: Specification) -> list[dict[str, Any]]:
    """Every combination of the grid's values."""
    keys = list(specification.grid)
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*specification.grid.values())]


def settings(point: Mapping[str, Any]) -> dict[str, Any]:
    """A point's parameters with their values; a table without a `kind` sets several of them together."""
    flat: dict[str, Any] = {}
    for key, value in point.items():
        together = isinstance(value, Mapping) and "kind" not in value
        if together and not set(value) - {"label"}:
            raise SpecificationError(f"grid.{key}: a table that sets nothing; give it a `kind`, or parameters to set")
        for name, entry in value.items() if together else [(key, value)]:
            if name in flat:
                raise SpecificationError(f"grid.{key}: `{name}` is set by another key too; keep one")
            if not (together and name == "label"):
                flat[name] = entry
    return flat


def _apart(cell: Cell, cells: list[Cell]) -> Cell:
    """The cell with part of its hash in its name where two names are the same."""
    same = sum(c.name == cell.name for c in cells) > 1
    return Cell(f"{cell.name}-{cell.hash[:6]}", cell.hash, cell.document) if same else cell


def _hash(document: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    text = canonical_text({"cell": document, "version": dcg_econ.__version__} | dict(origin))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_outcomes(specification: Specification, classes: Classes) -> None:
    """Refuses an outcome that no panel has; a program's own mechanism may have others."""
    for i, outcome in enumerate(specification.outcomes):
        if outcome not in OUTCOMES and not classes:
            raise SpecificationError(f"outcomes[{i}]: no panel has `{outcome}`; {nearest(outcome, OUTCOMES)}")


def _check_values(specification: Specification) -> None:
    """Refuses values of the grid that are the same, or that the panel's texts could not tell apart."""
    for key, values in specification.grid.items():
        texts = [value if isinstance(value, int | float) else short_text(value) for value in values]
        for i, text in enumerate(texts):
            if text in texts[:i]:
                raise SpecificationError(
                    f"grid.{key}[{i}]: {short_text(values[i])} is there already; give each value once"
                )


def _data_hash(specification: Specification) -> str | None:
    """Of the data that a calibration uses; data files of a specification are part of it already."""
    if specification.calibration is None:
        return None
    from dcg_econ.experiments.fulton import fulton_data

    return hashlib.sha256(fulton_data().to_csv(index=False).encode()).hexdigest()


def _name(treatment: str, point: Mapping[str, Any]) -> str:
    name = ".".join([treatment, *(f"{key.split('.')[-1]}={short_text(value)}" for key, value in point.items())])
    name = "".join(c if c.isalnum() or c in "._=+-" else "_" for c in name)
    return name if len(name) <= _LONGEST else name[:_LONGEST]


def _players(treatment: Treatment, where: str, classes: Classes) -> dict[str, Any]:
    """How players decide, in canonical tables."""
    found = {
        key: describe(build(getattr(treatment, key), base, f"{where}.{key}", classes))
        for key, base in PARTS.items()
        if getattr(treatment, key) is not None
    }
    conduct = treatment.conduct
    if isinstance(conduct, str):
        if conduct not in CONDUCTS:
            hint = nearest(conduct, [*CONDUCTS, *kinds(AbstractStrategy, classes)])
            raise SpecificationError(f"{where}.conduct: {conduct!r} is not known; {hint}")
    else:
        conduct = describe(build(conduct, AbstractStrategy, f"{where}.conduct", classes))
    return {"treatment": treatment.name, "conduct": conduct, **found}


def _estimator(treatment: Treatment, index: int, document: Mapping[str, Any], classes: Classes) -> dict[str, Any]:
    """The estimator as given, or what suits the mechanism and the talk; refuses one that would estimate the wrong gradient."""
    calibrated = "mechanism" not in document  # to a curve market, whose payoffs are continuous
    game = (
        CurveMarket(curvature=jax.numpy.ones(2))
        if calibrated
        else build(document["mechanism"], AbstractGame, "mechanism", classes)
    )
    protocol = as_protocol(build(document["protocol"], PARTS["protocol"], "protocol", classes))
    given = document.get("estimator")
    found = (
        default_estimator(game, protocol) if given is None else build(given, AbstractEstimator, "estimator", classes)
    )
    if treatment.conduct == "learned":
        objective = build(document["objective"], AbstractObjective, "objective", classes)
        training = Training.model_validate(document["training"])
        try:
            if not calibrated:
                protocol.speaking(game.players)
            found.check(learning_form(game, protocol, training), objective, protocol, training.batch)
        except InputError as error:
            raise SpecificationError(f"treatments[{index}].{error}") from None
    return {"estimator": describe(found)}


def _check_as_written(specification: Specification, classes: Classes) -> None:
    """Refuses a bad value in the specification's own table even where the grid replaces it in every cell."""
    table = dict(specification.mechanism or {})
    first = settings({key: values[0] for key, values in specification.grid.items()})
    absent = {key: value for key, value in first.items() if "." not in key and key not in table}
    _mechanism(table | absent, "mechanism", {}, classes)


def _own_part(specification, treatment: Treatment, index: int, point: Mapping[str, Any], classes: Classes) -> dict:
    """The mechanism (or calibration) and the training of a treatment at a point of the grid, canonical."""
    flat = settings(point)
    training = {k.removeprefix("training."): v for k, v in flat.items() if k.startswith("training.")}
    rest = {k: v for k, v in flat.items() if not k.startswith("training.")}
    for key in training:
        if key not in Training.model_fields:
            raise SpecificationError(f"grid.training.{key}: unknown key; {nearest(key, Training.model_fields)}")
    try:
        trained = specification.training_of(treatment, f"grid (at treatments[{index}]).training", **training)
    except ValueError as error:
        raise SpecificationError(str(error)) from None
    part: dict[str, Any] = {"training": trained.model_dump(exclude_none=True)}
    if specification.calibration is not None:
        return part | _calibrated(specification.calibration, treatment, index, rest)
    base = dict(specification.mechanism)
    study = _mechanism(_set(base, rest, classes), "mechanism", rest, classes)
    own = study
    if treatment.mechanism is not None:
        where = f"treatments[{index}].mechanism"
        table = treatment.mechanism
        table = base | {"kind": table} if isinstance(table, str) else table
        own = _mechanism(_set(table, rest, classes), where, rest, classes)
    return part | {"mechanism": own, "reference": study}


def _mechanism(table: Mapping[str, Any], where: str, point: Mapping[str, Any], classes: Classes) -> dict:
    try:
        return describe(build(table, AbstractGame, where, classes), where)
    except SpecificationError as error:
        at = ", ".join(f"{key} = {short_text(value)}" for key, value in point.items())
        raise SpecificationError(f"{error}" + (f" (at {at} of the grid)" if at else "")) from None


def _set(table: Mapping[str, Any], point: Mapping[str, Any], classes: Classes) -> dict[str, Any]:
    """A table with the values of a point of the grid; keys such as `values.high` reach into its own tables."""
    changed = deepcopy(dict(table))
    for key, value in point.items():
        *path, last = key.split(".")
        inner = changed
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None  # type: ignore[assignment]
        if not isinstance(inner, dict):
            raise SpecificationError(
                f"grid.{key}: there is no table `{'.'.join(path)}` to set it in; write it out first"
            )
        cls = kinds(object, classes).get(str(inner.get("kind")))
        if cls is not None and last not in parameters_of(cls):
            hint = nearest(last, [*parameters_of(cls), *(f"training.{k}" for k in Training.model_fields)])
            raise SpecificationError(f"grid.{key}: {inner.get('kind')} has no such parameter; {hint}")
        inner[last] = value
    return changed


def _calibrated(calibration: Calibration, treatment: Treatment, index: int, point: Mapping[str, Any]) -> dict:
    """A calibrated market's part of a cell; the treatment says by `mechanism` which market form."""
    from pydantic import ValidationError

    from dcg_econ.experiments.fulton import FORMS
    from dcg_econ.experiments.specification import fault

    form = treatment.mechanism or next(iter(FORMS))
    if not isinstance(form, str) or form not in FORMS:
        raise SpecificationError(
            f"treatments[{index}].mechanism: {form!r} is not calibrated; {nearest(str(form), FORMS)}"
        )
    try:
        found = Calibration.model_validate(calibration.model_dump() | dict(point))
    except ValidationError as error:
        raise SpecificationError(fault(error.errors()[0], Calibration, "grid")) from None
    return {"calibration": found.model_dump(), "form": form}
