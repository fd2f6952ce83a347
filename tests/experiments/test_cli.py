import json
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
    assert result.exit_code == 0 and "shading" in page and "did not converge" in page


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


KEYS = "mechanism parameters strategies payoffs welfare first_best efficiency regret residual converged selection sensitivities"


def test_solve_prints_one_json_object(folder):
    result = call("solve", "curve_market", "--set", "curvature=[0.5, 1, 2, 4]", "--set", "outside_slope=0.3", "--json")
    assert result.exit_code == 0 and result.stderr == "" and result.stdout.count("\n") == 1
    found = json.loads(result.stdout)
    assert set(KEYS.split()) <= set(found) and found["mechanism"] == "curve_market" and found["converged"] is True
    market = CurveMarket([0.5, 1, 2, 4], outside_slope=0.3)
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
        (["curve_market", "--set", "curvature=[1, -1, 1]"], 2, "give numbers above zero"),
        (["curve_market", "--set", "curvature=[1, 1, 1]", "--set", "values.low=0"], 2, "set values first"),
        (["curve_market", "--set", "curvature=[1, 1]"], 1, "no equilibrium with trade exists for two traders"),
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
