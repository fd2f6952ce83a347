"""What a replication must find: `papers/<slug>/expected.toml`, checked before anything runs. Loads no JAX."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dcg_econ.experiments.bibliography import entries
from dcg_econ.experiments.datafiles import SpecificationError

EXPECTED, PROGRAM = "expected.toml", "replicate.py"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Sentence = Annotated[str, StringConstraints(min_length=3, max_length=400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Row(_Strict):
    """One number: what the literature says, or what follows from it, and how near is near enough."""

    name: Name = Field(description="the name under which replicate() returns it")
    result: Sentence = Field(description="in words, with its unit")
    value: float = Field(description="what is expected")
    source: Sentence = Field(description="page, equation, table or section; for a derived value what it follows from")
    kind: Literal["published", "derived"] = Field(
        description="published: the number or its formula stands in the source; derived: it was worked out here, and "
        "independent() in replicate.py finds it by another method"
    )
    tolerance: float = Field(ge=0, description="largest |here - value|, in the value's own unit")
    reason: Sentence = Field(description="why that tolerance")


class Expected(_Strict):
    """One replication."""

    title: Sentence = Field(description="authors and year, as printed before each of its rows")
    references: list[str] = Field(min_length=1, description="keys of experiments/references.bib")
    fast: bool = Field(default=False, description="within seconds: a part of `replicate --fast`, and of the tests")
    rows: list[Row] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Expected:
        names = [row.name for row in self.rows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rows: {', '.join(twice)} twice; give each its own name")
        known = entries()
        if unknown := [key for key in self.references if key not in known]:
            raise ValueError(f"references: {', '.join(unknown)} not in references.bib; add the entry there")
        return self


def read_expected(folder: Path) -> Expected:
    """The expectations of a paper's folder; raises `SpecificationError` with file, field and remedy."""
    path = folder / EXPECTED
    try:
        return Expected.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SpecificationError(f"{path} is missing: {folder} is no replication") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path}: no TOML: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {_where(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SpecificationError("\n".join(lines)) from None


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "as a whole"
