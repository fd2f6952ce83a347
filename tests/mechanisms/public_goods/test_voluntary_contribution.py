import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dcg_econ as dcg
from dcg_econ.mechanisms.public_goods import (
    CobbDouglas,
    LinearPreferences,
    QuadraticCost,
    QuadraticPreferences,
    VoluntaryContribution,
)
from tests.oracles import public_goods as oracle

CLOSED = 1e-10  # closed forms in x64; Newton stops at 7e-11
FIRST_BEST = 1e-8  # the utilitarian level is found by two nested searches
DIFFERENCES = 1e-6  # central differences, steps of 1e-4
STEP = 1e-4

many = settings(max_examples=40, deadline=None)


def numbers(low, high, n):
    return st.lists(st.floats(low, high), min_size=n, max_size=n).map(np.array)


def cobb_douglas(share, wealth, price=1.0):
    return VoluntaryContribution(CobbDouglas(share), wealth, price)


def quasi_linear(intercept, curvature, wealth, price=1.0, slope=0.0):
    return VoluntaryContribution(QuadraticPreferences(intercept, curvature), wealth, QuadraticCost(price, slope))


def gifts(game):
    eq = dcg.solve(game)
    return np.asarray(eq.strategies.message), eq


@many
@given(st.floats(0.05, 0.95), st.floats(0.1, 10.0))
@pytest.mark.slow
def test_equal_cobb_douglas_players_give_too_little_by_the_closed_form(a, w):
    n = 4
    given_, eq = gifts(cobb_douglas(np.full(n, a), np.full(n, w)))
    total = n * a * w / (n * (1 - a) + a)
    np.testing.assert_allclose(given_, total / n, rtol=CLOSED)
    assert float(eq.regret) <= 1e-8
    best = n * a * w  # level of first best
    assert float(eq.first_best) == pytest.approx(n * (w - a * w) ** (1 - a) * best**a, rel=FIRST_BEST)
    assert float(eq.welfare) == pytest.approx(n * (w - total / n) ** (1 - a) * total**a, rel=CLOSED)


@many
@given(numbers(0.1, 0.9, 4), numbers(0.5, 5.0, 4))
@pytest.mark.slow
def test_unequal_cobb_douglas_players_are_the_fixed_point_of_replies_to_the_total(share, wealth):
    given_, eq = gifts(cobb_douglas(share, wealth))
    total = oracle.cobb_douglas_total(share, wealth)
    # One who is on the margin of giving leaves two sets of contributors within rounding of each other.
    np.testing.assert_allclose(given_, np.maximum(0, wealth - total * (1 - share) / share), atol=1e-9)
    assert given_.sum() == pytest.approx(total, abs=1e-9) and float(eq.regret) <= 1e-8


@pytest.mark.slow
@many
@given(numbers(0.3, 0.6, 4), numbers(2.0, 3.0, 4), numbers(-1.0, 1.0, 4))
def test_redistribution_among_contributors_is_neutral(share, wealth, moved):
    before, _ = gifts(cobb_douglas(share, wealth))
    givers = before > 1e-3
    moved = np.where(givers, moved, 0.0)
    moved[givers] -= moved[givers].mean()  # money goes from one contributor to another
    assume(np.abs(moved).max() > 1e-3)
    moved *= 0.9 * before[givers].min() / np.abs(moved).max()  # nobody loses more than it gives
    after, _ = gifts(cobb_douglas(share, wealth + moved))
    assert after.sum() == pytest.approx(before.sum(), abs=1e-9)
    np.testing.assert_allclose(wealth + moved - after, wealth - before, atol=1e-9)


@many
@given(st.floats(0.05, 1.0))
def test_redistribution_is_not_neutral_when_somebody_loses_more_than_it_gives(over):
    # Equal players: the loser stops giving, and three others with its money provide more than four did.
    share, wealth = np.full(4, 0.5), np.full(4, 2.0)
    before, _ = gifts(cobb_douglas(share, wealth))
    lost = min(before[0] + over, 1.9)
    richer = wealth + np.array([-lost, lost / 3, lost / 3, lost / 3])
    after, _ = gifts(cobb_douglas(share, richer))
    assert after[0] == 0.0
    # Three contributors: G = (wealth of the three) a / (3 (1 - a) + a) for equal shares.
    assert after.sum() == pytest.approx(richer[1:].sum() * 0.5 / 2, abs=CLOSED) and after.sum() > before.sum() + 1e-3


def test_everything_given_is_built_and_paid_for():
    game = quasi_linear(np.array([5.0, 4.0, 2.0]), np.ones(3), np.array([3.0, 2.0, 1.0]), 1.3, 0.4)
    outcome = game.outcome(jnp.array([1.0, 0.5, 0.25]))
    assert float(outcome.built) == pytest.approx(oracle.bought(1.75, 1.3, 0.4), abs=CLOSED)
    assert float(game.budget_surplus(outcome)) == pytest.approx(0.0, abs=1e-12) and bool(outcome.found)
    types = game.preferences.at(jnp.zeros(()))
    assert float(game.welfare(types, outcome)) == pytest.approx(float(game.payoffs(types, outcome).sum()), abs=1e-12)
    for impossible in ([-0.1, 0.5, 0.25], [1.0, 2.5, 0.25]):  # nobody takes out, or gives what it has not got
        assert not bool(game.outcome(jnp.array(impossible)).found)


@many
@given(numbers(1.5, 12.0, 3), numbers(0.2, 3.0, 3), numbers(0.1, 4.0, 3), st.floats(0.5, 2.0), st.floats(0.0, 1.0))
@pytest.mark.slow
def test_quasi_linear_players_give_in_the_order_of_keenness(a, b, wealth, c0, c1):
    given_, eq = gifts(quasi_linear(a, b, wealth, c0, c1))
    level = oracle.quasi_linear_total(a, 2 * b, wealth, c0, c1)
    assert given_.sum() == pytest.approx(oracle.spent(level, c0, c1), abs=1e-9)
    # Complementarity: who wants more gives all, who has enough gives nothing.
    excess = a - 2 * b * level - c0 - c1 * level
    np.testing.assert_allclose(given_[excess > 1e-6], wealth[excess > 1e-6], atol=CLOSED)
    np.testing.assert_allclose(given_[excess < -1e-6], 0.0, atol=CLOSED)
    assert float(eq.regret) <= 1e-8
    # First best: Samuelson's level, or what all money buys.
    best = min(oracle.lindahl(a, 2 * b, c0, c1)[0], oracle.bought(wealth.sum(), c0, c1))
    worth = oracle.value(best, a, 2 * b).sum() - oracle.spent(best, c0, c1) + wealth.sum()
    assert float(eq.first_best) == pytest.approx(worth, rel=CLOSED)


@pytest.mark.slow
def test_only_the_keenest_gives_where_its_money_lasts():
    given_, eq = gifts(quasi_linear(np.array([4.0, 9.0, 6.0]), np.ones(3), np.full(3, 50.0)))
    np.testing.assert_allclose(given_, [0.0, 4.0, 0.0], atol=CLOSED)  # 9 - 2 Y = 1
    # Equally keen players: the total is that of one of them.
    shared, eq = gifts(quasi_linear(np.array([9.0, 9.0, 6.0]), np.ones(3), np.full(3, 50.0)))
    assert shared.sum() == pytest.approx(4.0, abs=1e-9) and float(eq.regret) <= 1e-8
    np.testing.assert_allclose(shared, [2.0, 2.0, 0.0], atol=1e-9)  # evenly, as `selection` says


# Returns, gifts in Nash, level of first best; endowments 1, 2 and 3.
LINEAR = [
    ([0.3, 0.3, 0.3], [0, 0, 0], 0.0),  # the sum is below cost: nothing is best
    ([0.5, 0.5, 0.5], [0, 0, 0], 6.0),  # the social dilemma
    ([1.5, 1.5, 1.5], [1, 2, 3], 6.0),
    ([0.5, 1.5, 0.2], [0, 2, 0], 6.0),
    ([0.1, 0.2, 0.3], [0, 0, 0], 0.0),
]


@pytest.mark.slow
def test_linear_games_are_at_their_corners_in_every_lane():
    wealth, (mpcr, nash, best) = np.array([1.0, 2.0, 3.0]), map(np.array, zip(*LINEAR, strict=True))
    eqs = jax.vmap(lambda r: dcg.solve(VoluntaryContribution(LinearPreferences(r), wealth)))(jnp.asarray(mpcr))
    np.testing.assert_array_equal(eqs.strategies.message, nash)
    np.testing.assert_allclose(eqs.first_best, mpcr.sum(1) * best + wealth.sum() - best, atol=CLOSED)
    np.testing.assert_allclose(eqs.payoffs, mpcr * nash.sum(1, keepdims=True) + wealth - nash, atol=CLOSED)
    assert eqs.converged.all() and float(eqs.regret.max()) <= 1e-12


@pytest.mark.parametrize(
    "mpcr, cost, sentence",
    [
        (1.0, 1.0, "a player's return equals the marginal cost, 1: whatever it gives is a best reply"),
        (np.array([0.5, 2.0, 0.3]), 2.0, "a player's return equals the marginal cost, 2"),
        (1 / 3, 1.0, "the returns sum to the marginal cost, 1: every level is a first best"),
        (np.array([0.2, 0.3, 0.5]), 1.0, "the returns sum to the marginal cost"),
    ],
)
def test_returns_that_leave_everything_open_are_refused(mpcr, cost, sentence):
    with pytest.raises(dcg.InputError, match=rf"^preferences\.mpcr: {sentence}"):
        VoluntaryContribution(LinearPreferences(mpcr, players=3), cost=cost)


@pytest.fixture(scope="module")
def corner():
    """Derivatives where players 1 and 3 give, and players 2 and 4 nothing."""
    share, wealth = np.array([0.6, 0.2, 0.5, 0.1]), np.array([2.0, 1.0, 3.0, 1.5])
    game = cobb_douglas(share, wealth, 1.2)
    quantity = lambda eq: jnp.append(eq.strategies.message, eq.welfare)  # noqa: E731
    return share, wealth, dcg.sensitivity(game, quantity)


def test_sensitivities_at_a_corner_are_closed_forms(corner):
    share, _, found = corner
    np.testing.assert_array_equal(np.asarray(found.value[:4]) > 0, [True, False, True, False])
    # Two contributors: sum of gifts S = (w_1 + w_3) / (1 + sum (1 - a) / a), whatever the price.
    own = 1 / (1 + np.sum((1 - share[[0, 2]]) / share[[0, 2]]))
    np.testing.assert_allclose(found["endowment"][:4].sum(0), [own, 0, own, 0], atol=CLOSED)
    np.testing.assert_array_equal(found["endowment"][:4, 1], 0.0)
    np.testing.assert_array_equal(found["endowment"][1], 0.0)
    assert float(found["cost.price"][:4].sum()) == pytest.approx(0.0, abs=CLOSED)


def test_sensitivities_are_central_differences(corner):
    share, wealth, found = corner

    def at(share, wealth, price):
        given_, eq = gifts(cobb_douglas(share, wealth, price))
        return np.append(given_, eq.welfare)

    for i in range(4):
        bump = STEP * np.eye(4)[i]
        slope = (at(share, wealth + bump, 1.2) - at(share, wealth - bump, 1.2)) / (2 * STEP)
        np.testing.assert_allclose(found["endowment"][:, i], slope, atol=DIFFERENCES)
        slope = (at(share + bump, wealth, 1.2) - at(share - bump, wealth, 1.2)) / (2 * STEP)
        np.testing.assert_allclose(found["preferences.share.value"][:, i], slope, atol=DIFFERENCES)
    slope = (at(share, wealth, 1.2 + STEP) - at(share, wealth, 1.2 - STEP)) / (2 * STEP)
    np.testing.assert_allclose(found["cost.price"], slope, atol=DIFFERENCES)


@pytest.mark.parametrize(
    "wealth, gifts_, slopes",
    [
        # The keenest gives all; the next fills up to what it wants, and is crowded out one for one.
        ([2.0, 9.0, 9.0], [2.0, 1.0, 0.0], [[1, 0, 0], [-1, 0, 0], [0, 0, 0]]),
        # The two keenest give all, and the third has enough: another unit of their money is another unit of gifts.
        ([1.5, 0.7, 9.0], [1.5, 0.7, 0.0], [[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ([9.0, 9.0, 9.0], [4.0, 0.0, 0.0], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
@pytest.mark.slow
def test_money_that_binds_passes_its_derivative_through_the_bound(wealth, gifts_, slopes):
    game = quasi_linear(np.array([9.0, 7.0, 4.0]), np.ones(3), np.array(wealth))
    found = dcg.sensitivity(game, lambda eq: eq.strategies.message, strategies=game.initial_profile())
    np.testing.assert_allclose(found.value, gifts_, atol=CLOSED)
    np.testing.assert_allclose(found["endowment"], slopes, atol=CLOSED)


@pytest.mark.parametrize(
    "build, field",
    [
        (lambda: cobb_douglas(np.full(3, 0.5), 0.0), "endowment"),
        (lambda: cobb_douglas(np.full(3, 0.5), np.array([1.0, 0.0, 1.0])), "endowment"),
        (lambda: cobb_douglas(np.full(3, 0.5), np.ones(4)), "endowment"),
        (lambda: cobb_douglas(np.full(3, 0.5), 1.0, 0.0), "cost.price"),
        (lambda: VoluntaryContribution(CobbDouglas(0.5, players=3), cost=QuadraticCost(1.0, -1.0)), "cost.slope"),
        (lambda: VoluntaryContribution(CobbDouglas(0.5, players=3), cost=QuadraticCost(np.ones(3))), "cost"),
    ],
)
def test_bad_fields_are_named(build, field):
    with pytest.raises(dcg.InputError, match=rf"^{field}: "):
        build()
