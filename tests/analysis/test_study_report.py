"""The report of a general study: it says what failed, pools nothing silently, and is written whatever happened."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import ReportMaterial, figures, market_days, write_report
from dcg_econ.analysis.sections import is_fish_market, sections
from dcg_econ.analysis.study_computed import SHOWN, cells_table

PLAN = [
    {"name": "H1", "outcome": "efficiency", "treatment": "chat", "against": "silence", "alternative": "greater"},
    {"name": "H2", "outcome": "payoff", "treatment": "chat", "against": "nash_like", "family": "other"},
]


@pytest.fixture(scope="module", autouse=True)
def small_figures():
    """Nobody looks at the figures of these pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DPI", 40)
        yield


def material_of(panel, cells, **other):
    given = {"hypotheses": PLAN, "outcomes": ("efficiency", "payoff", "regret"), "sessions_planned": 6}
    return ReportMaterial("What does chat buy?", "Does it?", panel, cells=cells, **(given | other))


def words_of(path):
    """The page's text, without pictures and tags."""
    html = re.sub(r'src="data:[^"]*"', "", path.read_text(encoding="utf-8"))
    return " ".join(re.sub(r"<[^>]+>", " ", html[html.index("<body>") :]).split())


def history_of(cells, sessions=2):
    step = np.arange(0, 401, 100)
    rows = []
    for cell in cells[cells["treatment"] != "equilibrium"].itertuples():
        for session in range(sessions):
            gap = (0.05 + 0.01 * session) * np.exp(-step / 100) + 1e-4
            frame = pd.DataFrame({"step": step, "efficiency": 1 - gap, "regret": gap / 9, "failed": False})
            rows.append(frame.assign(cell=cell.cell, treatment=cell.treatment, session=session))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def failing(make_study):
    return make_study(failed=[("chat", 2.0)], diverged=[("silence", 0.5, 1)])


@pytest.fixture(scope="module")
def written(failing, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "report"
    return write_report(material_of(*failing, history=history_of(failing[1]), settings={"seed": 1}), folder)


def test_sections_stand_in_order(written):
    html = written.read_text(encoding="utf-8")
    want = ["answer", "terms", "design", "welfare", "effects", "plan", "learning", "computed", "limits"]
    assert re.findall(r'<section id="(\w+)"', html) == want
    count = html.count("<caption>Table")
    assert [int(n) for n in re.findall(r"<caption>Table (\d+)\.", html)] == list(range(1, count + 1))


def test_the_answer_counts_cells_and_sessions(written):
    text = words_of(written)
    assert "Cells: 9 planned, 8 done, 1 failed, 0 missing. Without result: chat outside_slope=2.0." in text
    assert "Sessions: 48 run (6 planned in each of 9 cells, 54 in all); 1 failed" in text
    assert "Those that failed enter no mean: Silence at outside slope = 0.5 (1)." in text
    assert "ValueError: no trade" in text and "line 2" not in text
    assert "$" not in text and "market day" not in text and "nan" not in text.lower().split()


def test_the_answer_is_computed_point_by_point(written, failing):
    days = market_days(failing[0]).query("treatment == 'chat'")
    by = days.groupby("outside_slope")[["welfare", "first_best"]].sum()
    shares = 100 * by["welfare"] / by["first_best"]
    text = next(line for line in re.findall(r"<p>(Chat: .*?)</p>", written.read_text(encoding="utf-8")))
    numbers = [float(x) for x in re.findall(r"([\d.]+)% of first best \(s", text)]
    assert numbers == pytest.approx([shares[0.5], shares[1.0]], abs=6e-3)
    assert "over 2 grid points" in text and "below it at every one" in text


def test_what_failed_is_seen_in_plan_figure_and_files(written):
    text = words_of(written)
    assert "Not tested. H1: Chat at outside slope = 2 has no session that finished" in text
    assert "Without result: Chat at outside slope = 2." in text
    folder = written.parent
    back = pd.read_csv(folder / "tables" / "cells.csv")
    assert len(back) == 9 and back.loc[back["status"] == "failed", "error"].item() == "ValueError: no trade\nline 2"
    names = {path.name for path in (folder / "figures").glob("*.png")}
    assert names == {"efficiency.png", "sessions.png", "training.png"}
    tables = {path.name for path in (folder / "tables").glob("*.tex")}
    want = {"design", "welfare", "effects", "plan", "cells", "settings", "effects_efficiency_by_point"}
    assert {f"{name}.tex" for name in want} <= tables


@pytest.mark.slow
def test_a_grid_of_one_point_is_told_by_treatment(make_study, tmp_path):
    panel, cells = make_study(slopes=(1.0,))
    page = write_report(material_of(panel, cells, history=history_of(cells)), tmp_path / "r")
    text = words_of(page)
    assert "Chat: efficiency is " in text and "That is below Nash by" in text
    assert "Prices, payoffs and welfare by treatment, against Nash" in text
    assert "at each grid point" not in text and "Point effects" not in text
    assert (page.parent / "figures" / "efficiency.png").exists() and (page.parent / "figures" / "training.png").exists()


def test_an_empty_panel_has_its_page(study, tmp_path):
    panel, cells = study
    lost = cells.assign(status="failed", error="OSError: disk <full>", sessions=0)
    lost.loc[[1, 2], ["status", "error"]] = ["missing", ""]
    bare = pd.DataFrame(columns=list(panel))
    for empty in (panel.head(0), bare, pd.DataFrame()):
        page = write_report(material_of(empty, lost, parameters=("outside_slope",)), tmp_path / "r")
        text = words_of(page)
        assert "No cell has finished" in text and "9 planned, 0 done, 7 failed, 2 missing" in text
        assert "OSError: disk &lt;full&gt;" in text and "no session has finished" in text
        assert not (tmp_path / "r" / "figures").exists()


def test_a_treatment_without_numbers_has_its_page(study, tmp_path):
    panel, cells = study
    gone = panel["treatment"] == "chat"
    numbers = ["welfare", "payoff", "nash_welfare", "regret"]
    bad = panel.assign(**{name: panel[name].mask(gone) for name in numbers}, converged=~gone)
    text = words_of(write_report(material_of(bad, cells), tmp_path / "r"))
    assert "Chat: no session finished with finite welfare" in text and "18 failed" in text
    assert "Not tested. H1: Chat at outside slope = 0.5 has no session" in text
    every = panel.assign(welfare=np.nan, payoff=np.nan)
    assert "Every session failed" in words_of(write_report(material_of(every, cells), tmp_path / "s"))


@pytest.mark.slow
def test_without_nash_the_benchmark_is_first_best(study, tmp_path):
    panel, cells = study
    for bare in (panel.drop(columns="nash_welfare"), panel.assign(nash_welfare=np.nan)):
        bare.attrs = panel.attrs
        text = words_of(write_report(material_of(bare, cells), tmp_path / "r"))
        assert "Nash was not solved for" in text and "against first best" in text and "Against Nash" not in text


@pytest.mark.slow
def test_two_parameters_make_small_multiples_and_three_are_said_not_averaged(make_study):
    two = make_study(slopes=(0.5, 1.0), sessions=3, rounds=2, knots=("8", "16"))
    three = make_study(slopes=(0.5, 1.0), sessions=3, rounds=2, knots=("8", "16"), width=(1.0, 2.0))
    blocks = [{s.anchor: s for s in sections(material_of(*given))}["welfare"].blocks for given in (two, three)]
    picture = next(block for block in blocks[0] if hasattr(block, "figure"))
    assert [axis.get_title() for axis in picture.figure.axes] == ["knots = 8", "knots = 16"]
    assert not any(hasattr(block, "figure") for block in blocks[1])
    assert "sweeps 3 parameters" in blocks[1][-1] and len(blocks[1][0].to_frame()) == 3 * 8


@pytest.mark.slow
def test_history_that_does_not_name_its_point_is_not_pooled(study):
    panel, cells = study
    history = history_of(cells)
    learning = [
        {s.anchor: s for s in sections(material_of(panel, cells, history=given))}["learning"].blocks
        for given in (history, history.drop(columns="cell"), history.assign(efficiency=np.nan, regret=np.nan))
    ]
    assert len(learning[0]) == 1 and len(learning[0][0].figure.axes) == 2 * 3
    assert "name the cell" in learning[1][0] and "no finite number" in learning[2][0]


def test_many_cells_are_cut_with_failed_ones_first():
    count = SHOWN + 25
    cells = pd.DataFrame({"cell": [f"c{i}" for i in range(count)], "treatment": "t", "status": "ok", "sessions": 4})
    cells["unconverged"], cells["error"], cells["warnings"] = 0, "", ""
    cells.loc[60, ["status", "error"]] = ["failed", "E" * 500]
    cells.loc[61, "status"], cells.loc[62, "unconverged"] = "missing", 3
    table = cells_table(cells)
    printed = table.cells()
    assert list(printed["Cell"][:4]) == ["c60", "c61", "c62", "c0"] and len(printed) == SHOWN
    assert "the other 25 stand in tables/cells.csv" in str(table) and len(table.to_frame()) == count
    assert len(printed["Error"][0]) == 160 and "Warnings" not in printed


@pytest.mark.slow
def test_labels_and_parameters_may_be_given_with_the_material(study, tmp_path):
    panel, cells = study
    bare = panel.copy()
    bare.attrs = {}
    labels = {"payoff": "Payoff, points", "outside_slope": "Slope of demand, units per point"}
    made = material_of(bare, cells, parameters=("outside_slope",), labels=labels)
    text = words_of(write_report(made, tmp_path / "r"))
    assert "Slope of demand, units per point" in text and "(points)" in text and bare.attrs == {}


def test_the_fish_market_keeps_its_own_report(panel, study):
    fish = ReportMaterial("t", "q", panel, outcomes=("efficiency",))
    assert is_fish_market(fish) and not is_fish_market(material_of(*study))
    planned = dataclasses.replace(
        fish, hypotheses=[PLAN[0] | {"treatment": "competitive", "against": "nash_schedules"}]
    )
    anchors = [section.anchor for section in sections(planned)]
    assert "prices" in anchors and anchors.index("plan") == anchors.index("effects") + 1
    failed = dataclasses.replace(fish, panel=panel.assign(welfare=np.nan))
    assert "Every session failed" in sections(failed)[0].blocks[0]


def test_the_same_material_gives_the_same_bytes(failing, written, tmp_path):
    again = write_report(material_of(*failing, history=history_of(failing[1]), settings={"seed": 1}), tmp_path / "r")
    for path in written.parent.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again.parent / path.relative_to(written.parent)).read_bytes(), path.name
