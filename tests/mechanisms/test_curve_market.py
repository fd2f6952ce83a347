import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket
from tests.oracles import markets as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 1e-10


@eqx.filter_jit
def played(market, profile, types):
    return market.outcome(market.reports(profile, types))


def efficiency(eq):
    return eq.efficiency


@pytest.mark.parametrize(
    "n, c", [(3, 1.0), pytest.param(4, 0.4, marks=pytest.mark.slow)]
)  # the acceptance tests have more traders
def test_equal_curvature_is_kyle_and_rostek_weretka(n, c):
    eq = dcg.solve(CurveMarket(curvature=jnp.full(n, c)))
    np.testing.assert_allclose(eq.strategies.slope, oracle.symmetric_slope(n, c), atol=CLOSED)
    assert float(eq.efficiency) == pytest.approx(oracle.symmetric_efficiency(n), abs=CLOSED)
    assert bool(eq.converged) and float(eq.regret) < 1e-14 and float(eq.second_order) < 0


@pytest.mark.slow
def test_the_general_affine_class_finds_the_same_equilibrium():
    market = CurveMarket(curvature=jnp.ones(3))
    start = dcg.AffineDemand(intercept=jnp.full(3, 0.1), weight=jnp.full(3, 0.7), slope=jnp.full(3, 0.9))
    eq = dcg.solve(market, start)
    np.testing.assert_allclose(eq.strategies.intercept, 0.0, atol=CLOSED)
    np.testing.assert_allclose(eq.strategies.weight, 0.5, atol=CLOSED)
    np.testing.assert_allclose(eq.strategies.slope, 0.5, atol=CLOSED)
    symmetric = dcg.solve(market, dcg.ProportionalDemand(1.0)).strategies.slope
    assert symmetric.shape == () and float(symmetric) == pytest.approx(0.5, abs=CLOSED)


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.0, 0.7])
def test_unequal_curvatures_are_klemperer_and_meyer(b):
    c = np.array([0.5, 1.0, 2.0, 4.0])
    eq = dcg.solve(CurveMarket(curvature=c, outside_slope=b))
    np.testing.assert_allclose(eq.strategies.slope, oracle.unequal_slopes(c, b), atol=CLOSED)


@pytest.mark.slow
def test_supply_functions_and_their_derivative():
    # Firms with marginal cost c q sell to demand of slope 1 and choke price 2: values 0, everything bought negative.
    market = CurveMarket(curvature=jnp.ones(3), values=0.0, outside_slope=1.0, outside_price=2.0)
    slope = dcg.sensitivity(market, lambda eq: eq.strategies.slope, strategies=dcg.ProportionalDemand(1.0))
    assert float(slope.value) == pytest.approx(oracle.supply_function_slope(3, 1.0, 1.0), abs=CLOSED)
    assert float(slope.value) == pytest.approx(0.70710678, abs=1e-8)
    assert float(jnp.sum(slope["curvature"])) == pytest.approx(-0.60355339, abs=1e-8)
    eq = dcg.solve(market, dcg.ProportionalDemand(1.0))
    outcome = played(market, eq.strategies, market.sample_types(jax.random.key(0)))
    assert float(outcome.price) > 0 and float(jnp.max(outcome.quantities)) < 0
    # Clearing: firms' supply equals demand 2 - p.
    assert float(jnp.sum(outcome.quantities)) == pytest.approx(-2.0 + float(outcome.price), abs=CLOSED)
    assert 0.99 < float(eq.efficiency) < 1


def test_the_share_auction_price():
    n, c, supply = 3, 0.8, 3.0
    market = CurveMarket(curvature=jnp.full(n, c), values=dcg.Uniform(3.0, 7.0), supply=supply)
    types = market.sample_types(jax.random.key(4))
    price = played(market, dcg.solve(market).strategies, types).price
    assert float(price) == pytest.approx(oracle.wilson_price(float(types.values.mean()), supply, n, c), abs=CLOSED)


@pytest.mark.slow
def test_payments_cancel_and_markets_clear():
    market = CurveMarket(
        curvature=jnp.array([0.5, 1.0, 2.0]), values=dcg.Uniform(1.0, 2.0), supply=dcg.Empirical(jnp.array([0.5, 1.5])),
        outside_slope=0.6, outside_price=1.8,
    )  # fmt: skip
    profile = dcg.solve(market).strategies
    episodes = jax.jit(jax.vmap(lambda k: dcg.play(market, profile, key=k)))(jax.random.split(jax.random.key(1), 50))
    out = episodes.outcome
    np.testing.assert_allclose(out.quantities.sum(1) + out.outside_quantity, episodes.types.supply, atol=CLOSED)
    outside = 0.5 * 0.6 * (1.8 - out.price) ** 2
    seller = out.price * episodes.types.supply
    np.testing.assert_allclose(episodes.payoffs.sum(1) + outside + seller, episodes.welfare, atol=CLOSED)
    assert np.all(episodes.first_best >= episodes.welfare - CLOSED)


def test_price_takers_reach_the_first_best_and_regret_it():
    market = CurveMarket(curvature=jnp.array([0.5, 1.0, 2.0]), outside_slope=0.3, outside_price=0.2, supply=0.4)
    takers = dcg.ProportionalDemand(1 / market.curvature)
    episode = dcg.play(market, takers, key=jax.random.key(0))
    assert float(episode.welfare) == pytest.approx(float(episode.first_best), abs=CLOSED)
    assert float(episode.outcome.price) == pytest.approx(
        float(market.walras_price(episode.types.values, episode.types.supply)), abs=CLOSED
    )
    assert float(dcg.regret(market, takers)) > 1e-3


def test_the_first_best_beats_every_other_allocation():
    market = CurveMarket(curvature=jnp.array([0.5, 1.0, 2.0]), outside_slope=0.3, outside_price=0.2, supply=0.4)
    types = market.sample_types(jax.random.key(3))
    best = float(market.first_best(types))

    @jax.jit
    def welfare(q):
        outside = types.supply - q.sum()
        traders = jnp.sum(types.values * q - 0.5 * market.curvature * q**2)
        return traders + 0.2 * outside - outside**2 / (2 * 0.3)

    newton = jax.jit(lambda q: q - jnp.linalg.solve(jax.hessian(welfare)(q), jax.grad(welfare)(q)))
    q = jnp.zeros(3)
    for _ in range(4):  # on a concave quadratic
        q = newton(q)
    assert float(welfare(q)) == pytest.approx(best, abs=CLOSED)
    assert float(welfare(q + 0.01)) < best


def test_kernel_schedules_clear_like_the_affine_ones_they_copy():
    market = CurveMarket(curvature=jnp.ones(4), price_bounds=(-2.0, 2.0), outside_slope=0.2)
    types = market.sample_types(jax.random.key(8))
    knots = jnp.linspace(-2, 2, 9)
    basis = dcg.kernel_basis(knots, dcg.Constant(10.0) + dcg.Linear(10.0) + dcg.Matern52(2.0), 1e-8)
    curves = dcg.KernelCurve.on(basis, 0.7 * (types.values[:, None] - knots))
    kernel = eqx.filter_jit(lambda curves: market.outcome(market.handed_in(curves, types)))(curves)
    affine = played(market, dcg.ProportionalDemand(0.7), types)
    # The ridge bends the copies by less than this.
    np.testing.assert_allclose(kernel.price, affine.price, atol=2e-5)
    np.testing.assert_allclose(kernel.quantities, affine.quantities, atol=2e-5)


def test_moments_over_the_cubature_are_exact():
    market = CurveMarket(
        curvature=jnp.ones(3), values=dcg.Uniform(0.5, 2.0), supply=dcg.Empirical(jnp.array([1.0, 4.0]))
    )
    types, weights = market.cubature()
    assert float(weights.sum()) == pytest.approx(1.0)
    np.testing.assert_allclose(weights @ types.values, 1.25, atol=CLOSED)
    np.testing.assert_allclose(weights @ types.values**2 - 1.25**2, 1.5**2 / 12, atol=CLOSED)
    assert float(weights @ (types.values[:, 0] * types.supply)) == pytest.approx(1.25 * 2.5, abs=CLOSED)
    assert float(weights @ types.supply**2) == pytest.approx((1 + 16) / 2, abs=CLOSED)


@pytest.mark.slow
def test_two_traders_without_outside_demand_have_no_equilibrium_with_trade():
    with pytest.raises(
        dcg.EquilibriumError, match="two traders and no outside demand: add a trader or `outside_slope`"
    ):
        dcg.solve(CurveMarket(curvature=jnp.ones(2)))
    assert bool(dcg.solve(CurveMarket(curvature=jnp.ones(2), outside_slope=0.5)).converged)


def test_a_market_that_cannot_clear_says_so():
    market = CurveMarket(curvature=jnp.ones(3), supply=50.0, price_bounds=(-1.0, 1.0))
    with pytest.raises(dcg.ClearingError, match=r"no clearing price in \[-1, 1\].*widen `price_bounds`"):
        dcg.play(market, dcg.ProportionalDemand(1.0), key=jax.random.key(0))
    flags = jax.jit(jax.vmap(lambda k: dcg.play(market, dcg.ProportionalDemand(1.0), key=k).outcome.cleared))
    assert not flags(jax.random.split(jax.random.key(0), 3)).any()


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"curvature": jnp.array([1.0, -1.0, 2.0])}, "curvature"),
        ({"curvature": jnp.array([1.0, float("nan"), 2.0])}, "curvature"),
        ({"curvature": jnp.asarray(1.0)}, "curvature"),
        ({"curvature": jnp.ones(3), "outside_slope": -0.1}, "outside_slope"),
        ({"curvature": jnp.ones(3), "price_bounds": (1.0, -1.0)}, "price_bounds"),
        ({"curvature": jnp.ones(3), "supply": float("inf")}, "value"),
    ],
)
def test_bad_fields_are_named(fields, name):
    with pytest.raises(dcg.InputError, match=f"^{name}: "):
        CurveMarket(**fields)


@pytest.mark.slow
def test_unequal_traders_are_not_given_a_symmetric_equilibrium():
    with pytest.raises(dcg.EquilibriumError, match="unequal curvatures need one slope a trader"):
        dcg.solve(CurveMarket(curvature=jnp.array([1.0, 2.0, 3.0])), dcg.ProportionalDemand(0.5))


@pytest.mark.slow
def test_a_lane_that_fails_leaves_the_others_whole():
    slopes = jnp.array([0.0, 0.5, 1.0])
    markets = eqx.filter_vmap(lambda b: CurveMarket(curvature=jnp.ones(2), outside_slope=b))(slopes)
    eqs = eqx.filter_vmap(dcg.solve)(markets)
    assert eqs.converged.tolist() == [False, True, True]
    assert np.isnan(eqs.efficiency[0]) and np.isfinite(eqs.efficiency[1:]).all()
    derivatives = eqx.filter_vmap(lambda m: dcg.sensitivity(m, efficiency)["outside_slope"])
    found = derivatives(markets)
    assert np.isnan(found[0]) and np.isfinite(found[1:]).all()
    sound = eqx.tree_at(lambda m: m.outside_slope, markets, jnp.array([0.7, 0.5, 1.0]))
    assert float(found[1]) == pytest.approx(float(derivatives(sound)[1]), abs=1e-12)


@eqx.filter_jit
def settled(market, curves, types, supply):
    """Whether markets with these schedules clear, and what is left over, by supply."""

    def at(supply):
        outcome = market.outcome(market.handed_in(curves, types._replace(supply=supply)))
        return outcome.cleared, jnp.sum(outcome.quantities) - supply

    return jax.vmap(at)(supply)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6])
def test_clearing_does_not_depend_on_the_unit_of_quantity(unit):
    knots = jnp.linspace(2.0, 5.0, 12)
    basis = dcg.kernel_basis(knots, dcg.Constant(10.0) + dcg.Linear(10.0) + dcg.Matern52(3.0), 1e-4)
    curves = dcg.KernelCurve.on(basis, unit * jnp.stack([3 - knots, 4 - knots - 0.05 * knots**2, 3.5 - 1.3 * knots]))
    market = CurveMarket(jnp.ones(3) / unit, values=dcg.Uniform(3.0, 4.0), price_bounds=(2.0, 5.0))
    types = market.sample_types(jax.random.key(0))
    cleared, left = settled(market, curves, types, unit * jnp.linspace(-6.0, 1.0, 200))
    assert cleared.all()
    np.testing.assert_allclose(left, 0, atol=1e-8 * unit)


def test_order_books_with_kinks_and_flat_pieces_clear():
    rng = np.random.default_rng(4)
    steps = rng.exponential(size=(100, 3, 7)) * (rng.uniform(size=(100, 3, 7)) < 0.5)
    falls = np.concatenate([np.zeros((100, 3, 1)), np.cumsum(steps, -1)], -1)
    values = 1 + rng.normal(size=(100, 3, 1)) - falls
    market = CurveMarket(jnp.ones(3), price_bounds=(-1.0, 1.0))
    types = market.sample_types(jax.random.key(0))

    def settle(values):
        book = dcg.PiecewiseLinearCurve(jnp.linspace(-1.0, 1.0, 8), values)
        outcome = market.outcome(market.handed_in(book, types))
        return outcome.cleared, jnp.sum(outcome.quantities)

    crosses = (values[..., 0].sum(1) > 0) & (values[..., -1].sum(1) < 0)
    cleared, left = jax.jit(jax.vmap(settle))(jnp.asarray(values))
    assert 20 < crosses.sum() < 100
    np.testing.assert_array_equal(np.asarray(cleared), crosses)
    np.testing.assert_allclose(np.asarray(left)[crosses], 0, atol=1e-8)


@pytest.mark.slow
def test_equilibria_are_found_however_unequal_the_traders():
    rng = np.random.default_rng(1)
    curvatures = jnp.asarray(np.exp(1.5 * rng.normal(size=(200, 3))))
    eqs = eqx.filter_jit(eqx.filter_vmap(lambda c: dcg.solve(CurveMarket(curvature=c))))(curvatures)
    assert eqs.converged.all()
    for i in range(0, 200, 40):
        target = oracle.unequal_slopes(np.asarray(curvatures[i]), 0.0)
        np.testing.assert_allclose(eqs.strategies.slope[i], target, rtol=1e-7)
    two = dcg.solve(CurveMarket(jnp.array([1.0, 1.5]), outside_slope=1e-3))
    np.testing.assert_allclose(two.strategies.slope, oracle.unequal_slopes(np.array([1.0, 1.5]), 1e-3), rtol=1e-3)


def test_an_equilibrium_without_outcomes_is_not_accepted():
    with pytest.raises(dcg.EquilibriumError, match=r"outside `price_bounds`.*widen the bounds"):
        dcg.solve(CurveMarket(jnp.ones(3), price_bounds=(-0.2, 0.2)))


def test_shares_of_a_first_best_that_is_not_positive_are_refused():
    with pytest.raises(dcg.EquilibriumError, match=r"expected first best is -0\.5"):
        dcg.solve(CurveMarket(jnp.ones(3), values=0.0, supply=-2.0, outside_slope=1.0), dcg.ProportionalDemand(1.0))


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"curvature": "abc"}, "curvature"),
        ({"curvature": jnp.ones((2, 5))}, "curvature"),
        ({"curvature": jnp.ones(3), "values": (-1, 1)}, "values"),
        ({"curvature": jnp.ones(3), "supply": jnp.ones(3)}, "supply"),
        ({"curvature": jnp.ones(3), "outside_slope": jnp.ones(3)}, "outside_slope"),
        ({"curvature": jnp.ones(3), "price_bounds": None}, "price_bounds"),
    ],
)
def test_wrong_kinds_of_values_are_named(fields, name):
    with pytest.raises(dcg.InputError, match=f"^{name}: "):
        CurveMarket(**fields)


def test_a_start_that_is_no_profile_of_these_players_is_refused():
    with pytest.raises(dcg.InputError, match="strategies"):
        dcg.solve(CurveMarket(jnp.ones(3)), dcg.ProportionalDemand(jnp.ones(4)))


@pytest.mark.slow
def test_single_precision_is_enough_for_ordinary_markets():
    code = (
        "import jax.numpy as jnp, dcg_econ as dcg\n"
        "from dcg_econ.mechanisms import CurveMarket\n"
        "eq = dcg.solve(CurveMarket(curvature=jnp.ones(5)))\n"
        "print(eq.efficiency.dtype, abs(float(eq.efficiency) - 0.9375) < 1e-5)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["float32", "True"]
