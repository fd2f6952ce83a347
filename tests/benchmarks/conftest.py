"""Where benchmarks write their rows: build/benchmarks/THREADS.json, with what the machine is; `table.py` reads them.

BENCH_THREADS processors are used, by our side and by every peer. A file keeps the rows of the tests that did not run.
"""

import importlib.metadata
import json
import os
import platform
from pathlib import Path

import pytest

from tests.benchmarks.ratios import threads

THREADS = threads()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:THREADS]))
FOLDER = Path(__file__).resolve().parents[2] / "build" / "benchmarks"
PACKAGES = ("jax", "numpy", "scipy", "scikit-learn", "nashpy", "quantecon", "pygambit", "open_spiel")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine():
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":")[1].strip()
    except (OSError, IndexError):
        processor = platform.processor() or platform.machine()
    return {
        "processor": processor,
        "processors": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


@pytest.fixture(scope="session")
def _rows():
    rows: dict[str, list] = {}
    yield rows
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{THREADS}.json"
    before = json.loads(path.read_text())["rows"] if path.exists() else {}
    path.write_text(json.dumps({"threads": THREADS, "machine": _machine(), "rows": before | rows}, indent=1) + "\n")


@pytest.fixture
def put(_rows, request):
    """Takes a `Row`, prints it and keeps it."""

    def take(row):
        _rows.setdefault(request.node.nodeid.rpartition("/")[2], []).append(row._asdict())
        there = "" if row.there is None else f", {row.peer} {row.there:.3g} s, {row.times:.3g} times as fast"
        bound = "" if row.bound is None else f", {row.limit} {row.bound:.3g} s"
        print(f"\n{row.work}: {row.here:.3g} s{there}{bound} {row.note}")

    return take
