"""Regressions side by side: results of this package, statsmodels' and, with the extra `econ`, pyfixest's, in one table.

Models are read by maketables where it is installed: all that it knows, and whatever has its `__maketables_*` protocol, as
our results have. Without it our own and statsmodels' are read directly, to the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dcg_econ.analysis.escape import one_line
from dcg_econ.analysis.style import CONSTANT, treatment_label
from dcg_econ.analysis.tables import MISSING, STARS_LEGEND, Table, in_brackets, number_text, stars

COLUMNS = ["b", "se", "t", "p"]
STATISTICS = ("N", "r2", "se_type", "n_clusters")
_CONSTANTS = {"Intercept", "const", CONSTANT}
_TREATMENT = re.compile(r"treat_(\w+)|(?:C\()?treatment(?:, .*)?\)?\[(?:T\.)?(.+)\]")
_DUMMY = re.compile(r"C\((\w+).*\)\[.*\]")
_SANDWICH = {"nonrobust": "classical", "iid": "classical", "cluster": "clustered"}


def regression_table(
    *models: Any,
    labels: Mapping[str, str] | None = None,
    heads: Sequence[str] | None = None,
    drop: str = "",
    digits: int = 3,
    title: str = "Regressions",
    name: str = "regressions",
) -> Table:
    """One column a model, standard errors in brackets below the coefficients; at the foot what each rests on.

    `models`: `TreatmentEffects`, `InstrumentalVariables`, statsmodels results, and with the extra `econ` pyfixest's and all
    others that maketables reads. Constants share a row, and so do treatments by whatever name a formula gives them
    (`treat_chat`, `C(treatment)[T.chat]`); `labels` maps names of regressors and outcomes to other printed ones. `heads`
    replaces the outcomes over the columns. `drop` is a regular expression: regressors that it finds are left out, dummies
    of `C(round)` being said at the foot. `to_frame()` stacks b, se, t and p by column, nothing left out. Raises TypeError
    for a model that cannot be read, ValueError without models, with a head too few, or where two regressors of a model
    have one name.
    """
    if not models:
        raise ValueError("give at least one model: regression_table(fit, ...)")
    if heads is not None and len(heads) != len(models):
        raise ValueError(f"{len(heads)} heads for {len(models)} models: give one each")
    parts = [_read(model) for model in models]
    given = [dict(part.labels) | dict(labels or {}) for part in parts]
    outcomes = heads or [own.get(part.outcome, part.outcome) for part, own in zip(parts, given, strict=True)]
    columns = [f"({i + 1}) {one_line(text)}" for i, text in enumerate(outcomes)]
    named = [_named(part, own, column) for part, own, column in zip(parts, given, columns, strict=True)]
    shown = [_kept(part, own, drop) for part, own in zip(parts, named, strict=True)]
    rows = [*_coefficients(shown, digits), *_foot(parts, drop)]
    printed = pd.DataFrame(rows, dtype=object).set_axis(["", *columns], axis=1)
    frame = pd.concat(dict(zip(columns, named, strict=True)), names=["model", "regressor"])
    notes = (
        "Standard errors in brackets, of the kind that stands below each column. p values by Student's t on the degrees of "
        f"freedom there; without any, by the normal law. {STARS_LEGEND}",
    )
    return Table(frame, title, notes, name=name, printed=printed)


@dataclass(frozen=True, eq=False)
class _Part:
    """What the table needs of one model: b, se, t, p by regressor, the outcome, absorbed effects and statistics."""

    coefficients: pd.DataFrame
    outcome: str
    effects: tuple[str, ...]
    statistics: dict[str, Any]
    labels: Mapping[str, str]
    ours: bool


def _read(model: Any) -> _Part:
    try:
        from maketables import get_extractor
    except ImportError:
        return _protocol(model) if hasattr(model, "__maketables_coef_table__") else _statsmodels(model)
    reader = get_extractor(model)
    found = {key: reader.stat(model, key) for key in STATISTICS}
    return _part(model, reader.coef_table(model), reader.depvar(model), reader.fixef_string(model), found)


def _protocol(model: Any) -> _Part:
    found = {key: model.__maketables_stat__(key) for key in STATISTICS}
    effects = getattr(model, "__maketables_fixef_string__", None)
    return _part(model, model.__maketables_coef_table__, model.__maketables_depvar__, effects, found)


def _statsmodels(model: Any) -> _Part:
    try:
        table = pd.DataFrame({"b": model.params, "se": model.bse, "t": model.tvalues, "p": model.pvalues})
        outcome = str(model.model.endog_names)
    except AttributeError:
        raise TypeError(
            f"a {type(model).__name__} is no result of this package nor of statsmodels; for pyfixest's and others: "
            'pip install "dcg_econ[econ]"'
        ) from None
    found = {"N": model.nobs, "r2": getattr(model, "rsquared", None), "se_type": getattr(model, "cov_type", None)}
    return _part(model, table, outcome, None, found)


def _part(model: Any, table: pd.DataFrame, outcome: str, effects: str | None, found: dict[str, Any]) -> _Part:
    clusters = next((n for key in ("clusters", "n_groups") if (n := getattr(model, key, None)) is not None), None)
    if np.isscalar(clusters):
        found["n_clusters"] = clusters
    found["df"] = _degrees(model)
    absorbed = tuple(part.strip() for part in re.split(r"[+^]", effects)) if effects else ()
    ours = type(model).__module__.startswith("dcg_econ.")
    labels = getattr(model, "__maketables_var_labels__", None) or {}
    return _Part(table.reindex(columns=COLUMNS).astype(float), str(outcome), absorbed, found, labels, ours)


def _degrees(model: Any) -> float | None:
    """Degrees of freedom of Student's t, None for the normal law."""
    if getattr(model, "use_t", True) is False:
        return None
    for key in ("_df_t", "df_resid_inference", "df", "df_resid"):
        value = getattr(model, key, None)
        if value is not None and np.isscalar(value):
            return float(value)
    return None


def _named(part: _Part, labels: Mapping[str, str], column: str) -> pd.DataFrame:
    """The coefficients by their printed names."""
    names = [_name(str(raw), part.ours, labels) for raw in part.coefficients.index]
    twice = pd.Index(names).duplicated()
    if twice.any():
        raise ValueError(
            f"two regressors of {column} are called {names[int(twice.argmax())]}: tell them apart by labels"
        )
    return part.coefficients.set_axis(pd.Index(names), axis=0)


def _name(raw: str, ours: bool, labels: Mapping[str, str]) -> str:
    if raw in labels:
        return one_line(labels[raw])
    if raw in _CONSTANTS:
        return CONSTANT
    found = _TREATMENT.fullmatch(raw)
    if found:
        return treatment_label(found[1] or found[2])
    return treatment_label(raw) if ours else one_line(raw)


def _kept(part: _Part, named: pd.DataFrame, drop: str) -> pd.DataFrame:
    if not drop:
        return named
    return named[[re.search(drop, str(raw)) is None for raw in part.coefficients.index]]


def _coefficients(shown: Sequence[pd.DataFrame], digits: int) -> list[list[str]]:
    names = list(dict.fromkeys(name for own in shown for name in own.index if name != CONSTANT))
    names += [CONSTANT] if any(CONSTANT in own.index for own in shown) else []
    style, rows = f",.{digits}f", []
    for name in names:
        known = [own.loc[name] if name in own.index else None for own in shown]
        rows.append([name, *("" if row is None else number_text(row["b"], style) + stars(row["p"]) for row in known)])
        rows.append(["", *("" if row is None else in_brackets(row["se"], style) for row in known)])
    return rows


def _foot(parts: Sequence[_Part], drop: str) -> list[list[str]]:
    absorbed = [{*part.effects, *_dropped_dummies(part, drop)} for part in parts]
    every = dict.fromkeys(
        name for part, own in zip(parts, absorbed, strict=True) for name in (*part.effects, *sorted(own))
    )
    rows = [
        [
            f"{one_line(name).replace('_', ' ').capitalize()} effects",
            *("yes" if name in own else "no" for own in absorbed),
        ]
        for name in every
    ]
    rows.append(["Standard errors", *(_kind(part.statistics["se_type"]) for part in parts)])
    for label, key, style in (("Clusters", "n_clusters", ",.0f"), ("Degrees of freedom", "df", ",.0f")):
        rows.append([label, *(_statistic(part, key, style) for part in parts)])
    rows.append(["Observations", *(_statistic(part, "N", ",.0f") for part in parts)])
    return [*rows, ["R-squared", *(_statistic(part, "r2", ".3f") for part in parts)]]


def _dropped_dummies(part: _Part, drop: str) -> set[str]:
    raw = [str(name) for name in part.coefficients.index if drop and re.search(drop, str(name))]
    return {found[1] for name in raw if (found := _DUMMY.fullmatch(name))}


def _kind(kind: object) -> str:
    text = one_line(kind or MISSING)
    return _SANDWICH.get(text, text.replace("by: ", "clustered by "))


def _statistic(part: _Part, key: str, style: str) -> str:
    value = part.statistics.get(key)
    return MISSING if value is None else number_text(float(value), style)
