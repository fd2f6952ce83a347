"""A plan is registered once, before the first cell of a folder is computed, and never written again.

    plan.json    the specification, its SHA-256, the cells, the package's version and the time
    plan.md      the same in words

A run registers its own plan where there is neither a plan nor a cell; `dcg-econ plan --register` does so without a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dcg_econ
from dcg_econ.analysis.deviations import fingerprint
from dcg_econ.analysis.pages import html_page, markdown_page
from dcg_econ.experiments.plan import cells_of
from dcg_econ.experiments.preanalysis import plain_tree, preanalysis_sections
from dcg_econ.experiments.specification import ROUNDS, Specification, load
from dcg_econ.experiments.store import DAMAGE, PLAN, PLAN_WORDS, StoreError, check_folder, to_json, write_text

PAGES = {".md": markdown_page, ".html": html_page}


def planned(study: str, out: Path | None, folder: Path | None) -> tuple[str, list[Path]]:
    """The plan of a study in Markdown, and the files that it was written to: a page `out`, and `folder`'s registration."""
    if out is not None and out.suffix not in PAGES:
        raise StoreError(f"{out}: give a name that ends in .md or .html")
    specification = load(study)
    cells = [cell.name for cell in cells_of(specification)]
    written = []
    if out is not None:
        if not out.parent.is_dir():
            raise StoreError(f"{out.parent} is no folder; make it first")
        write_text(out, page(specification, cells, out.suffix))
        written.append(out)
    if folder is not None:
        check_folder(folder)
        if (folder / PLAN).exists():
            raise StoreError(
                f"{folder} has a registered plan already, and a plan is registered once; name a new folder"
            )
        if has_cells(folder):
            raise StoreError(f"{folder} holds results already, and a plan comes before data; name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        written += register(folder, specification, cells)
    return page(specification, cells), written


def page(specification: Specification, cells: Sequence[str], suffix: str = ".md") -> str:
    """The plan as a page: Markdown or HTML."""
    sections = preanalysis_sections(specification, cells)
    return PAGES[suffix](f"Pre-analysis plan: {specification.title}", specification.question, sections)


def register(folder: Path, specification: Specification, cells: Sequence[str]) -> list[Path]:
    """Writes plan.md and plan.json, the latter last: it is the registration."""
    tree = plain_tree(specification)
    plan = {
        "specification": tree,
        "sha256": fingerprint(tree),
        "rounds": None if specification.calibration is not None else specification.rounds or ROUNDS,
        "cells": list(cells),
        "version": dcg_econ.__version__,
        "registered": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    write_text(folder / PLAN_WORDS, page(specification, cells))
    write_text(folder / PLAN, to_json(plan))
    return [folder / PLAN_WORDS, folder / PLAN]


def register_before_data(folder: Path, specification: Specification, cells: Sequence[str]) -> None:
    """Registers the plan of a run whose folder has neither a plan nor a cell."""
    if not (folder / PLAN).exists() and not has_cells(folder):
        register(folder, specification, cells)


def has_cells(folder: Path) -> bool:
    """Whether a cell was finished in the folder, of whatever specification."""
    return any(not path.name.startswith(".") for path in (folder / "cells").glob("*"))


def registered(folder: Path) -> Mapping[str, Any] | None:
    """The registered plan, or None where there is none; raises `StoreError` where it cannot be read."""
    path = folder / PLAN
    if not path.exists() and not path.is_symlink():
        return None
    try:
        if path.is_symlink():
            raise ValueError("a link")
        plan = json.loads(path.read_text(encoding="utf-8"))
        int(plan["specification"]["sessions"]), str(plan["sha256"])
        return plan
    except DAMAGE as error:
        raise StoreError(f"{path} is damaged ({type(error).__name__}: {str(error)[:100]}); restore it") from None
