"""The command that solves a mechanism, and the list of mechanisms."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ._names import nearest
from dcg_econ.equilibrium import Equilibrium, Sensitivity, sensitivity, solve
from dcg_econ.experiments.codec import build, describe, kinds, parameters_of
from dcg_econ.experiments.specification import SpecificationError
from dcg_econ.mechanism import AbstractMechanism

OUTCOMES = ("efficiency", "welfare")
ROUNDING = 1e-14  # printed derivatives below this share of the largest are the arithmetic's


def mechanism_lines() -> list[str]:
    """Each mechanism with its parameters."""
    known = kinds(AbstractMechanism)
    return [f"{kind:<23} {', '.join(parameters_of(cls))}" for kind, cls in sorted(known.items())]


def solved(kind: str, settings: Sequence[str], as_json: bool) -> str:
    """The equilibrium in words, or as one JSON object."""
    known = kinds(AbstractMechanism)
    if kind not in known:
        raise SpecificationError(f"{kind}: no such mechanism; {nearest(kind, known)}")
    table = table_of(kind, settings)
    mechanism = build(table, AbstractMechanism, kind)
    eq = solve(mechanism)
    found = sensitivity(mechanism, lambda eq: jnp.stack([eq.efficiency, eq.welfare]))
    if not as_json:
        frame = found.to_frame()
        slopes = np.stack(frame["derivative"].to_list())
        slopes = np.where(np.abs(slopes) < ROUNDING * np.nanmax(np.abs(slopes)), 0.0, slopes)
        frame = frame.assign(**{f"d {name}": slopes[:, i] for i, name in enumerate(OUTCOMES)})
        text = frame[["value", *(f"d {name}" for name in OUTCOMES)]].to_string(float_format="%.6g")
        return f"{eq}\nsensitivities\n{text}"
    return json.dumps(_document(kind, mechanism, eq, found), allow_nan=False)


def table_of(kind: str, settings: Sequence[str]) -> dict[str, Any]:
    """The table that `--set` options describe; `values.high=2` reaches into a table set before."""
    table: dict[str, Any] = {"kind": kind}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise SpecificationError(f"--set {setting!r}: write NAME=VALUE, e.g. --set 'curvature=[1, 1, 1]'")
        try:
            (value,) = tomllib.loads(f"value = {text.strip()}").values()
        except (RecursionError, ValueError):
            raise SpecificationError(
                f"--set {setting!r}: {text.strip()!r} is no TOML value; write numbers as 0.5, lists as [1, 2], text in quotes"
            ) from None
        *path, last = name.strip().split(".")
        if name.strip() == "kind":
            raise SpecificationError(f"--set {setting!r}: the mechanism is {kind}; name another in its place")
        inner = table
        for part in path:
            inner = inner.get(part)  # type: ignore[assignment]
            if not isinstance(inner, dict):
                raise SpecificationError(
                    f'--set {setting!r}: set {".".join(path)} first, e.g. to {{kind="uniform", low=0, high=1}}'
                )
        inner[last] = value
    return table


def _document(kind: str, mechanism: AbstractMechanism, eq: Equilibrium, found: Sensitivity) -> dict[str, Any]:
    present = [name for name, value in found.parameters.items() if np.all(np.isfinite(value))]  # bounds may be absent
    return {
        "mechanism": kind,
        "parameters": {k: v for k, v in describe(mechanism).items() if k != "kind"}
        | {name: _plain(found.parameters[name]) for name in present},
        "strategies": {"kind": type(eq.strategies).__name__} | _leaves(eq.strategies),
        "payoffs": dict(zip(eq.players, _plain(eq.payoffs), strict=True)),
        "welfare": _plain(eq.welfare),
        "first_best": _plain(eq.first_best),
        "efficiency": _plain(eq.efficiency),
        "regret": _plain(eq.regret),
        "residual": _plain(eq.residual),
        "converged": bool(eq.converged),
        "selection": eq.selection,
        "sensitivities": {
            name: {key: _plain(found.derivatives[key][i]) for key in present} for i, name in enumerate(OUTCOMES)
        },
        "stability": _plain(eq.stability),
        "settled": bool(eq.settled),
    }


def _leaves(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path).lstrip("."): _plain(leaf) for path, leaf in leaves}


def _plain(value: Any) -> Any:
    """Numbers and lists that JSON has; what is not finite is null."""
    listed = np.asarray(value).tolist()

    def finite(item):
        if isinstance(item, list):
            return [finite(part) for part in item]
        return item if not isinstance(item, float) or math.isfinite(item) else None

    return finite(listed)
