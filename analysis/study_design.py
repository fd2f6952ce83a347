"""The design of a study as a table: mechanism, treatments, swept parameters, sessions and rounds."""

from collections.abc import Sequence

import pandas as pd

from dcg_econ.analysis.benchmarks import REFERENCE
from dcg_econ.analysis.material import ReportMaterial, pairs
from dcg_econ.analysis.points import distinct, levels, value_text
from dcg_econ.analysis.style import mechanism_name, study_order, treatment_label


def design(material: ReportMaterial, panel: pd.DataFrame, swept: Sequence[str]) -> tuple:
    """One table, from the planned cells and the panel together; nothing where neither has a row."""
    cells = material.cells if material.cells is not None and len(material.cells) else None
    frames = [frame for frame in (panel if len(panel) else None, cells) if frame is not None]
    rows: dict[str, str] = {}
    if not frames:
        return ()
    if "mechanism" in panel and len(panel):
        kinds = list(panel["mechanism"].unique())
        rows["Mechanism" if len(kinds) == 1 else "Mechanisms"] = ", ".join(map(mechanism_name, kinds))
        if len(kinds) > 1 and panel.attrs.get(REFERENCE):
            rows["The study's own mechanism"] = mechanism_name(panel.attrs[REFERENCE])
    names = list(dict.fromkeys(n for frame in frames if "treatment" in frame for n in frame["treatment"].unique()))
    rows["Treatments"] = ", ".join(_treatment(name, panel) for name in study_order(names))
    labels = panel.attrs.get("variable_labels", {})
    for name in material.declared():
        known = [distinct(frame, [name]) for frame in frames if name in frame]
        values = levels(dict.fromkeys(row[0] for rows_ in known for row in rows_))
        head = labels.get(name, name.replace("_", " "))
        kind = "swept" if name in swept else "held"
        rows[f"{head[:1].upper()}{head[1:]}"] = f"{', '.join(value_text(value) for value in values)} ({kind})"
    if cells is not None:
        rows["Cells planned"] = f"{len(cells):,d}"
    if material.sessions_planned:
        rows["Sessions planned in a cell"] = f"{material.sessions_planned:,d}"
    rows |= _sizes(panel, swept)
    return (pairs(rows, "What was planned and run", "design", "Item", "Value"),)


def _treatment(name: str, panel: pd.DataFrame) -> str:
    if "agent_type" not in panel or panel.empty:
        return treatment_label(name)
    kinds = set(panel.loc[panel["treatment"] == name, "agent_type"].unique())
    kind = next((kind for kind in ("human", "learned", "analytic") if kind in kinds), "")
    label = treatment_label(name)
    return f"{label} ({kind})" if kind and kind not in label.lower().split() else label


def _sizes(panel: pd.DataFrame, swept: Sequence[str]) -> dict[str, str]:
    """Sessions, rounds and participants as run."""
    if panel.empty:
        return {}
    keys = ["treatment", *swept]
    by = panel.groupby(keys, observed=True, dropna=False)
    sizes = {
        "Sessions run in a cell": by["session"].nunique(),
        "Rounds in a session": panel.groupby([*keys, "session"], observed=True, dropna=False)["round"].nunique(),
    }
    rows = {name: _range(counts) for name, counts in sizes.items()}
    if {"participant", "role"} <= set(panel.columns):
        who = panel[["participant", "role"]].drop_duplicates().groupby("role", sort=False)["participant"].size()
        rows["Participants in a session"] = ", ".join(f"{count} × {role}" for role, count in who.items())
    return rows


def _range(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,d}" if low == high else f"{low:,d} to {high:,d}"
