"""Dask's processes killed in the middle of a run: a worker costs nothing, a scheduler is told."""

import json
import signal
import subprocess
import sys

from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.study import Study
from tests.experiments.processes import (
    LONG,
    assert_same,
    checkpoints,
    ended,
    environment,
    finished,
    panel_of,
    start,
    wait_for,
    workers_of,
)


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
    assert_same(Study.of(parse(LONG), out).run(quiet=True), whole[0])
    assert before.items() <= finished(out).items()
