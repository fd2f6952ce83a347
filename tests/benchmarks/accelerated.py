"""Work that a GPU is for, timed on whatever JAX finds first; `test_accelerator.py` runs it twice.

JAX_ENABLE_X64=1 python -m tests.benchmarks.accelerated
"""

from __future__ import annotations

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from dcg_econ.learning.steps import advance
from tests.benchmarks.ratios import warm
from tests.benchmarks.test_equilibrium_batch import MARKETS, draw, five, one
from tests.benchmarks.test_kernel_fit import KNOTS, demands, fitted_and_cleared
from tests.benchmarks.test_training import STEPS, learning

TRAINED = [(16, 32), (256, 1), (256, 32), (4096, 1), (4096, 32)]  # sessions, batch
TRADERS = 1_000_000


def calls():
    """What is timed, by name, and the number by which two machines' results are compared."""
    for sessions, batch in TRAINED:
        call = partial(advance, *learning(sessions, batch))
        yield f"{STEPS} steps of {sessions:,} sessions side by side, batch {batch}", call, lambda found: mean(found[0])
    c, b = jnp.asarray(draw((MARKETS, 5), 0)), jnp.asarray(draw(MARKETS, 1))
    yield f"{MARKETS:,} market equilibria, one unknown, with all derivatives", partial(one, c[:, 0], b), mean
    yield f"{MARKETS:,} market equilibria, five unknowns, with all derivatives", partial(five, c, b), mean
    fit = partial(fitted_and_cleared, *map(jnp.asarray, demands(TRADERS)))
    yield f"curves of {TRADERS:,} traders on {KNOTS} knots, fitted and cleared", fit, lambda found: float(found[1])


def mean(found) -> float:
    """The mean of all numbers of a result."""
    return float(np.mean(np.concatenate([np.ravel(x) for x in jax.tree.leaves(found)])))


def main() -> None:
    device = jax.devices()[0]
    print(json.dumps({"platform": device.platform, "device": device.device_kind}), flush=True)
    for work, call, check in calls():
        here, cold = warm(call, 3)
        print(json.dumps({"work": work, "warm": here, "cold": cold, "check": check(call())}), flush=True)


if __name__ == "__main__":
    main()
