"""100,000 equilibria with all their derivatives in one call, against a loop over scipy with central differences."""

import time

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket
from tests.benchmarks.ratios import Row, warm

MARKETS, STEP = 100_000, 1e-6


def draw(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def looped(call, count):
    start = time.perf_counter()
    found = [call(i) for i in range(count)]
    return (time.perf_counter() - start) / count, found


def central(value, x):
    steps = STEP * np.eye(len(x))
    return [(value(x + s) - value(x - s)) / (2 * STEP) for s in steps]


def row(unknowns, ours, cold, theirs):
    """Ours: all markets in one call. Theirs: a sample of them, one after the other, scaled up."""
    work = f"{MARKETS:,} market equilibria, {unknowns}, with all derivatives"
    return Row(work, ours, cold, "scipy in a loop, central differences", MARKETS * theirs, MARKETS * theirs / ours)


@eqx.filter_jit
@eqx.filter_vmap
def one(c, b):
    """The slope of three equal traders, and its derivatives."""
    market = CurveMarket(curvature=c * jnp.ones(3), outside_slope=b)
    found = dcg.sensitivity(market, lambda eq: eq.strategies.slope, strategies=dcg.ProportionalDemand(1 / c))
    return found.value, found["curvature"].sum(), found["outside_slope"]


@eqx.filter_jit
@eqx.filter_vmap
def five(c, b):
    """The sum of five traders' slopes, and its derivatives."""
    found = dcg.sensitivity(CurveMarket(curvature=c, outside_slope=b), lambda eq: jnp.sum(eq.strategies.slope))
    return found.value, found["curvature"], found["outside_slope"]


def test_one_unknown(put):
    c, b = draw(MARKETS, 0), draw(MARKETS, 1)
    jc, jb = jnp.asarray(c), jnp.asarray(b)
    ours, cold = warm(lambda: one(jc, jb), 5)

    def slope(x):
        return scipy.optimize.root(lambda s: s * (x[0] + 1 / (2 * s + x[1])) - 1, 1 / x[0]).x[0]

    theirs, found = looped(lambda i: (slope(x := np.array([c[i], b[i]])), *central(slope, x)), 500)
    np.testing.assert_allclose(np.stack(one(jc, jb), 1)[:500], found, atol=1e-6)
    put(row("one unknown", ours, cold, theirs))


def test_five_unequal_curvatures(put):
    c, b = draw((MARKETS, 5), 0), draw(MARKETS, 1)
    jc, jb = jnp.asarray(c), jnp.asarray(b)
    ours, cold = warm(lambda: five(jc, jb), 3)

    def slopes(x):
        return scipy.optimize.root(lambda s: s * (x[:5] + 1 / (s.sum() - s + x[5])) - 1, 1 / x[:5]).x.sum()

    theirs, found = looped(lambda i: (slopes(x := np.append(c[i], b[i])), *central(slopes, x)), 200)
    value, by_curvature, by_slope = five(jc, jb)
    np.testing.assert_allclose(np.column_stack([value, by_curvature, by_slope])[:200], found, atol=1e-5)
    put(row("five unknowns", ours, cold, theirs))
