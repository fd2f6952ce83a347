"""What the machine itself can do, measured in the same run."""

import statistics
import time
from functools import cache

import numpy as np

_NUMBERS = 16_000_000  # 128 MB: beyond any cache


@cache
def bandwidth() -> float:
    """Bytes a second that a copy reads and writes together."""
    source = np.random.default_rng(0).normal(size=_NUMBERS)
    target = np.empty_like(source)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return 2 * source.nbytes / statistics.median(times)
