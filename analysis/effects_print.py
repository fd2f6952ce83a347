"""How treatment effects print: one outcome, several side by side, and point by point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from dcg_econ.analysis.points import point_text
from dcg_econ.analysis.style import CONSTANT, treatment_label
from dcg_econ.analysis.tables import (
    MISSING,
    STARS_LEGEND,
    Table,
    decimals,
    in_brackets,
    interval_text,
    number_text,
    stars,
)

if TYPE_CHECKING:
    from dcg_econ.analysis.effects import TreatmentEffects


def p_text(p: float) -> str:
    """A p value with three decimals, or a bound."""
    return "< 0.001" if p < 0.001 else number_text(p, ".3f")


def single_table(fit: TreatmentEffects) -> Table:
    """One outcome: a row per treatment with its effect, standard error, interval and p value."""
    style = _number_style(fit, fit.coefficients["se"])
    rows: list[list[str]] = []
    for name, row in fit.coefficients.iterrows():
        label = f"Constant ({treatment_label(fit.baseline)})" if name == CONSTANT else treatment_label(name)
        rows.append([label, *_row(row, style, starred=name != CONSTANT)])
    effects = f"{fit.absorbed} effects" if fit.absorbed else f"no {_short(fit)} effects"
    if fit.parameters:
        effects = f"averages of the differences within grid points (point effects); {effects}"
    fitted = "" if fit.ratio else f"; R-squared {fit.r_squared:.3f}"
    notes = [
        f"Outcome: {fit.label}{_in_unit(fit)}; one observation a {fit.period} and {_cell(fit)}, {fit.n:,d} in all. "
        f"Effects are relative to {treatment_label(fit.baseline)}; {effects}{fitted}.",
        f"Standard errors clustered by {fit.cluster} ({fit.clusters} clusters): {fit.vcov.rule(str(fit.df))}. {STARS_LEGEND}",
        *fit.cautions,
        *(_efficiency(fit) if fit.ratio else []),
        *_dropped(fit),
    ]
    heads = ["", "Effect", "Std. error", "95% interval", "p value"]
    title = f"Treatment effects on {fit.label}"
    printed = pd.DataFrame(rows, columns=heads, dtype=object)
    return Table(fit.coefficients, title, tuple(notes), name=f"effects_{fit.outcome}", printed=printed)


def point_effects_table(fit: TreatmentEffects) -> Table:
    """One outcome, point by point: a row per grid point and treatment."""
    style = _number_style(fit, fit.points["se"])
    rows = []
    for key, row in fit.points.iterrows():
        values = key if isinstance(key, tuple) else (key,)
        where = point_text(fit.parameters, values[:-1]) or "the one point"
        rows.append([where, treatment_label(values[-1]), *_row(row, style, starred=True)])
    counts = sorted(set(fit.points["clusters"]))
    between = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    effects = f"{fit.absorbed} effects" if fit.absorbed else f"no {_short(fit)} effects"
    notes = [
        f"Outcome: {fit.label}{_in_unit(fit)}; one observation a {fit.period} and treatment, each point by itself. Effects "
        f"are relative to {treatment_label(fit.baseline)} at the same point; {effects}.",
        f"Standard errors clustered by {fit.cluster} ({between} clusters a point): {fit.vcov.rule('as many')}; not adjusted "
        f"for the number of points. {STARS_LEGEND}",
        *fit.cautions,
        *_efficiency(fit),
        *_dropped(fit),
    ]
    why = [
        f"{point_text(fit.parameters, _tuple(key)[:-1]) or 'the one point'}: {note}"
        for key, note in fit.points["note"].items()
        if note
    ]
    notes += [f"Not estimated: {'; '.join(dict.fromkeys(why))}."] if why else []
    heads = ["Grid point", "Treatment", "Effect", "Std. error", "95% interval", "p value"]
    title = f"Treatment effects on {fit.label} at each grid point"
    printed = pd.DataFrame(rows, columns=heads, dtype=object)
    name = f"effects_{fit.outcome}_by_point"
    return Table(fit.points, title, tuple(notes), name=name, printed=printed, text=("Grid point", "Treatment"))


def effects_table(fits: Sequence[TreatmentEffects]) -> Table:
    """Several outcomes side by side, one column each; `to_frame()` stacks their coefficients by outcome."""
    rows = _side_by_side(fits)
    first = fits[0]
    units = "; ".join(f"{fit.label}: {fit.unit or 'its own unit'}" for fit in fits)
    dfs = ", ".join(sorted({str(fit.df) for fit in fits}))
    rules = "; ".join(dict.fromkeys(fit.vcov.rule(dfs) for fit in fits))
    average = ""
    if first.parameters:
        holes = any((fit.points["note"] != "").any() for fit in fits)
        rest = "; a treatment without result at a point is averaged over the others" if holes else ""
        average = f" Effects are averages over the grid points of the differences within points{rest}."
    where = f"average {_short(first)} and point" if first.parameters else f"average {_short(first)}"
    notes: tuple[str, ...] = (
        f"Least squares, one observation a {first.period} and {_cell(first)}. Units: {units}.{average} The constant is the "
        f"baseline's mean on the {where}.",
        f"Standard errors in brackets, clustered by {first.cluster}: {rules}. {STARS_LEGEND}",
        *dict.fromkeys(caution for fit in fits for caution in fit.cautions),
    )
    notes += tuple(note for fit in fits for note in _efficiency(fit))
    notes += tuple(dict.fromkeys(note for fit in fits for note in _dropped(fit)))
    printed = pd.DataFrame(rows, columns=["", *(_sentence(fit.label) for fit in fits)], dtype=object)
    frame = pd.concat({fit.outcome: fit.coefficients for fit in fits}, names=["outcome", "treatment"])
    title = "Treatment effects, averaged over the grid points" if first.parameters else "Treatment effects"
    return Table(frame, title, notes, name="effects", printed=printed)


def _side_by_side(fits: Sequence[TreatmentEffects]) -> list[list[str]]:
    names = list(dict.fromkeys(name for fit in fits for name in fit.coefficients.index if name != CONSTANT))
    styles = [_number_style(fit, fit.coefficients["se"]) for fit in fits]
    rows: list[list[str]] = []
    for name in [*names, CONSTANT]:
        known = [fit.coefficients.loc[name] if name in fit.coefficients.index else None for fit in fits]
        cells = [(row, style) for row, style in zip(known, styles, strict=True)]
        marks = ["" if name == CONSTANT or row is None else stars(row["p"]) for row in known]
        values = ["–" if row is None else number_text(row["b"], style) for row, style in cells]
        label = CONSTANT if name == CONSTANT else treatment_label(name)
        rows.append([label, *(value + mark for value, mark in zip(values, marks, strict=True))])
        rows.append(["", *("–" if row is None else in_brackets(row["se"], style) for row, style in cells)])
    rows.append(["Baseline", *(treatment_label(fit.baseline) for fit in fits)])
    if fits[0].parameters:
        rows.append(["Point effects", *("yes" for _ in fits)])
    for name in dict.fromkeys(_absorbed(fit) for fit in fits):
        has = [bool(fit.absorbed) and _absorbed(fit) == name for fit in fits]
        rows.append([f"{name.capitalize()} effects", *("yes" if yes else "no" for yes in has)])
    rows.append(["Observations", *(f"{fit.n:,d}" for fit in fits)])
    rows.append(["Clusters", *(f"{fit.clusters:,d}" for fit in fits)])
    rows.append(["R-squared", *(MISSING if fit.ratio else f"{fit.r_squared:.3f}" for fit in fits)])
    return rows


def _row(row: pd.Series, style: str, starred: bool) -> list[str]:
    marks = stars(row["p"]) if starred else ""
    interval = interval_text(row["low"], row["high"], style)
    return [number_text(row["b"], style) + marks, in_brackets(row["se"], style), interval, p_text(row["p"])]


def _number_style(fit: TreatmentEffects, errors: pd.Series) -> str:
    largest = 2 if fit.unit.startswith("$ per") else 6
    return f",.{decimals(errors, largest=largest)}f"


def _in_unit(fit: TreatmentEffects) -> str:
    return f" ({fit.unit})" if fit.unit else ""


def _short(fit: TreatmentEffects) -> str:
    """Day at a market, round elsewhere."""
    return fit.period.split()[-1]


def _absorbed(fit: TreatmentEffects) -> str:
    """The kind of effects that are left out of the table: by round (a market's day) unless something else is absorbed."""
    return _short(fit) if fit.absorbed in (None, "round") else fit.absorbed


def _cell(fit: TreatmentEffects) -> str:
    return "cell (treatment at a grid point)" if fit.parameters else "treatment"


def _dropped(fit: TreatmentEffects) -> list[str]:
    return [f"{fit.dropped:,d} {fit.period}s without a finite outcome are left out."] if fit.dropped else []


def _efficiency(fit: TreatmentEffects) -> list[str]:
    """Which efficiency it is: the two need not agree where first best varies from day to day."""
    day = _short(fit)
    if fit.outcome != "efficiency":
        return []
    if fit.ratio:
        return [f"Efficiency is E welfare / E first best, as in the welfare table: a {day} weighs by its first best."]
    weighed = (
        f"Efficiency here is a mean over {day}s that weighs each alike; the welfare table's, a ratio of expectations,"
    )
    return [f"{weighed} weighs a {day} by its first best: the two differ a little."]


def _tuple(key) -> tuple:
    return key if isinstance(key, tuple) else (key,)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
