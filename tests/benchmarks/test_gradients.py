"""The gradient of an equilibrium as parameters grow: implicit, unrolled, by central differences; and by solver steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket
from tests.benchmarks.ratios import Row, warm

TRADERS, STEP = 5, 1e-5


def welfare(parameters, adjoint, steps, solver):
    """Of a market whose curvatures hang on all P parameters."""
    mix = jnp.asarray(np.random.default_rng(0).uniform(size=(TRADERS, parameters.shape[0]))) / parameters.shape[0]
    market = CurveMarket(curvature=0.5 + mix @ parameters, outside_slope=0.5)
    return dcg.solve(market, adjoint=adjoint, max_steps=steps, solver=solver).welfare


def memory(function, *args):
    """Megabytes that compiled code needs besides arguments and results."""
    found = jax.jit(function).lower(*args).compile().memory_analysis()
    return float("nan") if found is None else found.temp_size_in_bytes / 1e6


@pytest.mark.parametrize("count", [1, 10, 100, 1000])
def test_gradient(put, count):
    x = jnp.asarray(np.random.default_rng(1).uniform(0.5, 1.5, count))
    value = jax.jit(lambda x: welfare(x, None, 64, None))
    implicit = jax.value_and_grad(lambda x: welfare(x, None, 64, None))
    unrolled = jax.value_and_grad(lambda x: welfare(x, optx.RecursiveCheckpointAdjoint(), 64, None))
    solve, _ = warm(lambda: value(x), 15)
    times, megabytes, found = {}, {}, {}
    for name, function in {"implicit": implicit, "unrolled": unrolled}.items():
        compiled = jax.jit(function)
        times[name] = warm(lambda: compiled(x), 15)  # noqa: B023
        megabytes[name], found[name] = memory(function, x), compiled(x)[1]

    moved = x + STEP * jnp.concatenate([jnp.eye(count), -jnp.eye(count)])
    both = jax.jit(jax.vmap(value))
    difference = lambda: (both(moved)[:count] - both(moved)[count:]) / (2 * STEP)  # noqa: E731
    there, _ = warm(lambda: both(moved))
    here, cold = times["implicit"]
    work = f"welfare and its gradient, {count:,} parameter{'s' * (count > 1)}"
    note = f"{megabytes['implicit']:.2f} MB beside {megabytes['unrolled']:.2f} MB"
    through = times["unrolled"][0]
    put(Row(work, here, cold, "unrolled, checkpointed", through, through / here, "one solve", solve, note))
    put(Row(work, here, cold, "central differences, in one batch", there, there / here, "one solve", solve))
    np.testing.assert_allclose(found["implicit"], found["unrolled"], atol=1e-9)
    np.testing.assert_allclose(found["implicit"], difference(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "solver"), [("Newton", None), ("Chord", optx.Chord(1e-10, 1e-10)), ("dogleg", optx.Dogleg(1e-10, 1e-10))]
)
def test_flat_in_solver_steps(put, name, solver):
    x = jnp.ones(10)
    value = eqx.filter_jit(lambda x: welfare(x, None, 256, solver))
    both = eqx.filter_jit(jax.value_and_grad(lambda x: welfare(x, None, 256, solver)))
    market = CurveMarket(curvature=0.5 + jnp.ones(TRADERS) * 0.5, outside_slope=0.5)
    steps = int(dcg.solve(market, solver=solver, max_steps=256).n_steps)
    solve, _ = warm(lambda: value(x), 15)
    here, cold = warm(lambda: both(x), 15)
    put(Row(f"welfare and its gradient by {name}", here, cold, limit="one solve", bound=solve, note=f"{steps} steps"))
    unrolled = jax.jit(jax.grad(lambda x: welfare(x, optx.RecursiveCheckpointAdjoint(), 64, None)))
    np.testing.assert_allclose(both(x)[1], unrolled(x), atol=1e-8)
