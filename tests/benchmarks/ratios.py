"""Ratios taken in one run: the two sides in turn, so that a machine whose speed drifts does not favour one."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax


def threads() -> int:
    """Processors that both sides of a comparison may use: BENCH_THREADS, by default all."""
    return int(os.environ.get("BENCH_THREADS", os.cpu_count() or 1))


class Row(NamedTuple):
    """One line of the table. Times in seconds for the same work, warm; `cold`: our first call, compilation included.

    `limit`: what bounds the work on this machine, and the seconds it needs for it. None where there is nothing to say.
    """

    work: str
    here: float
    cold: float | None = None
    peer: str | None = None
    there: float | None = None
    times: float | None = None
    limit: str | None = None
    bound: float | None = None
    note: str = ""


class Pair(NamedTuple):
    """Median seconds of both sides, the median of the ratios theirs / ours pair by pair, and our first call."""

    ours: float
    theirs: float
    times: float
    cold: float


def seconds(call: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def warm(call: Callable, rounds: int = 7) -> tuple[float, float]:
    """Median seconds of a call, and those of the first."""
    cold = seconds(call)
    return statistics.median(seconds(call) for _ in range(rounds)), cold


def compare(ours: Callable, theirs: Callable, rounds: int = 9) -> Pair:
    """Both sides in turn, each called once before."""
    cold = seconds(ours)
    seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return Pair(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(b / a for a, b in pairs),
        cold,
    )


def against(
    work: str, peer: str, found: Pair, note: str = "", limit: str | None = None, bound: float | None = None
) -> Row:
    """The row of a comparison."""
    return Row(work, found.ours, found.cold, peer, found.theirs, found.times, limit, bound, note)
