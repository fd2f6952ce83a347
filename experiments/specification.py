"""A study as a TOML file, checked before anything is run or written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dcg_econ._names import nearest

CATALOG = Path(__file__).resolve().parent / "catalog"

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class SpecificationError(ValueError):
    """A specification that cannot be run: one line for each fault, naming the key and the remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Market(_Strict):
    """The market that is calibrated to the data."""

    buyers: int = Field(ge=2, le=50, description="number of strategic buyers")
    fringe_share: float = Field(gt=0, lt=1, description="share of the demand slope that belongs to price takers")
    value_spread: float = Field(ge=0, le=1, description="private values are uniform within +- this share of the price")


class Training(_Strict):
    """How learned treatments learn."""

    steps: int = Field(default=1500, ge=1, le=1_000_000, description="gradient steps")
    batch: int = Field(default=128, ge=1, le=65_536, description="market days in a step")
    knots: int = Field(default=12, ge=3, le=200, description="price knots of a demand schedule")
    width: int = Field(default=32, ge=1, le=1024, description="units in each of the two hidden layers")
    learning_rate: float = Field(default=1e-2, gt=0, le=1, description="initial step of Adam, cosine decay to zero")
    regret_tolerance: float = Field(default=1e-6, gt=0, le=1, description="a session with less regret has converged")


class Treatment(_Strict):
    """One treatment: what a buyer may hand in, and how it decides."""

    name: Slug = Field(description="short name, a column of the panel")
    report: Literal["schedule", "quantity"] = Field(description="a whole demand schedule, or one number")
    conduct: Literal["price_taking", "nash", "learned"] = Field(description="how a buyer decides")


class Specification(_Strict):
    """A study."""

    title: str = Field(min_length=1, max_length=200)
    question: str = Field(min_length=1, max_length=500)
    data: Literal["fulton_fish"] = Field(description="the data set the market is calibrated to")
    sessions: int = Field(ge=1, le=10_000, description="independently trained groups, fixed beforehand")
    seed: int = Field(ge=0, lt=2**31)
    market: Market
    training: Training = Training()
    treatments: list[Treatment] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self):
        names = [t.name for t in self.treatments]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"treatments: the name `{twice[0]}` is given twice; give each treatment its own name")
        return self

    def short(self) -> Specification:
        """The same study on two sessions and 60 steps: to see that it runs, not to learn anything from."""
        training = self.training.model_copy(update={"steps": 60, "batch": 32})
        return self.model_copy(update={"sessions": 2, "training": training})


def catalog() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    return {path.stem: path for path in sorted(CATALOG.glob("*.toml"))}


def load(name: str | Path) -> Specification:
    """Reads a specification: the name of a study in the catalogue, or the path of a TOML file."""
    path = _find(name)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SpecificationError(f"{path.name}: not valid TOML: {error}; mend that line") from None
    except UnicodeDecodeError:
        raise SpecificationError(f"{path.name}: not UTF-8 text; save it as UTF-8") from None
    try:
        return Specification.model_validate(raw)
    except ValidationError as error:
        raise SpecificationError("\n".join(_sentence(path.name, e) for e in error.errors())) from None


def _find(name: str | Path) -> Path:
    known = catalog()
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    if path.suffix == ".toml":
        raise SpecificationError(f"{name}: no such file; known studies: {', '.join(known)}")
    raise SpecificationError(f"{name}: no such study; {nearest(str(name), known)}")


def _sentence(file: str, error: Any) -> str:
    """One fault in words: where, what, and what to do."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    match error["type"]:
        case "extra_forbidden":
            return f"{file}: {where}: unknown key; {nearest(str(error['loc'][-1]), _keys_at(error['loc'][:-1]))}"
        case "missing":
            return f"{file}: {where}: missing; add it"
        case "literal_error":
            return f"{file}: {where}: {error['input']!r} is not one of {error['ctx']['expected']}; choose one of these"
        case "value_error":
            return f"{file}: {error['ctx']['error']}"
        case _:
            return f"{file}: {where}: got {_shown(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys_at(loc: tuple) -> list[str]:
    """The keys that a model knows at a location."""
    model: Any = Specification
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields[part].annotation
        model = Treatment if part == "treatments" else field
    return list(model.model_fields)
