import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket, QuantityMarket

DIFFERENCES = 1e-6  # central differences with step 1e-4 of quantities of order one: truncation 1e-8, rounding 1e-11
STEP = 1e-4


def market(curvature, supply, slope):
    return CurveMarket(
        curvature=curvature, values=dcg.Uniform(1.0, 2.0), supply=supply, outside_slope=slope, outside_price=1.7
    )


AT = (jnp.array([0.5, 1.0, 2.0, 4.0]), jnp.asarray(0.8), jnp.asarray(0.6))
QUANTITIES = {
    "efficiency": lambda eq: eq.efficiency,
    "welfare": lambda eq: eq.welfare,
    "a payoff": lambda eq: eq.payoffs[1],
    "slopes": lambda eq: eq.strategies.slope,
}


@pytest.fixture(scope="module")
def solved():
    return eqx.filter_jit(lambda *fields: dcg.solve(market(*fields)))


@pytest.mark.slow
@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES.keys())
def test_derivatives_equal_central_differences(solved, quantity):
    found = dcg.sensitivity(market(*AT), quantity)
    curvature, supply, slope = AT
    for i in range(4):
        bump = STEP * jnp.eye(4)[i]
        up, down = solved(curvature + bump, supply, slope), solved(curvature - bump, supply, slope)
        central = (quantity(up) - quantity(down)) / (2 * STEP)
        np.testing.assert_allclose(found["curvature"][..., i], central, atol=DIFFERENCES)
    up, down = solved(curvature, supply + STEP, slope), solved(curvature, supply - STEP, slope)
    np.testing.assert_allclose(found["supply.value"], (quantity(up) - quantity(down)) / (2 * STEP), atol=DIFFERENCES)
    up, down = solved(curvature, supply, slope + STEP), solved(curvature, supply, slope - STEP)
    np.testing.assert_allclose(found["outside_slope"], (quantity(up) - quantity(down)) / (2 * STEP), atol=DIFFERENCES)


@pytest.mark.slow
def test_implicit_derivatives_equal_unrolled_ones():
    m = market(*AT)
    implicit = dcg.sensitivity(m, QUANTITIES["slopes"])
    unrolled = dcg.sensitivity(m, QUANTITIES["slopes"], adjoint=optx.RecursiveCheckpointAdjoint(), max_steps=24)
    np.testing.assert_allclose(unrolled["curvature"], implicit["curvature"], atol=1e-9)


@pytest.mark.slow
def test_prior_parameters_have_derivatives_too():
    found = dcg.sensitivity(QuantityMarket(curvature=jnp.ones(3), values=dcg.Uniform(1.0, 2.0)), lambda eq: eq.welfare)
    h = 1e-4
    both = [dcg.solve(QuantityMarket(curvature=jnp.ones(3), values=dcg.Uniform(1.0, 2.0 + s))).welfare for s in (h, -h)]
    assert float(found["values.high"]) == pytest.approx(float(both[0] - both[1]) / (2 * h), abs=DIFFERENCES)


def test_evidence_has_no_derivative_and_says_so():
    with pytest.raises(dcg.InputError, match="not differentiated"):
        dcg.sensitivity(market(*AT), lambda eq: eq.stability)


def test_the_frame_is_readable():
    found = dcg.sensitivity(market(*AT), QUANTITIES["efficiency"])
    frame = found.to_frame()
    assert list(frame.columns) == ["value", "derivative", "elasticity"]
    assert "curvature[0]" in frame.index and "outside_slope" in frame.index
    assert not frame.index.str.startswith("price_bounds").any()  # absent bounds are no parameters
    row = frame.loc["outside_slope"]
    assert row["elasticity"] == pytest.approx(row["derivative"] * 0.6 / float(found.value))
    with pytest.raises(KeyError, match="did you mean `curvature`"):
        found["curvatur"]


def test_one_call_solves_and_differentiates_a_batch():
    curvatures = 0.5 + jax.random.uniform(jax.random.key(0), (60, 4))
    build = eqx.filter_vmap(lambda c: market(c, *AT[1:]))
    welfare = QUANTITIES["welfare"]
    batch = eqx.filter_jit(eqx.filter_vmap(lambda m: dcg.sensitivity(m, welfare)))(build(curvatures))
    assert batch["curvature"].shape == (60, 4)
    one = dcg.sensitivity(market(curvatures[17], *AT[1:]), welfare)
    np.testing.assert_allclose(batch["curvature"][17], one["curvature"], atol=1e-10)
