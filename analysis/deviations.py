"""What differs between the plan that was registered before the data and the study as it was run."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from dcg_econ.analysis.material import ReportMaterial
from dcg_econ.analysis.tables import Table

SHOWN = 60  # rows on the page
LONGEST = 160  # characters of a value on the page
NOTHING = "not in it"

Row: TypeAlias = tuple[str, str, str]


def fingerprint(specification: Mapping[str, Any]) -> str:
    """SHA-256 of a specification: of its JSON with sorted keys, without spaces, in UTF-8."""
    text = json.dumps(specification, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def deviations(material: ReportMaterial, panel: pd.DataFrame) -> pd.DataFrame:
    """One row for each deviation: item, planned, as_run. Empty if the study was run as registered, or none was.

    `material.registered` holds the plan (specification, sha256, version, rounds), `material.specification` that of the
    run. Counted are: fields of the specification that differ, cells that failed or are missing, cells with fewer sessions,
    sessions with fewer rounds, another version of the package, and a plan that was edited after it was registered.
    """
    found: list[Row] = []
    if material.registered is not None and material.specification is not None:
        plan = material.registered
        found += _edited(plan)
        found += _fields(plan["specification"], material.specification)
        found += _version(plan, material.versions or {})
        found += _cells(material.cells, int(plan["specification"]["sessions"]))
        found += _rounds(panel, plan.get("rounds"))
    return pd.DataFrame(found, columns=["item", "planned", "as_run"])


def deviation_blocks(material: ReportMaterial, panel: pd.DataFrame) -> tuple:
    """The report's section: "run as planned", or a table of the deviations; nothing where no plan is given."""
    plan = material.registered
    if plan is None or material.specification is None:
        return ()
    found = deviations(material, panel)
    when = f"registered on {plan['registered']}, " if plan.get("registered") else ""
    which = f"The plan ({when}SHA-256 of its specification {plan['sha256']})"
    left_out = _left_out(panel)
    if found.empty:
        return (
            f"Run as planned. {which} is the study that was run, and all of its cells are there. {left_out}".strip(),
        )
    count = "in one respect" if len(found) == 1 else f"in {len(found):,d} respects"
    return (f"Not run as planned. {which} differs from what was run {count}. {left_out}".strip(), _table(found))


def _table(found: pd.DataFrame) -> Table:
    heads = {"item": "Item", "planned": "Planned", "as_run": "As run"}
    top = found.head(SHOWN)
    printed = pd.DataFrame({head: [_cut(text) for text in top[name]] for name, head in heads.items()}, dtype=object)
    more = len(found) - len(top)
    notes = ("Names are those of the specification file.", *([f"And {more:,d} more."] if more else []))
    frame = found.set_index("item")
    return Table(
        frame, "Deviations from the plan", notes, name="deviations", printed=printed, text=tuple(heads.values())
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _left_out(panel: pd.DataFrame) -> str:
    """Sessions that the plan's own rule excludes are no deviation, and are counted all the same."""
    if panel.empty:
        return ""
    bad = ~np.isfinite(panel[["welfare", "first_best"]].astype(float)).all(axis=1)
    failed = int(bad.groupby([panel[_cell(panel)], panel["session"]], observed=True).any().sum())
    rule = f"{failed:,d} sessions without finite welfare enter no mean, which is the plan's rule for them."
    return rule if failed else ""


def _edited(plan: Mapping[str, Any]) -> list[Row]:
    now = fingerprint(plan["specification"])
    return [] if now == plan["sha256"] else [("the plan itself, edited since", plan["sha256"], now)]


def _version(plan: Mapping[str, Any], versions: Mapping[str, Any]) -> list[Row]:
    before, now = plan.get("version"), versions.get("dcg_econ")
    return [("version of dcg_econ", str(before), str(now))] if before and now and before != now else []


def _fields(planned: Mapping[str, Any], run: Mapping[str, Any]) -> list[Row]:
    """Fields that differ; a treatment or hypothesis that only one of them has is one row."""
    rows = []
    for key in ("treatments", "hypotheses"):
        before, after = ({item["name"]: item for item in tree.get(key) or ()} for tree in (planned, run))
        for name in dict.fromkeys([*before, *after]):
            rows += _item(f"{key}.{name}", before.get(name), after.get(name))
    rest = [{k: v for k, v in tree.items() if k not in ("treatments", "hypotheses")} for tree in (planned, run)]
    return _changed(dict(_flat(rest[0])), dict(_flat(rest[1]))) + rows


def _item(name: str, before: Mapping | None, after: Mapping | None) -> list[Row]:
    if before is None:
        return [(name, NOTHING, f"added: {_text(after)}")]
    if after is None:
        return [(name, _text(before), "dropped")]
    return _changed(dict(_flat(before, name)), dict(_flat(after, name)))


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Row]:
    rows = []
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            planned, run = (_text(tree[key]) if key in tree else NOTHING for tree in (before, after))
            rows.append((key, planned, run))
    return rows


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree by dotted path; what is not given (None, or empty) is left out."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif value is not None and value != []:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} = {_text(v)}" for k, v in value.items() if v not in (None, {}, []) and k != "name")
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _cells(cells: pd.DataFrame | None, sessions: int) -> list[Row]:
    """Cells that failed, are missing, or hold fewer sessions than planned."""
    if cells is None or cells.empty:
        return []
    rows, planned = [], f"{sessions:,d} sessions"
    for row in cells.to_dict("records"):
        state, name = str(row["status"]), f"cell {row['cell']}"
        error = str(row.get("error") or "").strip().splitlines()
        if state != "ok":
            rows.append((name, planned, f"{state}: {error[0]}" if error else state))
        elif 0 < int(row.get("sessions", sessions)) < sessions:  # a cell of theory has none
            rows.append((name, planned, f"{int(row['sessions']):,d} sessions"))
    return rows


def _rounds(panel: pd.DataFrame, rounds: int | None) -> list[Row]:
    """Cells whose sessions are shorter than planned."""
    if panel.empty or rounds is None:
        return []
    run = panel.groupby([_cell(panel), "session"], observed=True)["round"].nunique().groupby(level=0, sort=False).min()
    return [(f"cell {name}", f"{rounds:,d} rounds", f"{int(n):,d} rounds") for name, n in run.items() if n < rounds]


def _cell(panel: pd.DataFrame) -> str:
    return "cell" if "cell" in panel else "treatment"
