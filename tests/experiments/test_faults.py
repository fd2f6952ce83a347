"""Faults: what is finished is neither lost nor done twice, and what is told is true.

What is killed, stopped or short of space is a real process; what comes before and after runs here, where it is compiled.
"""

import json
import shutil
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dcg_econ.experiments.cli import app
from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.study import Study
from tests.experiments.processes import (
    LONG,
    STUDY,
    assert_same,
    checkpoints,
    command,
    ended,
    environment,
    finished,
    panel_of,
    start,
    wait_for,
)

QUICK = STUDY.format(steps=100, records=1)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Programs choose where compiled code is kept; the tests of this process have their own place."""
    monkeypatch.setattr("dcg_econ.experiments.running.prepare", lambda: None)


def here(*arguments):
    """The command line in this process: (exit code, standard output, standard error)."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped_and_a_second_run_is_told(tmp_path, study_file, compiled, whole):
    out = tmp_path / "out"
    arguments = ("run", study_file, "--out", out, "--checkpoint-every", 0)
    run = start(*arguments, cwd=tmp_path, cache=compiled)
    with ended(run):
        wait_for(lambda: len(finished(out)) >= 2 and checkpoints(out), "a checkpoint", run)
        run.send_signal(signal.SIGSTOP)  # at work and holding the folder, for as long as we look
        code, _, err = here(*arguments)
        assert code == 3 and "another run is at work in" in err and "dcg-econ status" in err
        code, said, _ = here("status", out)
        assert code == 0 and "4 cells: 2 done, 0 failed, 2 missing" in said
        run.send_signal(signal.SIGKILL)
        run.wait(timeout=30)
    before = finished(out)
    assert checkpoints(out) and len(before) == 2
    code, said, _ = here(*arguments)
    assert code == 0 and "4 cells: 4 done, 0 failed" in said
    assert before.items() <= finished(out).items()
    resumed = [json.loads(p.read_text())["resumed"] for p in sorted((out / "cells").glob("*/manifest.json"))]
    assert sum(resumed) == 1 and not checkpoints(out)
    assert_same(panel_of(out), whole[0])


# A stand-in for a quota: no file of the process may grow beyond so many bytes.
LIMITED = """
import os, resource, sys
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, compiled):
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(QUICK, encoding="utf-8")
    arguments = ("run", study, "--out", out, "--quiet")
    limited = [sys.executable, "-c", LIMITED, "10000", *command(*arguments)[1:]]
    done = subprocess.run(limited, cwd=tmp_path, env=environment(compiled), capture_output=True, text=True, timeout=240)
    code, err = done.returncode, done.stderr
    assert code == 4 and "could not be written" in err and "make room and run again" in err and "Traceback" not in err
    assert finished(out) == {} and not [p for p in out.rglob("*") if p.name.startswith(".new-")]
    assert len(Study.of(parse(QUICK), out).run(quiet=True)) == 4 * 2 * 4 * 4


@pytest.mark.slow
def test_damage_found_on_resume_is_set_aside_redone_and_reported(tmp_path, study_file, whole):
    out = tmp_path / "out"
    shutil.copytree(whole[1], out)
    before, cells = finished(out), sorted((out / "cells").iterdir())
    truncated, half = cells[0] / "panel.parquet", cells[3] / "manifest.json"
    truncated.write_bytes(truncated.read_bytes()[:100])
    half.write_text(half.read_text()[:100])
    code, said, _ = here("run", study_file, "--out", out, "--quiet")
    assert code == 0 and said.count("set aside") == 2 and "4 cells: 4 done" in said
    assert "panel.parquet is not as it was written" in said and "its manifest is damaged" in said
    assert len(list((out / "aside").iterdir())) == 2
    untouched = {cell.name: before[cell.name] for cell in cells[1:3]}
    assert untouched.items() <= finished(out).items()
    assert_same(panel_of(out), whole[0])


BAD = """
title = "One treatment raises, one diverges"
sessions = 2
rounds = 4
seed = 3
[mechanism]
kind = "curve_market"
curvature = [1, 1]
values = { kind = "normal", loc = 0, scale = 1.0 }
[training]
steps = 10
batch = 4
width = 4
records = 2
[grid]
"values.scale" = [1.0, 1e200]
[[treatments]]
name = "raises"
conduct = "nash"
[[treatments]]
name = "learned"
mechanism = { kind = "quantity_market", curvature = [1, 1], values = { kind = "normal", loc = 0, scale = 1.0 } }
"""


@pytest.mark.slow
def test_a_cell_that_raises_is_a_row_and_one_that_diverges_is_counted(tmp_path):
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(BAD, encoding="utf-8")
    code, said, err = here("run", study, "--out", out, "--quiet")
    assert code == 1 and "Traceback" not in err
    assert "raises.scale=1: EquilibriumError: no equilibrium with trade exists for two traders" in said
    assert "learned.scale=1e+200: 2 of 2 sessions diverged (regret is not a number)" in said
    assert "4 cells: 2 done, 2 failed; 4 of 4 sessions did not converge (in 2 cells)" in said
    before = finished(out)
    page = (out / "report.html").read_text()
    assert "failed" in page and "did not converge" in page and "no equilibrium with trade exists" in page
    panel = panel_of(out)
    assert panel[panel["values_scale"] == 1.0]["payoff"].notna().all()
    code, again, _ = here("run", study, "--out", out, "--quiet")
    assert code == 1 and before == finished(out)  # failures are tried again, what is finished is not
    assert counts(again) == counts(said)


def counts(said):
    return [line for line in said.splitlines() if " cells: " in line]


def test_the_long_study_is_long_enough_to_be_interrupted():
    assert LONG != QUICK and "steps = 8000" in LONG
