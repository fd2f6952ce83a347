r"""Clarke, Lindahl and serial cost sharing against loops over closed forms, and the game of free curves by hand.

Free slopes in Lindahl's rule. Player i reports alpha_i - beta_i Y; others' slopes sum to S, and A, the sum of their heights
less c0, is random. Its price at the level Y is c1 Y + S Y - A, whatever it reports, and for each A the best level is

    Y = (a_i + A) / (B + 2 (S + c1)),   second order B + 2 (S + c1) > 0.                                  (1)

On the line (1) the price is a_i - (B + S + c1) Y: reporting just that is best for every A at once, and where A varies it is
the only best reply. So alpha_i = a_i and beta_i = B + c1 + S > B: the own height is told truthfully, and the *slope*
overstated, since a steeper report shades more where the level is high. With n equal players slopes are b -> B + c1 +
(n - 1) b, which grows without end for n >= 2, while the level goes to zero. The only fixed point, -(B + c1)/(n - 2) for n > 2,
rises with the level; there the second derivative of payoff in the level is (n B + 2 c1)/(n - 2) > 0, a minimum.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    ClarkePivot,
    CobbDouglas,
    Lindahl,
    LinearPreferences,
    QuadraticCost,
    QuadraticPreferences,
    SerialCostSharing,
)
from tests.oracles import public_goods as oracle

CLOSED = 1e-10  # closed forms in x64
SAMUELSON = 1e-8  # money per unit of the good
TRUTH = 1e-12  # regret of truth, a share of first best: rounding
FITTED = 1e-9  # least squares of a line on levels up to 12, and a Newton search

N = 4
A, B = np.array([9.0, 7.0, 6.0, 3.0]), np.array([1.0, 0.5, 2.0, 1.5])  # heights and slopes of willingness to pay
LEVELS = np.linspace(0.0, 12.0, 13)
INSTITUTIONS = [ClarkePivot, Lindahl, SerialCostSharing]

many = settings(max_examples=40, deadline=None)


def numbers(low, high, n=N):
    return st.lists(st.floats(low, high), min_size=n, max_size=n).map(np.array)


costs = st.tuples(st.floats(0.5, 6.0), st.floats(0.0, 3.0))


def game(kind, a=A, slope=B, cost=(2.0, 0.5), **others):
    return kind(QuadraticPreferences(a, 0.5 * slope), QuadraticCost(*cost), **others)


def lines(heights, slopes):
    return dcg.AffineCurve(jnp.asarray(heights), -jnp.asarray(slopes))


@eqx.filter_jit
def provided(institution, curves):
    outcome = institution.provide(curves)
    return outcome, institution.budget_surplus(outcome)


@many
@given(numbers(0.0, 15.0), numbers(0.2, 4.0), costs)
def test_pivot_taxes_are_areas_and_never_run_a_deficit(heights, slopes, cost):
    # What is reported, true or not, is all that matters for the outcome.
    outcome, surplus = provided(game(ClarkePivot, cost=cost), lines(heights, slopes))
    level, taxes = oracle.clarke(heights, slopes, *cost)
    assert float(outcome.built) == pytest.approx(level, abs=CLOSED)
    np.testing.assert_allclose(outcome.taxes, taxes, atol=1e-9)  # money, of areas up to 300
    assert float(surplus) >= -1e-9 and bool(outcome.found)


BASIS = dcg.kernel_basis(LEVELS, dcg.Matern52(12.0), 1e-6)
GRID = np.linspace(0.0, 12.0, 4001)  # levels at which areas are added up


@eqx.filter_jit
def at_levels(curves, levels):
    return jax.vmap(curves)(levels)


@many
@given(numbers(4.0, 12.0), numbers(0.3, 1.0), st.floats(0.5, 4.0))
def test_pivot_taxes_on_kernel_curves_are_areas_by_brute_force_and_run_no_deficit(tops, rates, price):
    curves = dcg.KernelCurve.on(BASIS, jnp.asarray(tops[:, None] * np.exp(-rates[:, None] * LEVELS)))
    outcome, surplus = provided(game(ClarkePivot, cost=(price, 0.5)), curves)
    assert bool(outcome.found) and float(surplus) >= -1e-9
    heights = np.asarray(at_levels(curves, jnp.asarray(GRID)))
    areas = integrate.cumulative_simpson(heights, x=GRID, axis=0, initial=0)
    net = areas - oracle.spent(GRID, price, 0.5)[:, None] / N
    built, others = np.argmax(net.sum(1)), net.sum(1)[:, None] - net
    assert float(outcome.built) == pytest.approx(GRID[built], abs=GRID[1])
    # The level is off by one step at most, and the others' net value falls by less than 20 a unit.
    taxes = oracle.spent(GRID[built], price, 0.5) / N + others.max(0) - others[built]
    np.testing.assert_allclose(outcome.taxes, taxes, atol=20 * GRID[1])


@many
@given(numbers(4.0, 12.0), st.lists(numbers(0.02, 3.0, 12), min_size=N, max_size=N), st.floats(0.5, 12.0))
def test_the_level_is_found_wherever_falling_tables_cross_marginal_cost(tops, drops, price):
    tables = tops[:, None] - np.concatenate([np.zeros((N, 1)), np.cumsum(drops, axis=1)], axis=1)
    curves = dcg.PiecewiseLinearCurve(LEVELS, tables)
    outcome, _ = provided(game(Lindahl, cost=(price, 0.5)), curves)
    excess = tables.sum(0) - price - 0.5 * LEVELS
    assert bool(outcome.found)
    if excess[-1] < 0:  # else it lies beyond the outer knots
        level = np.interp(0.0, -excess, LEVELS)
        assert float(outcome.built) == pytest.approx(level, abs=CLOSED)
        np.testing.assert_allclose(
            outcome.taxes, level * np.array([np.interp(level, LEVELS, t) for t in tables]), atol=1e-9
        )


@many
@given(numbers(0.0, 15.0), numbers(0.2, 4.0), costs)
def test_serial_shares_cover_the_cost_and_are_fair(heights, slopes, cost):
    heights[2], slopes[2] = heights[0], slopes[0]
    outcome, surplus = provided(game(SerialCostSharing, cost=cost), lines(heights, slopes))
    levels, paid = oracle.serial(heights, slopes, *cost)
    np.testing.assert_allclose(outcome.levels, levels, atol=CLOSED)
    np.testing.assert_allclose(outcome.taxes, paid, atol=1e-9)
    assert abs(float(surplus)) <= 1e-12 * (1 + paid.sum()) and float(outcome.built) == float(outcome.levels.max())
    # Equal reports, equal treatment.
    assert float(outcome.levels[0]) == pytest.approx(float(outcome.levels[2]), abs=1e-13)
    assert float(outcome.taxes[0]) == pytest.approx(float(outcome.taxes[2]), abs=1e-12)


@many
@given(numbers(2.0, 15.0), numbers(0.2, 4.0), costs)
@pytest.mark.slow
def test_truth_has_no_regret_under_pivot_taxes_and_serial_shares(a, slope, cost):
    for kind in (ClarkePivot, SerialCostSharing):
        institution = game(kind, a, slope, cost)
        eq = dcg.solve(institution)
        assert float(eq.regret) <= TRUTH and float(eq.largest_gain) <= TRUTH
        np.testing.assert_array_equal(eq.strategies.shade, 0.0)
        if kind is ClarkePivot:
            level = float(provided(institution, eq.strategies(institution.preferences.at(jnp.zeros(()))))[0].built)
            assert abs(a.sum() - slope.sum() * level - cost[0] - cost[1] * level) <= SAMUELSON
            assert float(eq.efficiency) == pytest.approx(1.0, abs=CLOSED)
        else:
            levels, paid = oracle.serial(a, slope, *cost)
            np.testing.assert_allclose(eq.payoffs, oracle.value(levels, a, slope) - paid, atol=1e-9)
            assert float(eq.efficiency) <= 1 + CLOSED


@pytest.mark.slow
@many
@given(numbers(4.0, 15.0), numbers(0.2, 4.0), costs)
def test_shades_in_lindahl_are_the_derived_level(a, slope, cost):
    institution = game(Lindahl, a, slope, cost)
    eq = dcg.solve(institution)
    level = oracle.lindahl_game(a, slope, slope, *cost)
    assert level == pytest.approx((a.sum() - cost[0]) / (N * slope.sum() + (N + 1) * cost[1]), rel=1e-13)
    types = institution.preferences.at(jnp.zeros(()))
    assert float(provided(institution, eq.strategies(types))[0].built) == pytest.approx(level, abs=CLOSED)
    np.testing.assert_allclose(eq.strategies.shade, level * (cost[1] + slope.sum() - slope), atol=1e-9)
    assert float(eq.regret) <= 1e-8
    # Best replies in shades: s_i = (c1 + others' slopes) Y, and Y falls by 1 / (sum of slopes + c1).
    k = (cost[1] + slope.sum() - slope) / (slope.sum() + cost[1])
    radius = np.abs(np.linalg.eigvals(-(k / (1 + k))[:, None] * (1 - np.eye(N)))).max()
    assert float(eq.stability) == pytest.approx(radius, abs=1e-7)


def test_shades_in_lindahl_are_best_replies_by_brute_force():
    cost = (2.0, 0.5)
    institution = game(Lindahl, cost=cost)
    heights = A - np.asarray(dcg.solve(institution).strategies.shade)
    types = institution.preferences.at(jnp.zeros(()))
    ours = institution.payoffs(types, institution.outcome(lines(heights, B)))
    for i in range(N):

        def loss(height, i=i):
            reports = np.where(np.arange(N) == i, height, heights)
            return -oracle.lindahl_payoff(i, A[i], B[i], reports, B, *cost)

        best = optimize.minimize_scalar(loss, bracket=(heights[i] - 1, heights[i] + 1), tol=1e-12)
        assert best.x == pytest.approx(heights[i], abs=1e-6)  # a maximum is known to the root of its precision
        assert -best.fun == pytest.approx(float(ours[i]), abs=CLOSED)


def reply(own, slope, others_slope, heights, cost):
    """The line that maximises the mean payoff over sums of the others' `heights`, by Nelder and Mead."""

    def loss(report):
        height, held = report
        level = (height + heights - cost[0]) / (held + others_slope + cost[1])
        return -np.mean(oracle.value(level, own, slope) - (height - held * level) * level)

    options = {"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000}
    return optimize.minimize(loss, [own, slope + others_slope], method="Nelder-Mead", options=options).x


def test_free_slopes_run_away_under_uncertain_intercepts():
    n, slope, cost = 3, 1.0, (2.0, 0.5)
    heights = np.random.default_rng(2).uniform(5.0, 7.0, (400, n - 1)).sum(1)  # others' true heights
    held, levels = slope, []
    for _ in range(5):  # from truth
        found = [reply(own, slope, (n - 1) * held, heights, cost) for own in (5.2, 6.8)]
        np.testing.assert_allclose(found, [(own, slope + cost[1] + (n - 1) * held) for own in (5.2, 6.8)], rtol=1e-5)
        held = found[0][1]
        levels.append((18.0 - cost[0]) / (n * held + cost[1]))  # at mean types
    assert held > 30 * slope and levels[-1] < 0.05 * levels[0]
    # The fixed point is a report that rises, a minimum of the payoff in the level, at which curves cross the cost upwards.
    fixed = -(slope + cost[1]) / (n - 2)
    assert fixed == pytest.approx(slope + cost[1] + (n - 1) * fixed)
    bend = -slope - 2 * ((n - 1) * fixed + cost[1])
    assert bend == pytest.approx((n * slope + 2 * cost[1]) / (n - 2)) and bend > 0 and n * fixed + cost[1] < 0


@pytest.mark.parametrize("cost, highest", [((2.0, 0.0), 1.0), ((2.0, 0.5), 5.5 / 7.5)])
def test_known_types_let_any_slopes_be_held(cost, highest):
    # With flat reports the level is (sum a - c0) / (sum B + (n+1) c1): first best for constant marginal cost only.
    best, institution = oracle.lindahl(A, B, *cost)[0], game(Lindahl, cost=cost)
    types = institution.preferences.at(jnp.zeros(()))
    shares = []
    for steep in (1e-3, 0.3, 2.0, 40.0):
        held = np.full(N, steep)
        level = oracle.lindahl_game(A, B, held, *cost)
        heights = A - B * level - level * (cost[1] + held.sum() - held) + held * level
        curves = lines(heights, held)
        outcome = institution.outcome(curves)
        assert float(outcome.built) == pytest.approx(level, abs=CLOSED)
        deviations = jnp.linspace(0.0, 2 * best, 201)
        for i in range(N):
            gains = jax.vmap(institution.facing(lambda _, c=curves: c, i, types))(deviations)
            assert float(gains.max()) <= float(institution.payoffs(types, outcome)[i]) + CLOSED
        shares.append(level / best)
    assert np.all(np.diff(shares) < 0) and shares[-1] < 0.1
    assert shares[0] == pytest.approx(highest, rel=1e-2)


def kernel_lines(kernel, ridge):
    return dcg.KernelCurve.on(dcg.kernel_basis(LEVELS, kernel, ridge), jnp.asarray(A[:, None] - B[:, None] * LEVELS))


@pytest.mark.slow
@pytest.mark.parametrize("kind", INSTITUTIONS)
def test_kernel_curves_of_lines_do_what_lines_do(kind):
    expected, _ = provided(game(kind), lines(A, B))
    # Constant + linear holds the lines themselves; Matern 5/2 misses them between knots a unit apart.
    for kernel, ridge, atol in ((dcg.Constant() + dcg.Linear(), 0.0, FITTED), (dcg.Matern52(24.0), 1e-8, 2e-3)):
        outcome, _ = provided(game(kind), kernel_lines(kernel, ridge))
        assert bool(outcome.found)
        for ours, theirs in zip(outcome[:3], expected[:3], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=atol)


NEVER = r"never meets marginal cost: .* give `cost` a slope, or widen the knots"


@pytest.mark.parametrize("kind", INSTITUTIONS)
def test_curves_that_never_meet_marginal_cost_say_what_to_do(kind):
    flat = lines(np.full(N, 5.0), np.zeros(N))
    with pytest.raises(dcg.ClearingError, match=NEVER):
        game(kind, cost=(2.0, 0.0)).outcome(flat)
    # A limit on what the planner considers is an answer too.
    outcome = game(kind, cost=(2.0, 0.0), top=3.0).outcome(flat)
    assert bool(outcome.found) and float(outcome.built) == 3.0


@pytest.mark.slow
def test_lanes_that_never_meet_marginal_cost_are_flagged_and_leave_the_others_whole():
    institution, kernel = game(Lindahl, cost=(2.0, 0.0)), dcg.Constant() + dcg.Linear()
    basis = dcg.kernel_basis(LEVELS, kernel, 0.0)
    falls, flat = A[:, None] - B[:, None] * LEVELS, np.full((N, len(LEVELS)), 5.0)
    values = jnp.asarray(np.stack([falls, flat, falls]))
    outcome = jax.jit(jax.vmap(lambda v: institution.outcome(dcg.KernelCurve.on(basis, v))))(values)
    np.testing.assert_array_equal(outcome.found, [True, False, True])
    level = oracle.lindahl(A, B, 2.0, 0.0)[0]
    np.testing.assert_allclose(outcome.built[jnp.array([0, 2])], level, atol=FITTED)
    with pytest.raises(dcg.ClearingError, match=NEVER):
        institution.outcome(dcg.KernelCurve.on(basis, values[1]))


def test_lindahl_on_curves_has_no_closed_form_with_private_types_and_says_so():
    with pytest.raises(dcg.InputError, match=r"InterceptReports\(Lindahl\(\.\.\.\)\)"):
        dcg.solve(Lindahl(QuadraticPreferences(dcg.Uniform(4.0, 7.0), B)))


@pytest.mark.parametrize("kind", INSTITUTIONS)
def test_bad_fields_are_named(kind):
    for build, field in (
        (lambda: kind(LinearPreferences(0.5, players=3)), "preferences"),
        (lambda: kind(QuadraticPreferences(np.ones(3)), endowment=jnp.ones(2)), "endowment"),
        (lambda: kind(QuadraticPreferences(np.ones(3)), cost=0.0), "cost.price"),
    ):
        with pytest.raises(dcg.InputError, match=rf"^{field}: "):
            build()
    # A user sees the InputError; the checker of types that watches the tests may be the first to see the field.
    with pytest.raises(Exception, match="preferences"):
        kind(CobbDouglas(0.5, players=3))
    shades = game(kind).initial_profile()
    with pytest.raises(dcg.InputError, match=r"^strategies: a shade of shape \(3,\)"):
        dcg.solve(game(kind), eqx.tree_at(lambda s: s.shade, shades, jnp.zeros(3)))
