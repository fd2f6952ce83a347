"""Preferences that are not lines, private types beyond Groves and Ledyard, and the first best."""

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
    InterceptReports,
    Lindahl,
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
ERRORS = 4  # standard errors of a mean of draws
DRAWS = 50_000
FIXED = 2048  # draws that the library itself may take where no cubature is exact

KNOTS = np.linspace(0.0, 6.0, 7)
TABLE = np.array([[6.0, 4, 3, 2.5, 2, 1.8, 1.7], [5, 3, 2, 1.5, 1, 0.5, 0.1], [8, 5, 3, 2, 1, 0.5, 0.2]])
COST = (2.0, 0.5)
TABULATED = dcg.PiecewiseLinearCurve(KNOTS, TABLE)
KERNEL = dcg.KernelCurve.on(dcg.kernel_basis(KNOTS, dcg.Matern52(6.0), 1e-3), jnp.asarray(TABLE))

LOW, HIGH = 4.0, 7.0  # private intercepts: everybody wants some of the good
PRIVATE = QuadraticPreferences(dcg.Uniform(LOW, HIGH), jnp.array([0.5, 1.0, 2.0]))
STEEP = np.array([1.0, 2.0, 4.0])


def curve_at(curve, level):
    """Willingness to pay of each player, a table read by NumPy, a kernel curve by its own formula."""
    if isinstance(curve, dcg.PiecewiseLinearCurve):
        return np.array([np.interp(level, KNOTS, row) for row in TABLE])
    return np.asarray(curve(jnp.asarray(level)))


@pytest.mark.parametrize("kind, curve", [(GrovesLedyard, TABULATED), (Walker, KERNEL), (ClarkePivot, KERNEL)])
def test_curves_meet_the_samuelson_condition_in_equilibrium(kind, curve):
    game = kind(CurvePreferences(curve, shift=np.array([0.0, 0.3, -0.1])), cost=QuadraticCost(*COST))
    eq = dcg.solve(game)
    level = float(game.provide(eq.strategies(game.preferences.at(jnp.zeros(())))).built)
    assert 0 < level < KNOTS[-1]
    assert abs(curve_at(curve, level).sum() + 0.2 - COST[0] - COST[1] * level) <= SAMUELSON
    assert float(eq.efficiency) == pytest.approx(1.0, abs=CLOSED) and float(eq.regret) <= 1e-8


def test_areas_under_curves_are_values():
    for curve in (TABULATED, KERNEL):
        known = CurvePreferences(curve, shift=np.array([0.0, 0.3, -0.1]))
        types, grid = known.at(jnp.zeros(())), np.linspace(0.0, 2.5, 5001)  # a multiple of steps from knot to knot
        areas = np.trapezoid([curve_at(curve, y) for y in grid], grid, axis=0) + 2.5 * np.array([0.0, 0.3, -0.1])
        np.testing.assert_allclose(known.value(types, jnp.full(3, 2.5)), areas, atol=1e-6)  # step^2 times bend
        levels = jnp.array([0.5, 1.5, 2.5])  # to each its own
        own = [curve_at(curve, y)[i] for i, y in enumerate(levels)]
        np.testing.assert_allclose(
            known.willingness(types, levels, jnp.zeros(3)), np.add(own, [0.0, 0.3, -0.1]), atol=CLOSED
        )


@pytest.mark.parametrize("curve", [TABULATED, KERNEL])
def test_a_batch_of_curves_says_how_many_players_there_are(curve):
    assert CurvePreferences(curve).count == 3


def test_tables_are_handed_to_the_planner_and_one_may_serve_all_players():
    shift = np.array([0.0, 0.3, -0.1])
    for curve, table in ((TABULATED, TABLE), (dcg.PiecewiseLinearCurve(KNOTS, TABLE[1]), TABLE[[1, 1, 1]])):
        game = ClarkePivot(CurvePreferences(curve, shift=shift), cost=QuadraticCost(*COST))
        outcome = eqx.filter_jit(game.outcome)(game.preferences.curves(game.preferences.at(jnp.zeros(()))))
        level = float(outcome.built)
        total = sum(np.interp(level, KNOTS, row) for row in table) + shift.sum()
        assert total == pytest.approx(COST[0] + COST[1] * level, abs=SAMUELSON) and bool(outcome.found)
        assert float(game.budget_surplus(outcome)) >= 0


def test_curves_that_rise_are_refused_with_the_level_at_which_they_do():
    rising = np.array([6.0, 4.0, 3.0, 3.5, 2.0, 1.0, 0.5])
    with pytest.raises(dcg.InputError, match=r"^preferences\.curve: it rises at level 2.*not concave"):
        CurvePreferences(dcg.PiecewiseLinearCurve(KNOTS, rising), players=3)
    with pytest.raises(dcg.InputError, match=r"^preferences\.curve: it rises at level .*dcg\.monotone"):
        CurvePreferences(dcg.KernelCurve.fit(KNOTS, rising, dcg.Matern52(2.0), 1e-6), players=3)


@eqx.filter_jit
def best_of(game):
    types = game.preferences.at(jnp.zeros(()))
    return game.efficient_level(types), game.first_best(types)


def test_the_utilitarian_first_best_is_that_of_scipy():
    wealth = np.array([2.0, 1.0, 3.0, 1.5])
    for share in (np.array([0.6, 0.2, 0.5, 0.3]), np.full(4, 0.4)):
        level, welfare = best_of(VoluntaryContribution(CobbDouglas(share), wealth))
        found, found_level = oracle.cobb_douglas_first_best(share, wealth)
        assert float(welfare) == pytest.approx(found, abs=1e-9) and float(welfare) >= found - 1e-11
        assert float(level) == pytest.approx(found_level, abs=1e-4)  # a maximum is known to the root of its precision
    assert float(level) == pytest.approx(0.4 * wealth.sum(), abs=SAMUELSON)  # equal shares: a times all wealth


def affine(eq):
    return np.asarray(eq.strategies.intercept), np.asarray(eq.strategies.weight)


def off_by(expected, draws, own=np.inf):
    """Standard errors between an expectation and the mean of draws; `own` draws were taken for the expectation."""
    return np.abs(np.asarray(expected) - draws.mean(0)) / (draws.std(0) * np.sqrt(1 / len(draws) + 1 / own))


def test_cut_contributions_of_private_types_are_the_fixed_point_of_their_means():
    most, c0, slope = 0.8, 1.5, np.array([1.8, 2.0, 2.2])
    known = QuadraticPreferences(dcg.Uniform(LOW, HIGH), 0.5 * slope)
    eq = dcg.solve(VoluntaryContribution(known, most, c0))
    p, q = affine(eq)
    wanted_p, wanted_q = oracle.cut_contributions(slope, LOW, HIGH, most, c0)
    np.testing.assert_allclose(p, wanted_p, atol=CLOSED)
    np.testing.assert_allclose(q, wanted_q, atol=CLOSED)
    assert float(eq.regret) <= 1e-10
    # Interim first-order conditions with the means of play: a_i - B_i (g_i + E others) / c0 against c0.
    a = np.random.default_rng(11).uniform(LOW, HIGH, (DRAWS, 3))
    g = np.clip(p + q * a, 0, most)
    means = oracle.cut_means(p, q, LOW, HIGH, most)
    excess = a - slope * (g + means.sum() - means) / c0 - c0
    free = (g > 0) & (g < most)
    assert np.abs(excess[free]).max() <= 1e-9 and (excess[g == 0] <= 1e-9).all() and (excess[g == most] >= -1e-9).all()
    assert (g == 0).any(0).all() and (g == most).any(0).all() and free.any(0).all()
    np.testing.assert_array_less(off_by(means, g), ERRORS)
    level = g.sum(1)[:, None] / c0
    payoffs = oracle.value(level, a, slope) + most - g
    assert (off_by(eq.payoffs, payoffs) < ERRORS).all() and off_by(eq.welfare, payoffs.sum(1)) < ERRORS


def test_intercept_reports_to_lindahl_are_affine_and_their_payoffs_means_of_play():
    c0, c1 = cost = (1.5, 0.7)
    eq = dcg.solve(InterceptReports(Lindahl(PRIVATE, QuadraticCost(*cost))))
    # (a_i - m_i) Y + B_i Y^2 / 2 with Y = (sum m - c0) / D: a_i - m_i = (1 - B_i / D) (sum E m - c0).
    share = 1 - STEEP / (STEEP.sum() + c1)
    p, q = oracle.affine_nash(-share[:, None] - np.eye(3), 0.5 * (LOW + HIGH), -share * c0)
    np.testing.assert_allclose(affine(eq), (p, q), atol=CLOSED)
    assert float(eq.regret) <= 1e-10
    strategies = [lambda a, i=i: p[i] + q[i] * a for i in range(3)]
    for player, own in ((0, LOW), (2, 6.0)):
        said = strategies[player](own)

        def payoff(m, player=player, own=own):
            return oracle.lindahl_payoff(player, own, STEEP[player], m, STEEP, *cost)

        low, mid, high = (
            oracle.interim(payoff, player, said + step, strategies, LOW, HIGH) for step in (-0.5, 0.0, 0.5)
        )
        assert high - low == pytest.approx(0.0, abs=CLOSED) and low + high < 2 * mid  # quadratic: exact
    a = np.random.default_rng(3).uniform(LOW, HIGH, (DRAWS, 3))
    m = p + q * a
    payoffs = np.stack([oracle.lindahl_payoff(i, a[:, i], STEEP[i], m, STEEP, *cost) for i in range(3)], axis=1)
    level = (m.sum(1) - c0) / (STEEP.sum() + c1)
    welfare = oracle.value(level[:, None], a, STEEP).sum(1) - oracle.spent(level, *cost)
    assert (off_by(eq.payoffs, payoffs) < ERRORS).all() and off_by(eq.welfare, welfare) < ERRORS


@eqx.filter_jit
def expected(game):
    return *game.expectations(game.initial_profile()), game.expected_first_best()


@pytest.mark.parametrize("c0", [1.5, 18.0])
def test_expected_payoffs_of_truth_under_pivot_taxes_are_means_of_play(c0):
    # At 18 the good is worth building for one draw of types in twelve only, and not at their means.
    payoffs, welfare, best = expected(ClarkePivot(PRIVATE, QuadraticCost(c0, 0.5)))
    a = np.random.default_rng(5).uniform(LOW, HIGH, (4000, 3))
    levels, taxes = zip(*[oracle.clarke(row, STEEP, c0, 0.5) for row in a], strict=True)
    draws = oracle.value(np.array(levels)[:, None], a, STEEP) - np.array(taxes)
    total = np.maximum(a.sum(1) - c0, 0) ** 2 / (2 * (STEEP.sum() + 0.5))
    for value, played in ((payoffs, draws), (welfare, total), (best, total)):
        assert (off_by(value, played, own=FIXED) < ERRORS).all()


def test_expected_payoffs_of_truth_under_serial_shares_are_means_of_play():
    # At this cost players leave in orders that differ from draw to draw, and some at once.
    cost = (14.0, 0.5)
    payoffs, welfare, _ = expected(SerialCostSharing(PRIVATE, QuadraticCost(*cost)))
    a = np.random.default_rng(5).uniform(LOW, HIGH, (4000, 3))
    levels, taxes = (np.array(column) for column in zip(*[oracle.serial(row, STEEP, *cost) for row in a], strict=True))
    draws = oracle.value(levels, a, STEEP) - taxes
    assert (off_by(payoffs, draws, own=FIXED) < ERRORS).all() and off_by(welfare, draws.sum(1), own=FIXED) < ERRORS


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


def test_private_income_effects_have_no_closed_form_and_say_so():
    with pytest.raises(dcg.InputError, match=r"^preferences: private types here have no equilibrium in closed form"):
        dcg.solve(VoluntaryContribution(CobbDouglas(dcg.Uniform(0.2, 0.6), players=3)))


def test_draws_of_types_have_a_row_for_each_player():
    known = QuadraticPreferences(dcg.Uniform(LOW, HIGH), np.array([0.5, 1.0, 2.0]))
    draws = jax.vmap(known.sample)(jax.random.split(jax.random.key(0), 400))
    assert draws.shape == (400, 3, 2) and ((draws[..., 0] >= LOW) & (draws[..., 0] <= HIGH)).all()
    np.testing.assert_array_equal(draws[..., 1], np.broadcast_to([0.5, 1.0, 2.0], (400, 3)))
