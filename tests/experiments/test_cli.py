import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import dcg_econ as dcg
from dcg_econ.experiments.cli import app
from dcg_econ.experiments.specification import load
from dcg_econ.mechanisms import CurveMarket

SMALL = """
title = "Small"
sessions = 2
rounds = 3
seed = 3
[mechanism]
kind = "curve_market"
curvature = [1, 1, 1]
[grid]
outside_slope = [0.5, 1.0]
[[treatments]]
name = "nash"
conduct = "nash"
[[treatments]]
name = "half"
conduct = { kind = "proportional_demand", slope = 0.25 }
[[hypotheses]]
name = "shading"
treatment = "nash"
against = "half"
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Programs choose where compiled code is kept; the tests of this process have their own place."""
    monkeypatch.setattr("dcg_econ.experiments.program.prepare", lambda: None)
    monkeypatch.setattr("dcg_econ.experiments.running.prepare", lambda: None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("cli")
    (home / "small.toml").write_text(SMALL, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dcg_econ.experiments.running.prepare", lambda: None)
        result = call("run", str(home / "small.toml"), "--out", str(home / "out"), "--quiet")
    assert result.exit_code == 0, result.output
    assert "4 cells: 4 done, 0 failed; 0 of 8 sessions did not converge" in result.stdout and result.stderr == ""
    return home / "out"


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_studies_and_mechanisms_are_listed():
    result = call("list")
    assert result.exit_code == 0
    for text in ("fish_market", "Fulton", "how_many_traders", "curve_market", "outside_slope"):
        assert text in result.stdout


@pytest.mark.parametrize("study", ["fish_markt", "missing.toml"])
def test_an_unknown_study_is_refused_and_nothing_is_written(study, tmp_path):
    for command in (["run", study, "--out", str(tmp_path / "out")], ["show", study]):
        result = call(*command)
        assert result.exit_code == 2 and "known" in result.stderr and not any(tmp_path.iterdir())


def test_a_bad_specification_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "mine.toml"
    for text, expected in {
        'title = "x"\nsesions = 3\n': "did you mean `sessions`",
        SMALL.replace("outside_slope", "outside_slop"): "did you mean `outside_slope`",
    }.items():
        path.write_text(text)
        result = call("run", str(path), "--out", str(tmp_path / "out"))
        assert result.exit_code == 2 and expected in result.stderr and "Traceback" not in result.output
        assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]


def test_a_folder_of_other_things_is_refused(tmp_path, folder):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    result = call("run", str(folder.parent / "small.toml"), "--out", str(tmp_path / "thesis"))
    assert result.exit_code == 2 and "not results" in result.stderr
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_the_starter_is_a_study_and_is_never_overwritten(tmp_path):
    result = call("init", "mine.toml")
    assert result.exit_code == 0 and "dcg-econ run mine.toml" in result.stdout
    assert load(tmp_path / "mine.toml").hypotheses and "dcg-econ run mine.toml" in (tmp_path / "mine.toml").read_text()
    again = call("init", "mine.toml")
    assert again.exit_code == 2 and "is there already" in again.stderr
    shown = call("show", "mine.toml")
    assert shown.exit_code == 0
    for text in ("learned_jointly.outside_slope=1", "cooperation_pays", "6 cells:", "10 sessions, 100 rounds"):
        assert text in shown.stdout


def test_the_schema_is_json():
    result = call("show", "fish_market", "--schema")
    assert result.exit_code == 0 and json.loads(result.stdout)["properties"]["mechanism"]


def test_status_and_report(folder):
    result = call("status", str(folder))
    assert result.exit_code == 0 and result.stdout.count("ok  ") == 4 and "4 cells: 4 done" in result.stdout
    result = call("report", str(folder))
    page = (folder / "report.html").read_text()
    assert result.exit_code == 0 and "shading" in page and "did not converge" in page and "Run as planned." in page


@pytest.mark.parametrize("command", ["status", "report", "replicate"])
def test_a_folder_without_results_says_how_to_make_them(command, tmp_path):
    result = call(command, str(tmp_path))
    assert result.exit_code == 2 and "dcg-econ run" in result.stderr and not any(tmp_path.iterdir())


def test_exports_are_read_by_others(folder, tmp_path):
    panel = pd.read_parquet(folder / "panel.parquet")
    for name in ("panel.csv", "panel.dta"):
        assert call("export", str(folder), "--to", str(tmp_path / name)).exit_code == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "panel.csv")[["payoff", "session"]], panel[["payoff", "session"]]
    )
    stata = pd.read_stata(tmp_path / "panel.dta")
    assert len(stata) == len(panel) and stata["payoff"].to_numpy() == pytest.approx(panel["payoff"].to_numpy())
    labels = pd.io.stata.StataReader(tmp_path / "panel.dta").variable_labels()
    assert labels["payoff"] == "Payoff, money"
    assert call("export", str(folder), "--to", str(tmp_path / "otree.csv"), "--otree").exit_code == 0
    otree = pd.read_csv(tmp_path / "otree.csv")
    assert {"participant.code", "player.payoff", "subsession.round_number", "session.code"} <= set(otree)
    assert (otree["participant._is_bot"] == 1).all()
    result = call("export", str(folder), "--to", str(tmp_path / "panel.xlsx"))
    assert result.exit_code == 2 and ".csv or .dta" in result.stderr


def test_a_replication_is_the_same_or_fails(folder, tmp_path):
    result = call("replicate", str(folder), "--out", str(tmp_path / "again"), "--quiet")
    assert result.exit_code == 0 and "the same, bit for bit" in result.stdout
    assert call("replicate", str(folder), "--out", str(folder)).exit_code == 2


def test_a_replication_needs_a_new_folder_and_something_to_compare(folder, tmp_path, monkeypatch):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").write_text("x")
    result = call("replicate", str(folder), "--out", str(tmp_path / "taken"))
    assert result.exit_code == 2 and "is there already" in result.stderr
    empty = tmp_path / "empty"
    shutil.copytree(folder, empty)
    shutil.rmtree(empty / "cells")
    monkeypatch.chdir(empty)
    result = call("replicate", ".", "--quiet")
    assert result.exit_code == 1 and "0 cells compared: NOT the same" in result.stdout


def test_damage_is_told_and_left_where_it_is_by_who_only_reads(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "out")
    cell = min((tmp_path / "out" / "cells").iterdir())
    (cell / "panel.parquet").write_bytes(b"x")
    for command in (
        ["report", str(tmp_path / "out")],
        ["export", str(tmp_path / "out"), "--to", str(tmp_path / "x.csv")],
    ):
        result = call(*command)
        assert result.exit_code == 0 and "3 done, 0 failed, 1 missing" in result.stderr and cell.name in result.stderr
    assert cell.is_dir() and "damaged" in call("status", str(tmp_path / "out")).stdout


def test_a_folder_may_be_a_link(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    result = call("run", str(folder.parent / "small.toml"), "--out", str(tmp_path / "out"), "--quiet")
    assert result.exit_code == 0 and (tmp_path / "elsewhere" / "report.html").is_file()


@pytest.mark.slow
def test_another_study_in_the_same_folder_is_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "out")
    seconds = json.loads((tmp_path / "out" / "study.json").read_text())["run"]["seconds"]
    (tmp_path / "other.toml").write_text(SMALL.replace('"half"', '"shaded"'))
    assert call("run", str(folder.parent / "small.toml"), "--out", str(tmp_path / "out"), "--quiet").exit_code == 0
    kept = json.loads((tmp_path / "out" / "study.json").read_text())["run"]["seconds"]
    assert kept >= seconds  # of all runs together
    result = call("run", "other.toml", "--out", str(tmp_path / "out"), "--quiet")
    assert result.exit_code == 0 and "were of another specification, kept as study-" in result.stdout
    assert len(list((tmp_path / "out").glob("study-*.json"))) == 1
    assert "2 cells of earlier specifications" in call("status", str(tmp_path / "out")).stdout


@pytest.mark.parametrize("out", ["/dev/null/x", "/proc/x"])
def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(folder, out):
    result = call("run", str(folder.parent / "small.toml"), "--out", out, "--quiet")
    assert result.exit_code in (2, 4) and out[:5] in result.stderr and "Traceback" not in result.output


def test_cells_are_computed_in_one_place(folder, tmp_path):
    places = ("--workers", "1", "--scheduler", "tcp://127.0.0.1:1")
    result = call("run", str(folder.parent / "small.toml"), "--out", str(tmp_path / "out"), *places)
    assert result.exit_code == 2 and "workers: and scheduler; give one of workers, scheduler" in result.stderr
    assert not any(tmp_path.iterdir())


def test_a_notice_of_the_batch_system_is_heeded(folder, monkeypatch):
    monkeypatch.setattr("dcg_econ.experiments.running.run_study", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    result = call("run", str(folder.parent / "small.toml"))
    assert result.exit_code == 143 and "the same command goes on" in result.stderr


KEYS = "mechanism parameters strategies payoffs welfare first_best efficiency regret residual converged selection sensitivities"


def test_solve_prints_one_json_object(folder):
    result = call("solve", "curve_market", "--set", "curvature=[0.5, 1, 2]", "--set", "outside_slope=0.3", "--json")
    assert result.exit_code == 0 and result.stderr == "" and result.stdout.count("\n") == 1
    found = json.loads(result.stdout)
    assert set(KEYS.split()) <= set(found) and found["mechanism"] == "curve_market" and found["converged"] is True
    market = CurveMarket([0.5, 1, 2], outside_slope=0.3)
    eq = dcg.solve(market)
    assert found["efficiency"] == pytest.approx(float(eq.efficiency), abs=1e-14)
    assert found["strategies"]["slope"] == pytest.approx(eq.strategies.slope.tolist())
    exact = dcg.sensitivity(market, lambda eq: eq.efficiency)
    assert found["sensitivities"]["efficiency"]["curvature"] == pytest.approx(exact["curvature"].tolist())
    assert found["parameters"]["values.low"] == -1.0 and found["payoffs"]["trader 1"] > 0


def test_solve_in_words_takes_tables():
    values = 'values={kind = "uniform", low = 0, high = 1}'
    result = call("solve", "curve_market", "--set", "curvature=[1, 1, 1]", "--set", values, "--set", "values.high=2")
    assert result.exit_code == 0 and "accepted" in result.stdout and "d efficiency" in result.stdout


@pytest.mark.parametrize(
    "arguments, code, expected",
    [
        (["curve_markt"], 2, "did you mean `curve_market`"),
        (["curve_market"], 2, "curve_market.curvature: missing"),
        (["curve_market", "--set", "curvatur=[1, 1]"], 2, "did you mean `curvature`"),
        (["curve_market", "--set", "curvature"], 2, "write NAME=VALUE"),
        (["curve_market", "--set", "curvature=one"], 2, "is no TOML value"),
        (["curve_market", "--set", "curvature=[1, 1]\nx = 3"], 2, "is no TOML value"),
        (["curve_market", "--set", 'kind="quantity_market"'], 2, "the mechanism is curve_market"),
        (["curve_market", "--set", "curvature=[1, -1, 1]"], 2, "give numbers above zero"),
        (["curve_market", "--set", "curvature=[1, 1, 1]", "--set", "values.low=0"], 2, "set values first"),
        (
            ["curve_market", "--set", "curvature=[1, 1, 1]", "--set", "price_bounds=[-0.2, 0.2]"],
            1,
            "a price outside `price_bounds`",
        ),
    ],
)
def test_solve_refuses_in_a_sentence(arguments, code, expected):
    result = call("solve", *arguments, "--json")
    assert result.exit_code == code and expected in result.stderr and result.stdout == ""


def test_help_and_analysis_do_not_load_jax():
    code = "import sys, dcg_econ.experiments.cli as c\ntry: c.app(['--help'])\nfinally: print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False") and "Exit codes" in done.stdout
    heavy = ("jax", "pandas", "numpy", "pydantic", "distributed", "statsmodels")
    code = f"import sys, dcg_econ.experiments.cli\nprint([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_command_of_the_readme_exists():
    text = (Path(__file__).resolve().parents[2] / "experiments" / "README.md").read_text()
    named = {line.split()[1] for line in text.splitlines() if line.strip().startswith("dcg-econ ")}
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert named == commands - {"list"}
