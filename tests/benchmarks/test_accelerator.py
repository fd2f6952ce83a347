"""The same work on an accelerator and on the processors beside it, where JAX finds an accelerator."""

import json

import pytest

from tests.benchmarks.processes import printed
from tests.benchmarks.ratios import Row, threads

FIRST = "import jax; print(jax.default_backend())"


def timed(platforms):
    """The device and the rows of `accelerated.py`, on the platform that JAX takes first (None) or on a named one."""
    lines = printed("-m", "tests.benchmarks.accelerated", JAX_ENABLE_X64="1", JAX_PLATFORMS=platforms).splitlines()
    first, *rows = map(json.loads, lines)
    return first["device"], rows


def test_against_the_processors(put):
    if printed("-c", FIRST, JAX_PLATFORMS=None).split()[-1] == "cpu":
        pytest.skip("JAX finds no accelerator")
    (device, here), (_, there) = timed(None), timed("cpu")
    count = threads()
    peer = f"its machine's {count} processor{'s' * (count > 1)}"
    for ours, theirs in zip(here, there, strict=True):
        times = theirs["warm"] / ours["warm"]
        put(Row(f"{ours['work']}, on {device}", ours["warm"], ours["cold"], peer, theirs["warm"], times))
        assert ours["check"] == pytest.approx(theirs["check"], rel=1e-6)
