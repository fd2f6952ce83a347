"""How the pre-analysis plan prints: a row per hypothesis, what was declared beside what was found."""

from collections.abc import Mapping

import pandas as pd

from dcg_econ.analysis.effects_print import p_text
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.tables import MISSING, Table, decimals, in_brackets, number_text
from dcg_econ.analysis.units import outcome_label

WORDS = {"two-sided": "differs from", "greater": "is above", "less": "is below"}


def plan_table_of(frame: pd.DataFrame, labels: Mapping[str, str], level: float, rule: str) -> Table:
    """The printed table of the plan's frame."""
    printed = pd.DataFrame([_cells(name, row, labels) for name, row in frame.iterrows()], dtype=object)
    tested = int(frame["p"].notna().sum())
    supported = int((frame["p_adjusted"] < level).sum())
    shown = {name: outcome_label(name, labels)[1] for name in dict.fromkeys(frame["outcome"])}
    units = "; ".join(f"{name}: {unit}" for name, unit in shown.items() if unit)
    notes = [
        f"Declared: {len(frame)}; tested: {tested}; supported at the {100 * level:g}% level after adjustment: {supported}.",
        "Estimates are treatment minus the other, with standard errors clustered by session in brackets"
        + (f" (units: {units})" if units else "")
        + "; on a grid, the mean over the declared points of the differences within each, every point alike.",
        "Degrees of freedom: sessions - 1 where they are paired, else Satterthwaite's; the sessions are the clusters.",
        f"p ({frame['correction'].iloc[0]}): {rule}; a hypothesis that could not be tested keeps its "
        "place with p = 1. TOST: two one-sided tests of equality within the margin, which has the outcome's unit.",
    ]
    reasons = [f"{name}: {row.reason}" for name, row in frame.iterrows() if row.reason]
    if reasons:
        notes.append(f"Not tested. {'; '.join(reasons)}.")
    title, words = "Hypotheses as declared, and what was found", ("Declared claim", "Family", "Test", "Verdict")
    return Table(frame, title, tuple(notes), name="plan", printed=printed, text=words)


def claim(row: pd.Series) -> str:
    """What was declared, in words."""
    own, other = treatment_label(row["treatment"]), treatment_label(row["against"])
    where = f" at {row['at']}" if row["at"] else ""
    what = str(row["outcome"]).replace("_", " ")
    if row["margin"] is not None and pd.notna(row["margin"]):
        return f"{what}: {own} equals {other} within ±{row['margin']:g}{where}"
    return f"{what}: {own} {WORDS[row['alternative']]} {other}{where}"


def _cells(name: str, row: pd.Series, labels: Mapping[str, str]) -> dict[str, str]:
    style = f",.{decimals([row['se']], largest=6)}f"
    value = number_text(row["estimate"], style)
    error = in_brackets(row["se"], style)
    return {
        "Hypothesis": str(name),
        "Declared claim": claim(row),
        "Family": row["family"] or MISSING,
        "Estimate": value if error == MISSING else f"{value} {error}",
        "Sessions": str(row["sessions"]),
        "Test": row["test"] or MISSING,
        "p": p_text(row["p"]),
        f"p ({row['correction']})": p_text(row["p_adjusted"]),
        "Verdict": row["verdict"],
    }
