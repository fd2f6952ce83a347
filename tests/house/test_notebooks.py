"""Notebooks are kept without what they printed. That they run, `make notebooks` tests."""

import json

from tests.house.tree import ROOT, files


def test_notebooks_are_kept_without_outputs():
    notebooks = [path for path in files() if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        kept = [cell for cell in cells if cell.get("outputs") or cell.get("execution_count") is not None]
        assert kept == [], path.relative_to(ROOT)
