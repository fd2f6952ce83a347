"""Adjustment round by round: linear maps whose powers are known, and what is lost on the way."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import ClarkePivot, GrovesLedyard, Lindahl, VoluntaryContribution, Walker, public_goods

B = np.array([1.0, 2.0, 3.0, 4.0, 8.0])
A = np.array([20.0, 25.0, 30.0, 35.0, 40.0])
PREFERENCES = public_goods.QuadraticPreferences(jnp.asarray(A), jnp.asarray(B))
ROUNDING = 1e-10  # linear maps iterated in 64 bits


def groves_ledyard(gamma):
    return GrovesLedyard(PREFERENCES, gamma=jnp.asarray(gamma))


def jacobian(gamma, n=5):
    """d (du_i/dx_i) / dx_j of Groves-Ledyard with linear cost, from the utility by hand."""
    same = np.eye(n, dtype=bool)
    return np.where(same, -2 * B[:, None] - gamma * (n - 1) / n, -2 * B[:, None] + gamma / n)


def replies(gamma):
    j = jacobian(gamma)
    return -(j - np.diag(np.diag(j))) / np.diag(j)[:, None]


@pytest.fixture(scope="module")
def nash():
    return np.asarray(dcg.solve(groves_ledyard(50.0)).strategies.message)


@pytest.mark.parametrize("inertia", [0.0, 0.5])
def test_best_responses_follow_the_powers_of_their_matrix(nash, inertia):
    away = np.array([0.3, -0.1, 0.2, 0.0, -0.4])
    rule = public_goods.BestResponse(inertia)
    path = public_goods.dynamics(groves_ledyard(50.0), rule, start=nash + away, rounds=12)
    matrix = inertia * np.eye(5) + (1 - inertia) * replies(50.0)
    expected = [nash + np.linalg.matrix_power(matrix, t) @ away for t in range(13)]
    np.testing.assert_allclose(path.messages, expected, atol=ROUNDING)


def test_gradient_play_follows_the_powers_of_its_matrix(nash):
    away, step = np.array([0.3, -0.1, 0.2, 0.0, -0.4]), 0.02
    path = public_goods.dynamics(groves_ledyard(50.0), public_goods.GradientPlay(step), start=nash + away, rounds=12)
    matrix = np.eye(5) + step * jacobian(50.0)
    expected = [nash + np.linalg.matrix_power(matrix, t) @ away for t in range(13)]
    np.testing.assert_allclose(path.messages, expected, atol=ROUNDING)


@pytest.mark.parametrize("gamma", [1.0, 50.0, 300.0])
def test_stability_is_that_of_the_matrices(gamma, nash):
    found = public_goods.stability(groves_ledyard(gamma), nash)  # quadratic utility: the same everywhere
    rates = np.linalg.eigvals(jacobian(gamma))
    assert float(found.best_reply) == pytest.approx(np.abs(np.linalg.eigvals(replies(gamma))).max(), abs=ROUNDING)
    largest = np.min(-2 * rates.real / np.abs(rates) ** 2)
    assert float(found.largest_step) == pytest.approx(largest, rel=1e-9)
    for step in (0.5 * largest, 1.5 * largest):
        assert float(found.gradient_play(step)) == pytest.approx(np.abs(1 + step * rates).max(), rel=1e-9)
        assert (float(found.gradient_play(step)) < 1) == (step < largest)


def test_more_stable_than_the_largest_step_is_never_walker():
    walker = Walker(public_goods.QuadraticPreferences(jnp.asarray(A), 1.0))
    found = public_goods.stability(walker, jnp.zeros(5))
    assert float(found.best_reply) == pytest.approx(4.0, abs=ROUNDING)
    # Gradient play: rates -2 b N on the mean and +- i |.| around it, so no step is small enough.
    assert float(found.largest_step) == pytest.approx(0.0, abs=ROUNDING)


def test_the_budget_balances_and_players_lose_off_equilibrium():
    nash = np.asarray(dcg.solve(groves_ledyard(300.0)).strategies.message)
    path = public_goods.dynamics(groves_ledyard(300.0), public_goods.BestResponse(), start=nash + 2.0, rounds=30)
    np.testing.assert_allclose(path.budget_surplus, 0.0, atol=1e-8 * 300)  # terms of size gamma x^2 cancel
    assert float(path.gains[0].min()) < 0 < float(path.gains[-1].min())
    slow = path.rounds_to(nash, 0.05)
    assert 0 < int(slow) < 30 and np.all(np.abs(path.messages[int(slow) :] - nash) <= 0.05)
    assert np.isinf(path.rounds_to(nash, 1e-12))


@pytest.mark.slow
def test_truth_is_reached_in_one_round_under_clarke_and_never_by_best_replies_under_lindahl():
    shades = jnp.asarray([0.3, -0.2, 0.1, 0.0, 0.4])
    clarke = ClarkePivot(PREFERENCES, cost=public_goods.QuadraticCost(2.0, 3.0))
    path = public_goods.dynamics(clarke, public_goods.BestResponse(), start=shades, rounds=3)
    np.testing.assert_allclose(path.messages[1:], 0.0, atol=1e-9)  # Newton on a pivot tax
    lindahl = Lindahl(PREFERENCES, cost=public_goods.QuadraticCost(2.0, 3.0))
    eq = dcg.solve(lindahl)
    found = public_goods.stability(lindahl, eq.strategies.shade)
    assert float(found.best_reply) == pytest.approx(float(eq.stability), abs=1e-9) and float(found.best_reply) > 1
    path = public_goods.dynamics(lindahl, public_goods.BestResponse(), start=eq.strategies.shade + 0.01, rounds=6)
    away = np.abs(np.asarray(path.messages) - np.asarray(eq.strategies.shade)).max(axis=1)
    assert away[6] > 5 * away[0]


def test_a_linear_game_ends_at_its_corner_at_once():
    game = VoluntaryContribution(public_goods.LinearPreferences(0.4, players=5), endowment=20.0)
    path = public_goods.dynamics(game, public_goods.BestResponse(), start=jnp.full(5, 10.0), rounds=2)
    np.testing.assert_array_equal(path.messages[1:], 0.0)
    step = public_goods.GradientPlay(1.0)  # du/dg = .4 - 1
    path = public_goods.dynamics(game, step, start=jnp.full(5, 10.0), rounds=20)
    np.testing.assert_allclose(path.messages[:, 0], np.maximum(10 - 0.6 * np.arange(21), 0), atol=ROUNDING)


def test_logit_responses_have_logit_chances():
    game = VoluntaryContribution(public_goods.LinearPreferences(0.4, players=5), endowment=20.0)
    grid = jnp.linspace(0.0, 20.0, 5)
    rule = public_goods.LogitResponse(0.1, grid)
    path = public_goods.dynamics(game, rule, start=jnp.zeros(5), rounds=2000, key=jax.random.key(3))
    chances = np.exp(0.1 * (0.4 - 1) * np.asarray(grid))
    chances /= chances.sum()
    said = np.asarray(path.messages[1:]).ravel()
    shares = np.array([(said == g).mean() for g in np.asarray(grid)])
    error = np.sqrt(chances * (1 - chances) / said.size)
    assert np.all(np.abs(shares - chances) < 4 * error)


def test_an_audit_counts_deficits_and_losers():
    preferences = public_goods.QuadraticPreferences(dcg.Uniform(4.0, 8.0), dcg.Uniform(0.5, 1.5), players=5)
    clarke = ClarkePivot(preferences, cost=public_goods.QuadraticCost(5.0, 5.0))
    found = public_goods.audit(clarke, clarke.initial_profile(), key=jax.random.key(0))
    assert float(found.efficiency) == pytest.approx(1.0, abs=ROUNDING)
    frame = found.to_frame()
    assert frame.loc["budget surplus", "share below zero"] == 0 < frame.loc["budget surplus", "least"]
    assert frame.loc["gain of a player", "share below zero"] == np.mean(np.asarray(found.gains) < 0) > 0


def test_a_path_in_a_frame_has_a_row_for_each_round_and_player(nash):
    path = public_goods.dynamics(groves_ledyard(50.0), public_goods.BestResponse(), start=nash, rounds=12)
    frame = path.to_frame()
    assert list(frame["round"].value_counts()) == [5] * 13
    chosen = frame[(frame["round"] == 3) & (frame["participant"] == "player 2")]
    assert chosen["payoff"].item() == float(path.payoffs[3, 1]) and chosen["level"].item() == float(path.built[3])


def test_bad_input_is_named(nash):
    with pytest.raises(dcg.InputError, match="inertia"):
        public_goods.BestResponse(1.0)
    with pytest.raises(dcg.InputError, match="step"):
        public_goods.GradientPlay(0.0)
    with pytest.raises(dcg.InputError, match=r"start: shape \(3,\).*5 players"):
        public_goods.dynamics(groves_ledyard(50.0), public_goods.BestResponse(), start=[0.0, 0.0, 0.0])
    with pytest.raises(dcg.InputError, match="key: missing"):
        public_goods.dynamics(groves_ledyard(50.0), public_goods.LogitResponse(1.0, [0.0, 1.0]), start=nash)


@eqx.filter_jit
def economies(a, b, price, gamma):
    def one(a, b, price, gamma):
        preferences, cost = public_goods.QuadraticPreferences(a, b), public_goods.QuadraticCost(price, 1.0)
        institutions = (
            VoluntaryContribution(preferences, endowment=10.0, cost=cost),
            GrovesLedyard(preferences, gamma, cost),
        )
        return [(eq.converged, eq.efficiency) for eq in map(dcg.solve, institutions)]

    return jax.vmap(one)(a, b, price, gamma)


@pytest.mark.slow
def test_a_batch_flags_what_is_not_concave_or_not_worth_providing_and_keeps_the_rest():
    keys = jax.random.split(jax.random.key(0), 4)
    a = jax.random.uniform(keys[0], (64, 5), minval=4.0, maxval=12.0)
    b = jax.random.uniform(keys[1], (64, 5), minval=-0.05, maxval=2.0)
    price = jax.random.uniform(keys[2], (64,), minval=1.0, maxval=60.0)
    gamma = jax.random.uniform(keys[3], (64,), minval=1.0, maxval=60.0)
    concave, worth = np.all(b >= 0, axis=1), np.sum(a, axis=1) > price
    assert 0 < np.sum(~concave) < 64 and 0 < np.sum(~worth) < 64
    voluntary, groves = [(np.asarray(ok), np.asarray(e)) for ok, e in economies(a, b, price, gamma)]
    np.testing.assert_array_equal(voluntary[0], concave)  # keeping the endowments is a first best too
    np.testing.assert_array_equal(groves[0], concave & worth)
    np.testing.assert_allclose(groves[1][groves[0]], 1.0, atol=1e-9)
    assert np.all(voluntary[1][voluntary[0]] <= 1 + 1e-12)
