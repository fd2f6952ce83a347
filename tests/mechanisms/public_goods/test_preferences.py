"""Preferences that are not lines, the first best, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    ClarkePivot,
    CobbDouglas,
    CurvePreferences,
    GrovesLedyard,
    LinearPreferences,
    QuadraticCost,
    QuadraticPreferences,
    SerialCostSharing,
    VoluntaryContribution,
    Walker,
)
from tests.oracles import public_goods as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 7e-11
SAMUELSON = 1e-8  # money per unit of the good
SEARCH = 1e-6  # what SciPy's minimiser leaves of an allocation

KNOTS = np.linspace(0.0, 6.0, 7)
TABLE = np.array([[6.0, 4, 3, 2.5, 2, 1.8, 1.7], [5, 3, 2, 1.5, 1, 0.5, 0.1], [8, 5, 3, 2, 1, 0.5, 0.2]])
COST = (2.0, 0.5)
TABULATED = dcg.PiecewiseLinearCurve(KNOTS, TABLE)
KERNEL = dcg.KernelCurve.on(dcg.kernel_basis(KNOTS, dcg.Matern52(6.0), 1e-3), jnp.asarray(TABLE))


SHIFT = np.array([0.0, 0.3, -0.1])
PLANNED = QuadraticCost(*COST)


def curve_at(curve, levels):
    """Willingness to pay (..., 3) without the shift: a table read by NumPy, a kernel curve by its own formula."""
    if isinstance(curve, dcg.PiecewiseLinearCurve):
        return np.stack([np.interp(levels, KNOTS, row) for row in TABLE], axis=-1)
    return np.asarray(curve(jnp.asarray(levels)[..., None]))


def samuelson(curve, level):
    return curve_at(curve, level).sum() + SHIFT.sum() - COST[0] - COST[1] * level


@pytest.mark.slow
@pytest.mark.parametrize("kind, curve", [(GrovesLedyard, TABULATED), (Walker, KERNEL)])
def test_curves_meet_the_samuelson_condition_in_equilibrium(kind, curve):
    game = kind(CurvePreferences(curve, SHIFT), cost=PLANNED)
    eq = dcg.solve(game)
    level = float(np.sum(eq.strategies.message))
    assert 0 < level < KNOTS[-1] and abs(samuelson(curve, level)) <= SAMUELSON
    assert float(eq.efficiency) == pytest.approx(1.0, abs=CLOSED) and float(eq.regret) <= 1e-8


@eqx.filter_jit
def truth_and_deviations(game, levels):
    types = game.preferences.at(jnp.zeros(()))
    curves = game.preferences.curves(types)
    outcome = game.provide(curves)
    truth = game.initial_profile()
    payoff = jax.vmap(lambda i: jax.vmap(lambda y: game.interim_payoff(truth, i, types, y))(levels))
    return outcome, game.budget_surplus(outcome), game.payoffs(types, outcome), payoff(jnp.arange(3))


@pytest.mark.parametrize("curve", [pytest.param(TABULATED, marks=pytest.mark.slow), KERNEL])
def test_truth_is_best_under_pivot_taxes_on_curves_of_any_shape(curve):
    game = ClarkePivot(CurvePreferences(curve, SHIFT), cost=PLANNED)
    # Up to twice as far as curves are known, where regret looks too.
    outcome, surplus, payoffs, deviations = truth_and_deviations(game, jnp.linspace(0.0, 12.0, 241))
    assert bool(outcome.found) and abs(samuelson(curve, float(outcome.built))) <= SAMUELSON and float(surplus) >= 0
    assert (deviations <= payoffs[:, None] + CLOSED).all()
    np.testing.assert_allclose(deviations.max(1), payoffs, atol=0.01)  # a level within 0.025 of the best is among them


@pytest.mark.slow
@pytest.mark.parametrize("curve", [TABULATED, KERNEL])
def test_areas_under_curves_are_values_and_each_has_its_own_level(curve):
    known = CurvePreferences(curve, SHIFT)
    types, grid = known.at(jnp.zeros(())), np.linspace(0.0, 2.5, 5001)  # knots are among them
    areas = np.trapezoid(curve_at(curve, grid), grid, axis=0) + 2.5 * SHIFT
    np.testing.assert_allclose(known.value(types, jnp.full(3, 2.5)), areas, atol=1e-6)  # step^2 times bend
    levels = np.array([0.5, 1.5, 2.5])
    own = np.diagonal(curve_at(curve, levels)) + SHIFT
    np.testing.assert_allclose(known.willingness(types, jnp.asarray(levels), jnp.zeros(3)), own, atol=CLOSED)


@pytest.mark.parametrize("curve", [TABULATED, KERNEL])
def test_a_batch_of_curves_says_how_many_players_there_are(curve):
    assert CurvePreferences(curve).count == 3


@eqx.filter_jit
def best_of(game):
    types = game.preferences.at(jnp.zeros(()))
    return game.efficient_level(types), game.first_best(types)


@pytest.mark.slow
def test_one_curve_may_serve_all_players():
    known = CurvePreferences(dcg.PiecewiseLinearCurve(KNOTS, TABLE[1]), SHIFT)
    level = float(best_of(Walker(known, cost=PLANNED))[0])
    assert 3 * np.interp(level, KNOTS, TABLE[1]) + SHIFT.sum() == pytest.approx(
        COST[0] + COST[1] * level, abs=SAMUELSON
    )


def test_curves_that_rise_are_refused_with_the_level_at_which_they_do():
    rising = np.array([6.0, 4.0, 3.0, 3.5, 2.0, 1.0, 0.5])
    with pytest.raises(dcg.InputError, match=r"^preferences\.curve: it rises at level 2.*not concave"):
        CurvePreferences(dcg.PiecewiseLinearCurve(KNOTS, rising), players=3)
    with pytest.raises(dcg.InputError, match=r"^preferences\.curve: it rises at level .*dcg\.monotone"):
        CurvePreferences(dcg.KernelCurve.fit(KNOTS, rising, dcg.Matern52(2.0), 1e-6), players=3)


def test_the_utilitarian_first_best_is_that_of_scipy():
    wealth = np.array([2.0, 1.0, 3.0, 1.5])
    for share in (np.array([0.6, 0.2, 0.5, 0.3]), np.full(4, 0.4)):
        level, welfare = best_of(VoluntaryContribution(CobbDouglas(share), wealth))
        found, found_level = oracle.cobb_douglas_first_best(share, wealth)
        assert float(welfare) == pytest.approx(found, abs=1e-9) and float(welfare) >= found - 1e-11
        assert float(level) == pytest.approx(found_level, abs=1e-4)  # a maximum is known to the root of its precision
    assert float(level) == pytest.approx(0.4 * wealth.sum(), abs=SAMUELSON)  # equal shares: a times all wealth


def test_the_first_best_with_exclusion_lets_nobody_consume_more_than_it_likes():
    a, slope, (c0, c1) = np.array([9.0, 2.0, 5.0]), np.array([1.0, 1.0, 2.0]), COST
    level, welfare = best_of(SerialCostSharing(QuadraticPreferences(a, 0.5 * slope), QuadraticCost(*COST)))

    def loss(y):
        used = np.minimum(y, a / slope)
        return oracle.spent(y, c0, c1) - oracle.value(used, a, slope).sum()

    found = optimize.minimize_scalar(loss, bounds=(0, 9), method="bounded", options={"xatol": 1e-10})
    assert float(level) == pytest.approx(found.x, abs=SEARCH) and float(welfare) == pytest.approx(-found.fun, abs=1e-9)


@pytest.mark.parametrize(
    "build, field",
    [
        (lambda: QuadraticPreferences(np.ones(3), -0.5), "preferences.curvature"),
        (lambda: QuadraticPreferences(np.ones(3), dcg.Uniform(-1.0, 1.0)), "preferences.curvature"),
        (lambda: QuadraticPreferences(np.ones(3), np.ones(4)), "preferences.intercept"),
        (lambda: QuadraticPreferences(np.ones(3), players=4), "preferences.intercept"),
        (lambda: QuadraticPreferences(1.0, 1.0), "preferences.players"),
        (lambda: QuadraticPreferences("much", 1.0), "preferences.intercept"),
        (lambda: CobbDouglas(0.0, players=3), "preferences.share"),
        (lambda: CobbDouglas(np.array([0.5, 1.0])), "preferences.share"),
        (lambda: CobbDouglas(dcg.Uniform(0.5, 1.2), players=3), "preferences.share"),
        (lambda: CobbDouglas(0.5), "preferences.players"),
        (lambda: LinearPreferences(-0.1, players=3), "preferences.mpcr"),
        (lambda: LinearPreferences(np.ones((2, 3))), "preferences.mpcr"),
        (lambda: CurvePreferences(KERNEL, shift=np.zeros(4)), "preferences.shift"),
    ],
)
def test_bad_fields_are_named(build, field):
    with pytest.raises(dcg.InputError, match=rf"^{field}: "):
        build()


def test_linear_willingness_needs_a_cost_that_rises():
    with pytest.raises(dcg.InputError, match="constant, so that no level is the best; give `cost` a slope"):
        ClarkePivot(LinearPreferences(0.5, players=3))
    game = ClarkePivot(LinearPreferences(0.5, players=3), QuadraticCost(1.0, 0.25))
    outcome = game.outcome(game.preferences.curves(game.preferences.at(jnp.zeros(()))))
    assert float(outcome.built) == pytest.approx((1.5 - 1.0) / 0.25, abs=CLOSED)
