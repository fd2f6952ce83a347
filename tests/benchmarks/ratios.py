"""Ratios taken in one run: the two sides in turn, so that a machine whose speed drifts does not favour one."""

import statistics
import time
from collections.abc import Callable

import jax


def seconds(call: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def compare(ours: Callable, theirs: Callable, rounds: int = 15) -> dict[str, float]:
    """Median seconds of both, warm, and the median of the ratios pair by pair; `cold` is our first call, compile included."""
    cold = seconds(ours)
    seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return {
        "ours": statistics.median(a for a, _ in pairs),
        "theirs": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "cold": cold,
    }


def say(name: str, found: dict[str, float]) -> None:
    print(
        f"\n{name}: {1e3 * found['ours']:.2f} ms against {1e3 * found['theirs']:.2f} ms, ratio {found['ratio']:.2f} "
        f"(first call {found['cold']:.2f} s)"
    )
