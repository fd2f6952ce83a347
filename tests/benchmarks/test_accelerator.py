"""The same work on an accelerator and on the processors beside it, where JAX finds an accelerator."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import Row, threads

ROOT = Path(__file__).resolve().parents[2]
FIRST = "import jax; print(jax.default_backend())"


def ran(arguments, platforms):
    """What a fresh interpreter prints, on the platform that JAX takes first or on a named one."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_PLATFORMS"}
    environment |= {"JAX_ENABLE_X64": "1"} | platforms
    start = [sys.executable, *arguments]
    return subprocess.run(start, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_against_the_processors(put):
    if ran(["-c", FIRST], {}).split()[-1] == "cpu":
        pytest.skip("JAX finds no accelerator")
    here, there = (
        [json.loads(line) for line in ran(["-m", "tests.benchmarks.accelerated"], platforms).splitlines()]
        for platforms in ({}, {"JAX_PLATFORMS": "cpu"})
    )
    device, count = here[0]["device"], threads()
    for ours, theirs in zip(here[1:], there[1:], strict=True):
        peer = f"its machine's {count} processor{'s' * (count > 1)}"
        times = theirs["warm"] / ours["warm"]
        put(Row(f"{ours['work']}, on {device}", ours["warm"], ours["cold"], peer, theirs["warm"], times))
        assert ours["check"] == pytest.approx(theirs["check"], rel=1e-6)
