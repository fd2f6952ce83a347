"""The plan is written from the specification alone, registered once before data, and the report compares with it."""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from dcg_econ.analysis.deviations import deviation_blocks, fingerprint
from dcg_econ.experiments.cell import Result
from dcg_econ.experiments.cli import app
from dcg_econ.experiments.definitions import DEFINITIONS
from dcg_econ.experiments.preanalysis import correction_of, plain_tree, preanalysis_sections
from dcg_econ.experiments.registration import page, register_before_data, registered
from dcg_econ.experiments.report import material_of
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.specification import OUTCOMES, catalog, load, parse
from dcg_econ.experiments.store import Store, StoreError
from dcg_econ.experiments.study import Study
from tests.experiments.processes import LONG

HYPOTHESIS = """
[[hypotheses]]
name = "learning_is_nash"
treatment = "learned"
against = "nash"
margin = 0.01
family = "equality"
"""


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The folder of a run whose cells have invented frames: what they hold is not looked at here."""

    def invented(cell, hooks):
        rows = [{"session": s, "round": r, "welfare": 1.0, "first_best": 2.0} for s in range(2) for r in range(4)]
        told = {"cell": cell.name, "treatment": cell.document["treatment"], "participant": "trader 1", "role": "trader"}
        frame = pd.DataFrame(rows).assign(**told, mechanism="quantity_market", capacity=float("nan"))
        return Result({"panel": frame}, {}, (), 2, 0, 0.1)

    monkeypatch.setattr("dcg_econ.experiments.work.run_cell", invented)
    Study.of(parse(LONG), tmp_path / "ran").run(quiet=True)
    return tmp_path / "ran"


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def study_with_plan(tmp_path):
    path = tmp_path / "mine 🐟.toml"
    path.write_text(LONG + HYPOTHESIS, encoding="utf-8")
    return path


def test_every_outcome_has_a_definition():
    assert set(DEFINITIONS) == set(OUTCOMES)


@pytest.mark.parametrize("name", list(catalog()))
def test_every_study_of_the_catalogue_has_a_plan_with_all_that_it_declares(name):
    specification = load(name)
    text = page(specification, ()).replace("\\", "")
    for item in (*specification.treatments, *specification.hypotheses):
        assert f"| {item.name} " in text
    assert fingerprint(plain_tree(specification)) in text and "nan" not in text.lower().split()
    anchors = [section.anchor for section in preanalysis_sections(specification)]
    assert ("power" in anchors) == bool(specification.hypotheses)
    assert f"| {specification.seed} |" in re.sub(" +", " ", text)


def test_the_plan_says_claim_family_margin_and_power():
    text = re.sub(" +", " ", page(parse(LONG + HYPOTHESIS), ["a", "b"])).replace("\\", "")
    assert "efficiency: learned equals nash within ±0.01 | TOST | 0.01 | equality" in text
    assert "adjusted by Holm's method within each family: equality (1)" in text and "2 cells" in text
    assert "| learning_is_nash | equality | equality (1 declared) | 7.43 | 7.43 |" in text  # two sessions show little


def test_another_correction_is_read_from_the_specification():
    one = SimpleNamespace(correction="romano_wolf")
    by_family = SimpleNamespace(corrections={"primary": "romano_wolf", "other": "holm"})
    assert correction_of(one) == "Romano wolf's method"
    assert correction_of(by_family) == "romano wolf (primary); holm (other)"


def test_the_command_writes_pages_and_registers_once(study_with_plan, tmp_path):
    said = call("plan", study_with_plan)
    assert said.exit_code == 0 and said.stdout.startswith("# Pre-analysis plan: A study to be interrupted")
    html, folder = tmp_path / "plan.html", tmp_path / "out"
    done = call("plan", study_with_plan, "--out", html, "--register", folder)
    assert done.exit_code == 0 and done.stdout.count("wrote ") == 3
    assert "learning_is_nash" in html.read_text(encoding="utf-8")
    plan = registered(folder)
    assert plan["sha256"] == fingerprint(plan["specification"]) and len(plan["cells"]) == 4 and plan["rounds"] == 4
    assert (folder / "plan.md").read_text(encoding="utf-8") == said.stdout
    again = call("plan", study_with_plan, "--register", folder)
    assert again.exit_code == 2 and "registered once" in again.stderr
    assert call("plan", study_with_plan, "--out", tmp_path / "plan.pdf").exit_code == 2
    assert call("plan", study_with_plan, "--out", tmp_path / "nowhere" / "plan.md").exit_code == 2
    assert call("plan", "no_such_study").exit_code == 2


def test_a_plan_after_data_is_refused(ran, study_with_plan):
    (ran / "plan.json").unlink()
    refused = call("plan", study_with_plan, "--register", ran)
    assert refused.exit_code == 2 and "a plan comes before data" in refused.stderr
    register_before_data(ran, parse(LONG), ())
    assert registered(ran) is None


def test_a_run_registers_its_plan_before_its_first_cell_and_its_report_says_so(ran):
    material = material_of(Results(Store(ran)))
    assert material.registered["specification"] == material.specification == plain_tree(parse(LONG))
    (text,) = deviation_blocks(material, material.labelled())
    assert text.startswith("Run as planned.") and material.registered["sha256"] in text
    begun = json.loads(next((ran / "cells").glob("*/manifest.json")).read_text())["begun"]
    assert material.registered["registered"] <= begun.replace("T", " ").replace("+00:00", " UTC")


def test_what_was_added_after_the_data_is_in_the_report(ran):
    before = (ran / "plan.json").read_bytes()
    study = Study.of(parse(LONG + HYPOTHESIS), ran)
    study.run(quiet=True)
    assert (ran / "plan.json").read_bytes() == before
    material = material_of(study.results())
    text, table = deviation_blocks(material, material.labelled())
    assert text.startswith("Not run as planned.") and list(table.to_frame().index) == ["hypotheses.learning_is_nash"]
    (ran / "plan.json").unlink()
    material = material_of(study.results())
    assert deviation_blocks(material, material.labelled()) == () and "No plan was registered" in material.notes[-1]


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"specification": {}, "sha256": ""}), None])
def test_a_damaged_plan_is_told_and_the_report_goes_on(ran, tmp_path, text):
    path = ran / "plan.json"
    path.rename(tmp_path / "elsewhere.json")
    if text is None:
        path.symlink_to(tmp_path / "elsewhere.json")
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"is damaged .*; restore it"):
        registered(ran)
    material = material_of(Results(Store(ran)))
    assert material.registered is None and "is damaged" in material.notes[-1]
