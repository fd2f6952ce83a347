"""The same panel, bit for bit, wherever and in whatever order cells run."""

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import jax.numpy as jnp
import pytest

import dcg_econ as dcg
from dcg_econ.experiments import SpecificationError
from dcg_econ.experiments.cell import run_cell
from dcg_econ.experiments.progress import AbstractProgress, Bars, Lines, Quiet, progress_for
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.runner import BusyError, locked
from dcg_econ.experiments.running import compare
from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.store import Store, StoreError
from dcg_econ.experiments.study import Study
from dcg_econ.mechanisms import CurveMarket
from tests.experiments.processes import LONG, assert_same, finished, panel_of


class Watched(Quiet):
    """Keeps what it is told, and raises KeyboardInterrupt after `after` steps of learning."""

    def __init__(self, after=None):
        self.after = after
        self.told = []

    def start(self, done, total):
        self.told.append(("start", done, total))

    def steps(self, name, done, total, text):
        self.told.append((name, done))
        if self.after is not None and done >= self.after:
            raise KeyboardInterrupt

    def cell(self, name, text):
        self.told.append(("cell", name))


def study_in(folder):
    return Study.of(parse(LONG), folder)


def test_interrupted_and_resumed(tmp_path, whole):
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        study_in(folder).execute(Watched(after=1200), nullcontext(), checkpoint_every=0.0)
    before, watched = finished(folder), Watched()
    assert len(before) == 2
    study_in(folder).execute(watched, nullcontext(), checkpoint_every=0.0)
    assert before.items() <= finished(folder).items()
    first = next(told for told in watched.told if told[0].startswith("learned"))
    assert watched.told[0] == ("start", 2, 4) and first[1] == 1200  # the checkpoint's step
    assert_same(panel_of(folder), whole[0])


def test_cells_in_another_order(tmp_path, whole):
    study = study_in(tmp_path / "out")
    plan = list(study.cells)
    study.cells.reverse()
    study.execute(Quiet(), nullcontext())
    study.cells = plan
    assert_same(study.panel(), whole[0])


def test_a_cell_alone_is_the_cell_of_the_study(whole):
    study = study_in(whole[1])
    alone = run_cell(study.cells[0]).frames["panel"]
    there = whole[0][whole[0]["cell"] == study.cells[0].name].reset_index(drop=True)[list(alone)]
    alone.attrs = there.attrs = {}
    assert_same(alone, there)


def test_a_rerun_repeats_nothing_and_more_points_only_the_new_ones(tmp_path, whole):
    folder = tmp_path / "out"
    shutil.copytree(whole[1], folder)
    before, watched = finished(folder), Watched()
    study_in(folder).execute(watched, nullcontext())
    assert watched.told == [("start", 4, 4)] and finished(folder) == before
    wider = LONG.replace("outside_slope = [0.5, 1.0]", "outside_slope = [0.5, 1.0, 2.0]").replace(
        '[[treatments]]\nname = "learned"\n', ""
    )
    study = Study.of(parse(wider), folder)
    ran = study.execute(Quiet(), nullcontext())
    assert ran.earlier == 2 and [o.name for o in ran.outcomes] == ["nash.outside_slope=2"]
    assert set(study.panel()["treatment"]) == {"nash"}  # the old learned cells lie there, and are not of this study
    assert before.items() <= finished(folder).items()


def test_a_folder_is_one_runs_own(tmp_path, whole):
    shutil.copytree(whole[1], tmp_path / "out")
    study = study_in(tmp_path / "out")
    with locked(Store(study.folder)), pytest.raises(BusyError, match="another run is at work"):
        study.execute(Quiet(), nullcontext())
    study.execute(Quiet(), nullcontext())


def test_panel_and_status_of_a_study(whole):
    study = study_in(whole[1])
    assert_same(study.panel(), whole[0])
    status = study.status()
    assert list(status["status"]) == ["ok"] * 4 and list(status["outside_slope"]) == [0.5, 1.0] * 2
    panel = whole[0]
    assert len(panel) == 4 * 2 * 4 * 4  # cells x sessions x rounds x (three traders and the outside)
    assert panel.attrs["parameters"] == ["outside_slope"] and set(panel.columns) <= set(panel.attrs["variable_labels"])
    assert panel["session"].dtype.kind == "i" and panel["treat_nash"].dtype == float
    html = study._repr_html_()
    assert "4 cells of 2 sessions" in html and "4 ok" in html


def test_a_manifest_says_where_numbers_come_from(whole):
    manifest = json.loads(next((whole[1] / "cells").glob("learned*/manifest.json")).read_text())
    assert manifest["versions"]["jax"] and manifest["commit"] and manifest["hardware"]["machine"]
    assert manifest["document"]["training"]["steps"] == 8000 and manifest["seconds"] > 0 and manifest["begun"]
    assert manifest["unconverged"] == 2 and "regret above" in manifest["warnings"][0]


def test_a_comparison_finds_one_digit(tmp_path, whole):
    shutil.copytree(whole[1], tmp_path / "out")
    store = Store(tmp_path / "out")
    assert compare(Results(Store(whole[1])), Results(store)) == ([], 4, True)
    cell = study_in(store.folder).cells[0]
    status = store.finished(cell.name, cell.id)
    frames = store.frames(cell.id, status.manifest)
    frames["panel"].loc[3, "payoff"] *= 1 + 1e-12
    shutil.rmtree(store.folder / "cells" / cell.id)
    store.write_cell(cell.id, frames, {k: v for k, v in status.manifest.items() if k not in ("files", "id", "format")})
    lines, compared, same = compare(Results(Store(whole[1])), Results(store))
    assert compared == 4 and not same and len(lines) == 1 and cell.name in lines[0] and "`payoff`" in lines[0]


def test_a_study_of_another_commit_and_version_is_reported(tmp_path, whole):
    folder = tmp_path / "out"
    shutil.copytree(whole[1], folder)
    for path in [folder / "study.json", *folder.glob("cells/*/manifest.json")]:
        told = json.loads(path.read_text())
        told.get("run", told)["commit"] = "0123456789ab"
        told.get("run", told)["versions"] |= {"dcg_econ": "0.0.9"}
        if "specification" in told:
            told["specification"] |= {"dropped_since": 1}
            told["specification"]["training"] |= {"dropped_too": "x"}
            del told["specification"]["tolerances"]  # and one that came since
        path.write_text(json.dumps(told | {"a key of that time": 1}))
    page = Study.of(parse(LONG), folder).report()
    text = page.read_text()
    assert "0123456789ab" in text and "commit of this report" in text and "0.0.9" in text


@pytest.mark.parametrize("made", [Lines, Bars, Quiet])
def test_every_progress_says_what_happens_and_closes(made, capsys):
    with made() as progress:
        assert isinstance(progress, AbstractProgress)
        progress.start(1, 3)
        progress.steps("learned", 10, 20, "efficiency 0.9")
        progress.steps("other", 10, 20, "efficiency 0.8")
        progress.cell("learned", "1.0 s")
    said = capsys.readouterr().err
    if made is Quiet:
        assert said == ""
    else:
        assert "learned" in said and "efficiency 0.9" in said
    if made is Lines:
        assert said.splitlines()[0] == "1 of 3 cells are there from an earlier run"
        assert said.splitlines()[-1] == "cell 2 of 3: learned: 1.0 s"


def test_progress_suits_where_it_is_shown():
    assert isinstance(progress_for(True), Quiet) and isinstance(progress_for(False), Lines)  # pytest has no terminal


def test_results_of_nothing_say_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="make them with"):
        Results(Store(tmp_path)).panel()


def test_a_study_keeps_to_its_own_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = dcg.Study(CurveMarket(jnp.ones(3)), {"nash": "nash"}, sessions=2, rounds=4)
    assert study.folder == Path("results/curve_market") and not os.listdir(tmp_path)
    with pytest.raises(SpecificationError, match="no such study"):
        Study.load("nothing")
