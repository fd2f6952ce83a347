"""The lab at length: 10,000 malformed specifications, 1,000 cells on two workers, a Slurm job's worth of processes."""

import os
import subprocess
import sys
import time
from contextlib import nullcontext

import jax.numpy as jnp
import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings

import dcg_econ as dcg
from dcg_econ.experiments import SpecificationError
from dcg_econ.experiments.plan import cells_of
from dcg_econ.experiments.progress import Quiet
from dcg_econ.experiments.runner import local_client
from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.study import Study
from dcg_econ.mechanisms import QuantityMarket
from tests.experiments.malformed import perhaps_bad, surely_bad
from tests.experiments.own_classes import Envious
from tests.experiments.processes import LONG, STUDY, assert_same, call, environment, finished, panel_of

TRIED = {"surely": 0, "perhaps": 0, "valid": 0}


def judged(text):
    """Whether a specification is refused, by located lines and nothing else."""
    try:
        cells_of(parse(text, "study.toml"))
    except SpecificationError as error:
        assert str(error) and all(":" in line and "Traceback" not in line for line in str(error).splitlines())
        return True
    return False


@settings(max_examples=7000, deadline=None, suppress_health_check=list(HealthCheck))
@given(surely_bad())
def refuse_malformed(text):
    TRIED["surely"] += 1
    assert judged(text)


@settings(max_examples=3200, deadline=None, suppress_health_check=list(HealthCheck))
@given(perhaps_bad())
def judge_any_text(text):
    TRIED["perhaps"] += 1
    TRIED["valid"] += not judged(text)


def test_ten_thousand_were_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_malformed()
    judge_any_text()
    print("\nspecifications", TRIED)
    assert TRIED["surely"] + TRIED["perhaps"] - TRIED["valid"] >= 10_000 and not os.listdir(tmp_path)


THOUSAND = f"""
title = "A thousand small cells"
sessions = 2
rounds = 10
seed = 1
[mechanism]
kind = "curve_market"
curvature = [1, 1, 1]
[grid]
outside_slope = {[round(0.01 * (i + 1), 2) for i in range(1000)]}
[[treatments]]
name = "nash"
conduct = "nash"
"""
QUICK = STUDY.format(steps=100, records=1)
OVERHEAD = 0.050  # seconds a cell
GROWTH = 1.05  # of a worker's memory, from the hundredth cell to the last


class Clock(Quiet):
    """When cells were finished, and the memory of the workers at every hundredth."""

    def start(self, done, total):
        self.times, self.memory = [], []

    def cell(self, name, text):
        self.times.append(time.perf_counter())
        if len(self.times) % 100 == 0:
            family = psutil.Process().children(recursive=True)
            workers = [p for p in family if "spawn_main" in " ".join(p.cmdline())]
            self.memory.append(sorted(p.memory_info().rss / 2**20 for p in workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_thousand_small_cells(tmp_path, workers):
    study, clock = Study.of(parse(THOUSAND), tmp_path / "out"), Clock()
    study.execute(clock, local_client(workers, 1) if workers else nullcontext())
    alone = study.status()["seconds"][100:].mean()  # as the processes that computed them measured it
    each = (clock.times[-1] - clock.times[100]) / (len(clock.times) - 101)
    busy = each * max(workers, 1) - alone  # what each worker spent on a cell beyond computing it
    print(
        f"\n{workers} workers: {1e3 * each:.1f} ms a cell, {1e3 * alone:.1f} ms of it computing: {1e3 * busy:.1f} ms overhead"
    )
    print("memory of the workers, MiB, at every hundredth cell:", [[round(m) for m in row] for row in clock.memory])
    assert len(study.panel()) == 1000 * 2 * 10 * 4 and busy < OVERHEAD
    if workers:
        assert max(clock.memory[-1]) < GROWTH * max(clock.memory[0])


def test_workers_import_the_classes_of_a_module(tmp_path):
    arguments = {"sessions": 2, "rounds": 2, "steps": 2, "batch": 2, "width": 2, "records": 1}
    treatments = {"envious": dcg.Treatment(objective=Envious(0.2))}
    studies = [dcg.Study(QuantityMarket(jnp.ones(2)), treatments, folder=tmp_path / f, **arguments) for f in "ab"]
    assert_same(studies[0].run(workers=1, quiet=True), studies[1].run(quiet=True))


def test_a_study_on_the_tasks_of_a_slurm_job(tmp_path, request):
    """Four tasks as Slurm would start them: the scheduler, the run, and two workers."""
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(LONG, encoding="utf-8")
    cache = request.config.cache.mkdir("jax-processes")
    job = {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}
    command = [sys.executable, "-m", "dcg_econ.experiments.on_slurm", str(study), "--out", str(out)]
    tasks = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(cache) | job | {"SLURM_PROCID": str(i)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    said = [task.communicate(timeout=300)[0] for task in tasks]
    assert tasks[1].returncode == 0 and "4 cells: 4 done, 0 failed" in said[1]
    whole = Study.of(parse(LONG), tmp_path / "whole").run(quiet=True)
    assert_same(panel_of(out), whole)
    assert not list(tmp_path.glob(".*scheduler*"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk(tmp_path, request):
    compiled = request.config.cache.mkdir("jax-processes")
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


SHARDED_RTOL = 1e-7
SHARDED = """
import sys
import jax
from dcg_econ.experiments.specification import parse
from dcg_econ.experiments.study import Study
assert len(jax.local_devices()) == 2
text = open(sys.argv[1], encoding="utf-8").read()
Study.of(parse(text), sys.argv[2]).run(quiet=True)
"""


def test_sessions_are_sharded_over_devices(tmp_path, request):
    out, study_file = tmp_path / "out", tmp_path / "study.toml"
    study_file.write_text(LONG, encoding="utf-8")
    compiled = request.config.cache.mkdir("jax-processes")
    env = environment(compiled) | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, "-c", SHARDED, study_file, out], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # One session a device is other code than two in one loop: sums in another order, over 8000 steps of learning.
    whole = Study.of(parse(LONG), tmp_path / "whole").run(quiet=True)
    pd.testing.assert_frame_equal(panel_of(out), whole, rtol=SHARDED_RTOL, atol=1e-9)


def test_two_workers_without_any_fault(tmp_path, request):
    out, study_file = tmp_path / "out", tmp_path / "study.toml"
    study_file.write_text(LONG, encoding="utf-8")
    compiled = request.config.cache.mkdir("jax-processes")
    code, said, err = call("run", study_file, "--out", out, "--workers", 2, cwd=tmp_path, cache=compiled)
    assert code == 0, err
    assert "4 cells: 4 done, 0 failed" in said and "cell 4 of 4" in err
    assert_same(panel_of(out), Study.of(parse(LONG), tmp_path / "whole").run(quiet=True))
