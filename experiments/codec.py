"""Objects as plain tables and back: what a specification says in TOML, and what a manifest keeps in JSON.

A table names a class by its `kind`, the snake_case of the class name, and gives the arguments of its constructor:

    { kind = "curve_market", curvature = [1, 1, 1], values = { kind = "uniform", low = -1, high = 1 } }

Only the classes of this package and those handed in by a program can be named: a specification runs no code of its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from dcg_econ import agents, channels, learning, mechanisms, messages, priors
from dcg_econ._names import nearest
from dcg_econ.agents.nets import AbstractAwareness, AbstractNets
from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.channels import AbstractChannel
from dcg_econ.experiments.specification import SpecificationError
from dcg_econ.learning import (
    AbstractBaseline,
    AbstractEstimator,
    AbstractLookahead,
    AbstractObjective,
    AbstractProtocol,
    Retrained,
)
from dcg_econ.mechanism import AbstractGame
from dcg_econ.mechanisms import bargaining, public_goods
from dcg_econ.mechanisms.bargaining import curve_bargaining
from dcg_econ.mechanisms.bargaining.curve_bargaining import AbstractCommitment
from dcg_econ.mechanisms.bargaining.item_priors import AbstractItemPrior, Deadline
from dcg_econ.mechanisms.public_goods.costs import AbstractCost
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences
from dcg_econ.mechanisms.public_goods.provision_rules import AbstractRebate, AbstractRefund
from dcg_econ.messages import AbstractKernel, AbstractLanguage

Classes = Mapping[str, type]
Base = type | tuple[type, ...]

# What a treatment says by a table of its own, besides its conduct.
PARTS: Mapping[str, Base] = {
    "protocol": (AbstractProtocol, AbstractLanguage),  # a language alone is spoken once, by everybody
    "estimator": AbstractEstimator,
    "objective": AbstractObjective,
}
_HOMES: tuple[tuple[ModuleType, Base], ...] = (
    (mechanisms, AbstractGame),
    (curve_bargaining, AbstractCommitment),
    (public_goods, AbstractPreferences),
    (public_goods, AbstractCost),
    (public_goods, AbstractRefund),
    (public_goods, AbstractRebate),
    (bargaining, (AbstractItemPrior, Deadline)),
    (priors, priors.AbstractPrior),
    (agents, AbstractStrategy),
    (messages, AbstractLanguage),
    (messages, AbstractKernel),
    (channels, AbstractChannel),
    (agents, AbstractNets),
    (agents, AbstractAwareness),
    (learning, AbstractLookahead),
    (learning, AbstractBaseline),
    (learning, Retrained),
    *((learning, base) for base in PARTS.values()),
)
NO_CLASSES: Classes = {}
_LIBRARIES = {*sys.stdlib_module_names, "equinox", "jax"}


def kind_of(cls: type) -> str:
    """The snake_case of a class name: `CurveMarket` is `curve_market`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


@cache
def _own() -> dict[str, type]:
    found = {}
    for home, base in _HOMES:
        for value in vars(home).values():
            if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value):
                found[kind_of(value)] = value
    return found


def is_own(cls: type) -> bool:
    """Whether a class is of this package, so that a specification can name it."""
    return cls.__module__.partition(".")[0] == "dcg_econ"


def sources(classes: Classes) -> dict[str, str]:
    """A digest of each class of a program, of its source and its parents': another source, another cell.

    What the class calls outside of itself is not seen. Raises `SpecificationError` where there is no source to read, or
    where a class of this package has the name.
    """
    found = {}
    for kind, cls in classes.items():
        if kind in _own():
            raise SpecificationError(f"{cls.__name__}: dcg_econ has a class of that name; give yours another")
        try:
            theirs = [c for c in cls.__mro__ if not is_own(c) and c.__module__.partition(".")[0] not in _LIBRARIES]
            texts = [inspect.getsource(c) for c in theirs]
        except (OSError, TypeError):
            raise SpecificationError(
                f"{cls.__name__}: its source cannot be read, so nothing would notice when it changes; define it in a file "
                "or a notebook"
            ) from None
        found[kind] = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return found


def kinds(base: Base, classes: Classes = NO_CLASSES) -> dict[str, type]:
    """The classes that a table can name where a `base` is wanted, by kind."""
    return {kind: cls for kind, cls in ({**_own(), **classes}).items() if issubclass(cls, base)}


def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """The constructor's arguments by name."""
    return dict(inspect.signature(cls).parameters)


def build(table: Any, base: Base, where: str, classes: Classes = NO_CLASSES) -> Any:
    """The object that a table describes; raises `SpecificationError`, which names the key and the remedy."""
    if isinstance(table, str):
        table = {"kind": table}
    known = kinds(base, classes)
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise SpecificationError(f"{where}: no `kind`; say which: {', '.join(sorted(known))}")
    kind = table["kind"]
    if kind not in known:
        raise SpecificationError(f"{where}.kind: {kind!r} is not known; {nearest(kind, known)}")
    cls, arguments = known[kind], {}
    allowed = parameters_of(cls)
    for name, value in table.items():
        if name == "kind":
            continue
        if name not in allowed:
            raise SpecificationError(f"{where}.{name}: {kind} has no such parameter; {nearest(name, allowed)}")
        arguments[name] = _value(value, f"{where}.{name}", classes)
    missing = [n for n, p in allowed.items() if p.default is inspect.Parameter.empty and n not in arguments]
    if missing:
        raise SpecificationError(f"{where}.{missing[0]}: missing; add it")
    return _construct(cls, arguments, where)


def _value(value: Any, where: str, classes: Classes) -> Any:
    if isinstance(value, Mapping):
        return build(value, object, where, classes)
    return value


def _construct(cls: type, arguments: dict[str, Any], where: str) -> Any:
    try:
        return cls(**arguments)
    except SpecificationError:
        raise
    except Exception as error:  # whatever a constructor says of its arguments is for the reader of the specification
        text = " ".join(str(error).split()) or type(error).__name__
        field = getattr(error, "field", None)
        raise SpecificationError(f"{where}.{text}" if field in arguments else f"{where}: {text[:300]}") from None


def describe(value: Any, where: str = "value", spell_out: bool = False, inside: bool = False) -> Any:
    """The plain table of an object: numbers, strings, lists and tables only, as JSON and TOML have them.

    What is at its default is left out; with `spell_out` the tables `inside` it are written whole, so that a grid can
    reach into them. A number in single precision is written as the shortest decimal that rounds to it: what its
    author typed.
    """
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": kind_of(type(value)), **dict(_fields(value, where, spell_out, inside))}
    if isinstance(value, tuple | list):
        return [describe(item, f"{where}[{i}]", spell_out, inside) for i, item in enumerate(value)]
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        return _numbers(np.asarray(value))
    raise SpecificationError(
        f"{where}: a {type(value).__name__} cannot be written into a specification; use numbers, text, priors, or "
        "another equinox Module with such fields"
    )


def _fields(value: Any, where: str, spell_out: bool, inside: bool) -> Iterator[tuple[str, Any]]:
    """The fields that differ from their defaults, as constructor arguments."""
    allowed = parameters_of(type(value))
    for field in dataclasses.fields(value):
        given = getattr(value, field.name)
        if field.name not in allowed:
            raise SpecificationError(
                f"{where}.{field.name}: is not an argument of {type(value).__name__}'s constructor; give a class whose "
                "arguments are its fields"
            )
        whole = spell_out and (inside or dataclasses.is_dataclass(given))
        if whole or not _is_default(field, given):
            yield field.name, describe(given, f"{where}.{field.name}", spell_out, inside=True)


def _is_default(field: dataclasses.Field, given: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return False
    try:
        return _canonical(describe(given)) == _canonical(describe(default))
    except SpecificationError:
        return False


def _canonical(value: Any) -> Any:
    """Numbers as floats and pairs as lists, so that 0 is 0.0; what holds one number is that number."""
    if isinstance(value, bool | str | type(None)):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return {key: _canonical(item) for key, item in value.items()}


def _numbers(array: np.ndarray) -> Any:
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype.kind != "f":
        raise SpecificationError(f"an array of {array.dtype} cannot be written into a specification; give numbers")
    if array.dtype.itemsize < 8:
        return np.reshape([float(str(x)) for x in array.ravel()], array.shape).tolist()
    return array.tolist()


def canonical_text(value: Any) -> str:
    """One text for one meaning: sorted keys, whole numbers as floats, infinities by name."""

    def plain(item):
        if isinstance(item, bool | str | type(None)):
            return item
        if isinstance(item, int | float):
            return repr(float(item)) if not math.isfinite(item) else float(item)
        if isinstance(item, Mapping):
            return {str(k): plain(v) for k, v in item.items()}
        return [plain(v) for v in item]

    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def short_text(value: Any) -> str:
    """A value in a name: `0.5`, `5x1` for five ones, `1_2_4`; of a table its `label`, where it has one."""
    if isinstance(value, list):
        texts = [short_text(item) for item in value]
        return f"{len(texts)}x{texts[0]}" if len(texts) > 1 and len(set(texts)) == 1 else "_".join(texts)
    if isinstance(value, Mapping):
        rest = [short_text(v) for k, v in value.items() if k != "kind"]
        return str(value.get("label") or "_".join([*([str(value["kind"])] if "kind" in value else []), *rest]))
    return f"{value:.12g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def spelled_text(value: Any) -> str:
    """A table in words: `values = uniform (low = 0, high = 1), costs = ...`."""
    if not isinstance(value, Mapping):
        return short_text(value)
    inner = ", ".join(f"{key} = {spelled_text(item)}" for key, item in value.items() if key != "kind")
    if "kind" not in value:
        return inner
    return f"{value['kind']} ({inner})" if inner else str(value["kind"])
