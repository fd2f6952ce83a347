import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    CobbDouglas,
    GrovesLedyard,
    LinearPreferences,
    QuadraticCost,
    QuadraticPreferences,
    Walker,
    lindahl_allocation,
)
from tests.oracles import public_goods as oracle

CLOSED = 1e-10  # closed forms in x64; linear systems of five equations
SAMUELSON = 1e-8  # money per unit of the good
TRUTHFUL = 1e-10  # regret, a share of first best
ERRORS = 4  # standard errors of a mean of draws
DRAWS = 200_000

N = 5
CURVATURE = np.array([1.0, 2.0, 3.0, 4.0, 8.0])
INTERCEPT = np.array([10.0, 12.0, 14.0, 16.0, 30.0])
LOW, HIGH = 4.0, 7.0  # private intercepts: everybody wants some of the good
PRIVATE = np.array([0.5, 1.0, 2.0])  # curvature of three players with private intercepts

many = settings(max_examples=40, deadline=None)


def numbers(low, high, n=N):
    return st.lists(st.floats(low, high), min_size=n, max_size=n).map(np.array)


# Messages of the size of levels, preferences under which some of the good is worth its cost, convex costs.
games = st.fixed_dictionaries(
    {
        "intercept": numbers(4.0, 20.0),
        "curvature": numbers(0.1, 5.0),
        "price": st.floats(0.5, 10.0),
        "slope": st.floats(0.0, 4.0),
    }
)


def preferences(given_):
    return QuadraticPreferences(given_["intercept"], given_["curvature"])


def cost(given_):
    return QuadraticCost(given_["price"], given_["slope"])


def oracle_form(given_):
    return given_["intercept"], 2 * given_["curvature"], given_["price"], given_["slope"]


@eqx.filter_jit
def provided(game, messages):
    return game.provide(messages), game.budget_surplus(game.provide(messages))


@eqx.filter_jit
def second_derivatives(game, messages):
    types = game.preferences.at(jnp.zeros(()))
    return jnp.einsum("iij->ij", jax.hessian(lambda m: game.payoffs(types, game.provide(m)))(messages))


# The radii as we state them, to the digits shown.
@pytest.mark.parametrize("gamma, stated, digit", [(1, 3.28, 2), (50, 0.218, 3), (80, 0.475, 3), (300, 0.854, 3)])
def test_the_radius_of_best_replies_in_groves_ledyard_is_that_of_the_matrix_of_slopes(gamma, stated, digit):
    eq = dcg.solve(GrovesLedyard(QuadraticPreferences(INTERCEPT, CURVATURE), gamma))
    slopes = oracle.groves_ledyard_slopes(2 * CURVATURE, gamma)
    assert float(eq.stability) == pytest.approx(oracle.reply_radius(slopes), abs=CLOSED)
    assert round(float(eq.stability), digit) == stated


@pytest.mark.slow
@pytest.mark.parametrize("n, b, stated", [(3, 1.0, 2.0), (5, 1.0, 4.0), (3, 0.1, 8.7), (5, 0.1, 10.1)])
def test_walker_is_unstable_by_the_matrix_of_slopes(n, b, stated):
    eq = dcg.solve(Walker(QuadraticPreferences(INTERCEPT[:n], np.full(n, b))))
    radius = oracle.reply_radius(oracle.walker_slopes(np.full(n, 2 * b)))
    assert float(eq.stability) == pytest.approx(radius, abs=CLOSED) and round(radius, 1) == stated
    assert n - 1 <= radius + CLOSED


@pytest.mark.slow
@many
@given(games, st.floats(0.1, 300.0))
def test_radii_are_those_of_the_slopes_with_convex_costs_too(drawn, gamma):
    _, slope, _, c1 = oracle_form(drawn)
    for game, slopes in (
        (GrovesLedyard(preferences(drawn), gamma, cost(drawn)), oracle.groves_ledyard_slopes(slope, gamma, c1)),
        (Walker(preferences(drawn), cost(drawn)), oracle.walker_slopes(slope, c1)),
    ):
        radius = oracle.reply_radius(slopes)
        # Roots of a nearly defective matrix move as the square root of its error.
        assert float(dcg.solve(game).stability) == pytest.approx(radius, rel=1e-6)
        assert isinstance(game, GrovesLedyard) or radius >= N - 1 - 1e-6


def test_messages_are_complements_from_the_threshold_of_gamma_on():
    # d^2 u_i / dx_i dx_j = gamma / N - 2 b_i - c1 / N, nowhere negative for gamma >= 2 N max b + c1.
    c1 = 1.5
    threshold = 2 * N * CURVATURE.max() + c1
    for gamma, complements in ((threshold - 1e-6, False), (threshold + 1e-6, True)):
        game = GrovesLedyard(QuadraticPreferences(INTERCEPT, CURVATURE), gamma, QuadraticCost(1.0, c1))
        found = np.asarray(second_derivatives(game, jnp.arange(1.0, N + 1)))
        slopes = oracle.groves_ledyard_slopes(2 * CURVATURE, gamma, c1)
        np.testing.assert_allclose(found, slopes, atol=1e-9)  # of numbers up to 80
        assert (found[~np.eye(N, dtype=bool)] >= 0).all() == complements


@many
@given(games, numbers(-10.0, 10.0), st.floats(0.1, 300.0))
def test_the_budget_balances_at_random_messages(drawn, messages, gamma):
    _, _, c0, c1 = oracle_form(drawn)
    for game, taxes in (
        (GrovesLedyard(preferences(drawn), gamma, cost(drawn)), oracle.groves_ledyard_taxes(messages, gamma, c0, c1)),
        (Walker(preferences(drawn), cost(drawn)), oracle.walker_taxes(messages, c0, c1)),
    ):
        outcome, surplus = provided(game, jnp.asarray(messages))
        scale = 1 + np.abs(taxes).max()
        np.testing.assert_allclose(outcome.taxes, taxes, atol=1e-12 * scale)
        assert abs(float(surplus)) <= 1e-12 * scale
        assert float(outcome.built) == pytest.approx(messages.sum(), abs=1e-12 * scale)


@many
@given(games, st.floats(0.5, 300.0))
def test_nash_in_groves_ledyard_is_the_linear_system_and_efficient(drawn, gamma):
    a, slope, c0, c1 = oracle_form(drawn)
    game = GrovesLedyard(preferences(drawn), gamma, cost(drawn))
    eq = dcg.solve(game)
    messages = oracle.nash(oracle.groves_ledyard_slopes(slope, gamma, c1), a, c0)
    # At gamma = 0.5 messages are hundreds of units: ten digits of the largest.
    np.testing.assert_allclose(eq.strategies.message, messages, atol=CLOSED * (1 + np.abs(messages).max()))
    level = float(provided(game, eq.strategies.message)[0].built)
    assert abs(np.sum(a - slope * level) - c0 - c1 * level) <= SAMUELSON
    assert float(eq.efficiency) == pytest.approx(1.0, abs=CLOSED)
    assert float(eq.regret) <= 1e-8 and float(eq.second_order) < 0


@many
@given(games, st.floats(0.0, 3.0))
def test_nash_in_walker_is_lindahl(drawn, endowment):
    a, slope, c0, c1 = oracle_form(drawn)
    game = Walker(preferences(drawn), cost(drawn), endowment)
    eq = dcg.solve(game)
    level, prices, profit = oracle.lindahl(a, slope, c0, c1)
    outcome, _ = provided(game, eq.strategies.message)
    assert float(outcome.built) == pytest.approx(level, abs=SAMUELSON)
    np.testing.assert_allclose(outcome.taxes, prices * level - profit / N, atol=1e-8)  # money
    # The personal price that is in the message game: C'/N + x_{i+1} - x_{i+2}.
    x = np.asarray(eq.strategies.message)
    np.testing.assert_allclose((c0 + c1 * level) / N + np.roll(x, -1) - np.roll(x, -2), prices, atol=SAMUELSON)
    np.testing.assert_allclose(
        eq.payoffs, endowment + oracle.value(level, a, slope) - prices * level + profit / N, atol=1e-8
    )
    found = lindahl_allocation(game, game.preferences.at(jnp.zeros(())))
    for ours, theirs in zip(found, (level, prices, prices * level, profit), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=CLOSED * (1 + np.abs(theirs).max()))


GAMMA, C0, C1 = 2.5, 1.5, 0.7


@pytest.fixture(scope="module")
def private():
    """The equilibrium of three players with private intercepts, and convex cost."""
    known = QuadraticPreferences(dcg.Uniform(LOW, HIGH), PRIVATE)
    return dcg.solve(GrovesLedyard(known, GAMMA, QuadraticCost(C0, C1)))


def test_private_intercepts_have_an_affine_equilibrium(private):
    slopes = oracle.groves_ledyard_slopes(2 * PRIVATE, GAMMA, C1)
    p, q = oracle.affine_nash(slopes, 0.5 * (LOW + HIGH), C0 / 3)
    np.testing.assert_allclose(private.strategies.intercept, p, atol=CLOSED)
    np.testing.assert_allclose(private.strategies.weight, q, atol=CLOSED)
    assert float(private.regret) <= TRUTHFUL and float(private.second_order) < 0
    assert float(private.stability) == pytest.approx(oracle.reply_radius(slopes), abs=CLOSED)


@pytest.mark.parametrize("player, own", [(0, LOW), (1, 5.0), (2, HIGH)])
def test_private_messages_maximise_interim_payoffs(private, player, own):
    intercepts, weights = np.asarray(private.strategies.intercept), np.asarray(private.strategies.weight)
    strategies = [lambda a, i=i: intercepts[i] + weights[i] * a for i in range(3)]

    def payoff(x):
        taxes = oracle.groves_ledyard_taxes(x, GAMMA, C0, C1)[..., player]
        return oracle.value(x.sum(-1), own, 2 * PRIVATE[player]) - taxes

    said = strategies[player](own)
    low, mid, high = (oracle.interim(payoff, player, said + step, strategies, LOW, HIGH) for step in (-0.5, 0.0, 0.5))
    # Quadratic in the message, so that differences of any step are exact.
    assert high - low == pytest.approx(0.0, abs=CLOSED) and low + high < 2 * mid


def test_expected_payoffs_under_private_intercepts_are_means_of_play(private):
    a = np.random.default_rng(7).uniform(LOW, HIGH, (DRAWS, 3))
    x = np.asarray(private.strategies.intercept) + np.asarray(private.strategies.weight) * a
    taxes = oracle.groves_ledyard_taxes(x, GAMMA, C0, C1)
    payoffs = oracle.value(x.sum(1)[:, None], a, 2 * PRIVATE) - taxes
    best = (a.sum(1) - C0) ** 2 / (2 * (2 * PRIVATE.sum() + C1))
    for expected, draws in ((private.payoffs, payoffs), (private.welfare, payoffs.sum(1)), (private.first_best, best)):
        off = np.abs(np.asarray(expected) - draws.mean(0))
        assert (off < ERRORS * draws.std(0) / np.sqrt(DRAWS)).all()
    assert float(private.welfare) < float(private.first_best)


KEEN = QuadraticPreferences(INTERCEPT[:3], 1.0)


@pytest.mark.parametrize(
    "build, field",
    [
        (lambda: GrovesLedyard(KEEN, gamma=0.0), "gamma"),
        (lambda: GrovesLedyard(KEEN, gamma=-1.0), "gamma"),
        (lambda: GrovesLedyard(QuadraticPreferences(INTERCEPT[:2], 1.0)), "preferences.players"),
        (lambda: Walker(QuadraticPreferences(INTERCEPT[:2], 1.0)), "preferences.players"),
        (lambda: GrovesLedyard(KEEN, endowment=jnp.ones(4)), "endowment"),
        (lambda: Walker(KEEN, endowment=-1.0), "endowment"),
        (lambda: GrovesLedyard(CobbDouglas(0.5, players=3)), "preferences"),
        (lambda: Walker(CobbDouglas(0.5, players=3)), "preferences"),
        (lambda: GrovesLedyard(LinearPreferences(0.5, players=3)), "preferences"),
        (lambda: Walker(LinearPreferences(0.5, players=3), cost=0.9), "preferences"),
        (lambda: Walker(KEEN, cost=-1.0), "cost.price"),
        (lambda: GrovesLedyard(KEEN, cost=QuadraticCost(1.0, -0.1)), "cost.slope"),
    ],
)
def test_bad_fields_are_named(build, field):
    with pytest.raises(dcg.InputError, match=rf"^{field}: "):
        build()


def test_private_curvature_has_no_closed_form_and_says_so():
    game = GrovesLedyard(QuadraticPreferences(INTERCEPT[:3], dcg.Uniform(jnp.ones(3), 2.0)))
    with pytest.raises(dcg.InputError, match="private types here have no equilibrium in closed form"):
        dcg.solve(game)
