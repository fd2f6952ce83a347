"""Real processes for the tests of this folder: the command line, Dask's scheduler and workers, and their ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil

PATIENCE = 240  # seconds: machines of continuous integration are slow and busy

STUDY = """
title = "A study to be interrupted"
sessions = 2
rounds = 4
seed = 3
[mechanism]
kind = "quantity_market"
curvature = [1, 1, 1]
outside_slope = 0.5
[training]
steps = {steps}
batch = 8
width = 4
records = {records}
[grid]
outside_slope = [0.5, 1.0]
[[treatments]]
name = "nash"
conduct = "nash"
[[treatments]]
name = "learned"
"""
LONG = STUDY.format(steps=8000, records=80)


def command(*arguments):
    return [sys.executable, "-m", "dcg_econ.experiments.cli", *map(str, arguments)]


def start(*arguments, cwd, cache):
    """A process of the command line; `cache` keeps what JAX compiles."""
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(cache),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def call(*arguments, cwd, cache):
    """Runs a command to its end: (exit code, standard output, standard error)."""
    process = start(*arguments, cwd=cwd, cache=cache)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def environment(cache):
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
        "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0",
    }


def wait_for(condition, what, process=None):
    """Waits until `condition()` holds and returns what it gave."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        if process is not None and process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"the process ended before {what}: {process.returncode}\n{out}\n{err}")
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE} s in vain for {what}")


def checkpoints(folder):
    return list((folder / "checkpoints").glob("*.eqx"))


def finished(folder):
    """Finished cells with the time stamp and inode of their manifests: who is done again has another."""
    found = {}
    for path in (folder / "cells").glob("[!.]*/manifest.json"):
        found[path.parent.name] = (path.stat().st_mtime_ns, path.stat().st_ino)
    return found


def workers_of(process):
    """The worker processes below a run."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@contextmanager
def ended(*processes):
    """Kills, at the end, those of these processes that still run, and their children."""
    try:
        yield
    finally:
        for process in processes:
            kill_tree(process)


def kill_tree(process):
    try:
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def panel_of(folder):
    return pd.read_parquet(folder / "panel.parquet")


def assert_same(a, b):
    """The same panel, bit for bit, with its labels."""
    pd.testing.assert_frame_equal(a, b, check_exact=True)
    assert a.attrs == b.attrs
