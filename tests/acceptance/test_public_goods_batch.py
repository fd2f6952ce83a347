"""Ten thousand random economies under every institution in one vmapped call, and the stability table."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import (
    ClarkePivot,
    GrovesLedyard,
    Lindahl,
    ProvisionPoint,
    SerialCostSharing,
    VoluntaryContribution,
    Walker,
    public_goods,
)

ECONOMIES, PLAYERS = 10_000, 5
ACCEPTED, EFFICIENT = 1e-8, 1e-7  # regret in shares of first best; welfare where theory says it is first best


class Draw(eqx.Module):
    """Random economies, a tenth of them with somebody whose preferences are not concave."""

    intercept: jax.Array
    curvature: jax.Array
    price: jax.Array
    gamma: jax.Array
    threshold: jax.Array


def drawn(key):
    keys = jax.random.split(key, 5)
    uniform = lambda k, shape, low, high: jax.random.uniform(k, shape, minval=low, maxval=high)  # noqa: E731
    return Draw(
        uniform(keys[0], (ECONOMIES, PLAYERS), 4.0, 12.0),
        uniform(keys[1], (ECONOMIES, PLAYERS), -0.05, 2.0),
        uniform(keys[2], (ECONOMIES,), 1.0, 40.0),
        uniform(keys[3], (ECONOMIES,), 1.0, 60.0),
        uniform(keys[4], (ECONOMIES,), 10.0, 45.0),
    )


def institutions(draw):
    preferences = public_goods.QuadraticPreferences(draw.intercept, draw.curvature)
    cost = public_goods.QuadraticCost(draw.price, 1.0)
    values = public_goods.LinearPreferences(draw.intercept)
    return {
        "voluntary contribution": VoluntaryContribution(preferences, endowment=10.0, cost=cost),
        "provision point": ProvisionPoint(values, threshold=draw.threshold, endowment=10.0),
        "Groves-Ledyard": GrovesLedyard(preferences, draw.gamma, cost),
        "Walker": Walker(preferences, cost),
        "Lindahl, reported": Lindahl(preferences, cost),
        "Clarke pivot": ClarkePivot(preferences, cost),
        "serial cost sharing": SerialCostSharing(preferences, cost),
    }


@jax.jit
def solved(draws):
    def one(draw):
        found = {name: dcg.solve(game) for name, game in institutions(draw).items()}
        return {name: (eq.converged, eq.efficiency, eq.regret, eq.stability) for name, eq in found.items()}

    return jax.vmap(one)(draws)


@pytest.fixture(scope="module")
def found():
    draws = drawn(jax.random.key(0))
    start = time.perf_counter()
    jax.block_until_ready(solved(draws))
    first = time.perf_counter() - start
    start = time.perf_counter()
    result = jax.block_until_ready(solved(draws))
    again = time.perf_counter() - start
    print(f"\n{ECONOMIES} economies x {len(result)} institutions: {again:.1f} s ({first:.1f} s with compilation)")
    return draws, {name: tuple(map(np.asarray, values)) for name, values in result.items()}


def test_failures_are_flagged_counted_and_leave_the_others_whole(found):
    draws, result = found
    concave = np.all(np.asarray(draws.curvature) >= 0, axis=1)
    worth = np.sum(np.asarray(draws.intercept), axis=1) > np.asarray(draws.price)
    print(f"not concave: {np.sum(~concave)}; the good is worth nothing at its price: {np.sum(~worth)}")
    print(
        f"{'institution':<24}{'failed':>8}{'efficiency':>12}{'least':>9}{'largest regret':>16}{'stable':>8}{'radius':>9}"
    )
    for name, (ok, efficiency, regret, radius) in result.items():
        print(
            f"{name:<24}{np.sum(~ok):>8}{efficiency[ok].mean():>12.5f}{efficiency[ok].min():>9.5f}{regret[ok].max():>16.1e}"
            f"{np.mean(radius[ok] < 1):>8.3f}{np.median(radius[ok]):>9.3f}"
        )
        assert np.all(regret[ok] <= ACCEPTED)
        if name == "voluntary contribution":
            np.testing.assert_array_equal(ok, concave)
        elif name == "provision point":
            enough = np.minimum(np.asarray(draws.intercept), 10.0).sum(axis=1) >= np.asarray(draws.threshold)
            np.testing.assert_array_equal(ok, enough)
        else:
            np.testing.assert_array_equal(ok, concave & worth)
        if name in ("Groves-Ledyard", "Walker", "Clarke pivot"):
            np.testing.assert_allclose(efficiency[ok], 1.0, atol=EFFICIENT)


def test_the_stability_table():
    b = jnp.array([1.0, 2.0, 3.0, 4.0, 8.0])
    preferences = public_goods.QuadraticPreferences(jnp.array([20.0, 25.0, 30.0, 35.0, 40.0]), b)
    print()
    for gamma, published in ((1.0, 3.28), (50.0, 0.218), (80.0, 0.475), (300.0, 0.854)):
        eq = dcg.solve(GrovesLedyard(preferences, gamma=gamma))
        about = public_goods.stability(GrovesLedyard(preferences, gamma=gamma), eq.strategies.message)
        print(f"Groves-Ledyard, gamma {gamma:>5}: {about}")
        assert float(eq.stability) == pytest.approx(published, abs=0.5 * 10 ** -(2 if published > 1 else 3))
    for n, curvature, published in ((3, 1.0, 2.0), (5, 1.0, 4.0), (3, 0.1, 8.7), (5, 0.1, 10.1)):
        walker = Walker(public_goods.QuadraticPreferences(jnp.linspace(10.0, 12.0, n), curvature))
        eq = dcg.solve(walker)
        print(f"Walker, N {n}, b {curvature}: {public_goods.stability(walker, eq.strategies.message)}")
        assert float(eq.stability) == pytest.approx(published, abs=0.05)
