"""Faults on real processes: what is finished is neither lost nor done twice, and what is told is true."""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from tests.experiments.processes import (
    LONG,
    STUDY,
    assert_same,
    call,
    checkpoints,
    ended,
    environment,
    finished,
    panel_of,
    start,
    wait_for,
    workers_of,
)

QUICK = STUDY.format(steps=100, records=1)


def test_a_killed_run_goes_on_where_it_stopped_and_a_second_run_is_told(tmp_path, study_file, compiled, whole):
    out = tmp_path / "out"
    arguments = ("run", study_file, "--out", out, "--checkpoint-every", 0)
    run = start(*arguments, cwd=tmp_path, cache=compiled)
    with ended(run):
        wait_for(lambda: len(finished(out)) >= 2 and checkpoints(out), "a checkpoint", run)
        code, _, err = call(*arguments, cwd=tmp_path, cache=compiled)
        assert code == 3 and "another run is at work in" in err and "dcg-econ status" in err
        code, said, _ = call("status", out, cwd=tmp_path, cache=compiled)
        assert code == 0 and "4 cells: 2 done, 0 failed, 2 missing" in said
        run.send_signal(signal.SIGKILL)
        run.wait(timeout=30)
    before = finished(out)
    assert checkpoints(out) and len(before) in (2, 3)
    code, said, _ = call(*arguments, cwd=tmp_path, cache=compiled)
    assert code == 0 and "4 cells: 4 done, 0 failed" in said
    assert before.items() <= finished(out).items()
    resumed = [json.loads(p.read_text())["resumed"] for p in sorted((out / "cells").glob("*/manifest.json"))]
    assert sum(resumed) == 1 and not checkpoints(out)
    assert_same(panel_of(out), whole[0])


def test_a_killed_worker_costs_nothing(tmp_path, study_file, compiled, whole):
    out = tmp_path / "out"
    run = start("run", study_file, "--out", out, "--workers", 2, "--checkpoint-every", 0, cwd=tmp_path, cache=compiled)
    with ended(run):
        wait_for(lambda: len(checkpoints(out)) == 2, "both workers to be at a long cell", run)
        workers = workers_of(run)
        assert len(workers) == 2
        workers[0].send_signal(signal.SIGKILL)
        said, err = run.communicate(timeout=240)
    assert run.returncode == 0, err
    assert "4 cells: 4 done, 0 failed" in said
    resumed = [json.loads(p.read_text())["resumed"] for p in (out / "cells").glob("learned*/manifest.json")]
    assert any(resumed)
    assert_same(panel_of(out), whole[0])


def test_a_killed_scheduler_is_told_and_the_run_goes_on_later(tmp_path, study_file, compiled, whole):
    out, file = tmp_path / "out", tmp_path / "scheduler.json"
    options = {
        "cwd": tmp_path,
        "env": environment(compiled),
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    dask = [sys.executable, "-m", "dask"]
    quiet = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *quiet], **options)
    worker = subprocess.Popen(
        [*dask, "worker", "--nworkers", "1", "--nthreads", "1", "--death-timeout", "20", "--host", "127.0.0.1", *quiet],
        **options,
    )
    arguments = ("run", study_file, "--out", out, "--checkpoint-every", 0)
    run = start(*arguments, "--scheduler-file", file, cwd=tmp_path, cache=compiled)
    with ended(run, scheduler, worker):
        wait_for(lambda: checkpoints(out), "a checkpoint", run)
        scheduler.send_signal(signal.SIGKILL)
        _, err = run.communicate(timeout=240)
    assert run.returncode == 4 and "the Dask scheduler is gone" in err and "Traceback" not in err
    before = finished(out)
    assert len(before) >= 1
    code, said, _ = call(*arguments, cwd=tmp_path, cache=compiled)
    assert code == 0 and "4 cells: 4 done, 0 failed" in said and before.items() <= finished(out).items()
    assert_same(panel_of(out), whole[0])


def limited(size):
    """A stand-in for a quota: no file of this process may grow beyond `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path, compiled):
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(QUICK, encoding="utf-8")
    arguments = ("run", study, "--out", out, "--quiet")
    code, _, err = call(*arguments, cwd=tmp_path, cache=compiled, preexec_fn=limited(10_000))
    assert code == 4 and "could not be written" in err and "make room and run again" in err and "Traceback" not in err
    assert finished(out) == {} and not [p for p in out.rglob("*") if p.name.startswith(".new-")]
    code, said, _ = call(*arguments, cwd=tmp_path, cache=compiled)
    assert code == 0 and "4 cells: 4 done" in said


def test_damage_found_on_resume_is_set_aside_redone_and_reported(tmp_path, compiled):
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(QUICK, encoding="utf-8")
    arguments = ("run", study, "--out", out, "--quiet")
    assert call(*arguments, cwd=tmp_path, cache=compiled)[0] == 0
    first, before = panel_of(out), finished(out)
    cells = sorted((out / "cells").iterdir())
    truncated, half = cells[0] / "panel.parquet", cells[1] / "manifest.json"
    truncated.write_bytes(truncated.read_bytes()[:100])
    half.write_text(half.read_text()[:100])
    code, said, _ = call(*arguments, cwd=tmp_path, cache=compiled)
    assert code == 0 and said.count("set aside") == 2 and "4 cells: 4 done" in said
    assert "panel.parquet is not as it was written" in said and "its manifest is damaged" in said
    assert len(list((out / "aside").iterdir())) == 2
    after = finished(out)
    assert {k: v for k, v in after.items() if k not in (cells[0].name, cells[1].name)}.items() <= before.items()
    assert_same(panel_of(out), first)


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


def test_a_cell_that_raises_is_a_row_and_one_that_diverges_is_counted(tmp_path, compiled):
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(BAD, encoding="utf-8")
    code, said, err = call("run", study, "--out", out, "--quiet", cwd=tmp_path, cache=compiled)
    assert code == 1 and "Traceback" not in err
    assert "raises.scale=1: EquilibriumError: no equilibrium with trade exists for two traders" in said
    assert "learned.scale=1e+200: 2 of 2 sessions diverged (regret is not a number)" in said
    assert "4 cells: 2 done, 2 failed; 4 of 4 sessions did not converge (in 2 cells)" in said
    before = finished(out)
    page = (out / "report.html").read_text()
    assert "failed" in page and "did not converge" in page and "no equilibrium with trade exists" in page
    panel = panel_of(out)
    assert panel[panel["values_scale"] == 1.0]["payoff"].notna().all()
    code, again, _ = call("run", study, "--out", out, "--quiet", cwd=tmp_path, cache=compiled)
    assert code == 1 and before == finished(out)  # failures are tried again, what is finished is not
    assert counts(again) == counts(said)


def counts(said):
    return [line for line in said.splitlines() if " cells: " in line]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_really_full_disk(tmp_path, compiled):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        study = tmp_path / "study.toml"
        study.write_text(QUICK, encoding="utf-8")
        arguments = ("run", study, "--out", disk / "out", "--quiet")
        code, _, err = call(*arguments, cwd=tmp_path, cache=compiled)
        assert code == 4 and "No space left on device" in err and "make room" in err and "Traceback" not in err
        kept = finished(disk / "out")
        assert kept and not [p for p in disk.rglob("*") if p.name.startswith(".new-")]
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        code, said, _ = call(*arguments, cwd=tmp_path, cache=compiled)
        assert code == 0 and "4 cells: 4 done" in said and kept.items() <= finished(disk / "out").items()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_long_study_is_long_enough_to_be_interrupted():
    assert LONG != QUICK and "steps = 4000" in LONG
