"""Private intercepts: affine equilibria, cut where messages meet a bound, and expectations against means of play."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    ClarkePivot,
    CobbDouglas,
    InterceptReports,
    Lindahl,
    QuadraticCost,
    QuadraticPreferences,
    SerialCostSharing,
    VoluntaryContribution,
)
from tests.oracles import public_goods as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 7e-11
ERRORS = 4  # standard errors of a mean of draws
DRAWS = 50_000
FIXED = 2048  # draws that the library itself may take where no cubature is exact

LOW, HIGH = 4.0, 7.0  # everybody wants some of the good
PRIVATE = QuadraticPreferences(dcg.Uniform(LOW, HIGH), jnp.array([0.5, 1.0, 2.0]))
STEEP = np.array([1.0, 2.0, 4.0])  # of willingness to pay, 2b


def affine(eq):
    return np.asarray(eq.strategies.intercept), np.asarray(eq.strategies.weight)


def off_by(expected, draws, own=np.inf):
    """Standard errors between an expectation and the mean of draws; `own` draws were taken for the expectation."""
    return np.abs(np.asarray(expected) - draws.mean(0)) / (draws.std(0) * np.sqrt(1 / len(draws) + 1 / own))


@pytest.mark.slow
def test_cut_contributions_of_private_types_are_the_fixed_point_of_their_means():
    most, c0, slope = 0.8, 2.5, np.array([3.8, 4.0, 4.2])
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_expected_payoffs_of_truth_under_serial_shares_are_means_of_play():
    # At this cost players leave in orders that differ from draw to draw, and some at once.
    cost = (14.0, 0.5)
    payoffs, welfare, _ = expected(SerialCostSharing(PRIVATE, QuadraticCost(*cost)))
    a = np.random.default_rng(5).uniform(LOW, HIGH, (4000, 3))
    levels, taxes = (np.array(column) for column in zip(*[oracle.serial(row, STEEP, *cost) for row in a], strict=True))
    draws = oracle.value(levels, a, STEEP) - taxes
    assert (off_by(payoffs, draws, own=FIXED) < ERRORS).all() and off_by(welfare, draws.sum(1), own=FIXED) < ERRORS


def test_private_income_effects_have_no_closed_form_and_say_so():
    with pytest.raises(dcg.InputError, match=r"^preferences: private types here have no equilibrium in closed form"):
        dcg.solve(VoluntaryContribution(CobbDouglas(dcg.Uniform(0.2, 0.6), players=3)))


def test_draws_of_types_have_a_row_for_each_player():
    known = QuadraticPreferences(dcg.Uniform(LOW, HIGH), np.array([0.5, 1.0, 2.0]))
    draws = jax.vmap(known.sample)(jax.random.split(jax.random.key(0), 400))
    assert draws.shape == (400, 3, 2) and ((draws[..., 0] >= LOW) & (draws[..., 0] <= HIGH)).all()
    np.testing.assert_array_equal(draws[..., 1], np.broadcast_to([0.5, 1.0, 2.0], (400, 3)))
