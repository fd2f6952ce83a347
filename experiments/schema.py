"""The JSON schema of specifications, for editors that check and complete TOML."""

from __future__ import annotations

from typing import Any

from dcg_econ.agents.strategies import AbstractStrategy
from dcg_econ.experiments.codec import PARTS, Base, kinds, parameters_of
from dcg_econ.experiments.conduct import CONDUCTS
from dcg_econ.experiments.specification import Specification
from dcg_econ.mechanism import AbstractGame
from dcg_econ.priors import AbstractPrior

_LINK = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, with the parameters of every mechanism, prior, protocol, estimator, objective and strategy."""
    schema = Specification.model_json_schema()
    definitions = schema["$defs"]
    priors = _tables(AbstractPrior)
    for table in priors["oneOf"][:]:
        if table["properties"]["kind"]["const"] == "empirical":
            priors["oneOf"].append(_table("empirical", ["file", "column"], ["file", "column"]))
    definitions["Prior"] = priors
    mechanisms = _tables(AbstractGame)
    schema["properties"]["mechanism"] = mechanisms
    treatment = definitions["Treatment"]["properties"]
    treatment["mechanism"] = _named(kinds(AbstractGame), mechanisms)
    treatment["conduct"] = _named(CONDUCTS, _tables(AbstractStrategy)) | {"default": "learned"}
    for key, base in PARTS.items():
        treatment[key] = treatment[key] | _named(kinds(base), _tables(base))
        treatment[key].pop("anyOf", None) if "oneOf" in treatment[key] else None
        if treatment[key].get("default", "") is None:  # left out, as TOML has no null
            del treatment[key]["default"]
    treatment["training"] = {"$ref": "#/$defs/Training"}
    return {"$schema": _LINK} | schema


def _tables(base: Base) -> dict[str, Any]:
    """One of the tables that describe a `base`."""
    made = []
    for kind, cls in sorted(kinds(base).items()):
        parameters = parameters_of(cls)
        made.append(_table(kind, list(parameters), [n for n, p in parameters.items() if p.default is p.empty]))
    return {"oneOf": made}


def _table(kind: str, names: list[str], required: list[str]) -> dict[str, Any]:
    values = {"anyOf": [{"type": ["number", "array", "string", "boolean"]}, {"$ref": "#/$defs/Prior"}]}
    return {
        "type": "object",
        "title": kind,
        "properties": {"kind": {"const": kind}} | {name: values for name in names},
        "required": ["kind", *required],
        "additionalProperties": False,
    }


def _named(names: Any, tables: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [{"enum": sorted(names)}, *tables["oneOf"]]}
