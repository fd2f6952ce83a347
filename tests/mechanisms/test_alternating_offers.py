import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.offers import OffersByRound, StationaryOffers
from dcg_econ.experiments.codec import describe
from dcg_econ.mechanisms.bargaining.alternating_offers import AlternatingOffers, Turn
from tests.oracles import alternating_offers as oracle

CLOSED = 1e-12  # the conditions are linear between kinks: Newton's method ends on them
ROUNDS = 24


LANES = 100


@pytest.fixture(scope="module")
def solve():
    """`dcg.solve` for up to a hundred games without a horizon, compiled once."""

    def one(delta, risk, outside, size, first_mover):
        return dcg.solve(AlternatingOffers(delta, risk, outside, size, first_mover))

    mapped = eqx.filter_jit(eqx.filter_vmap(one))

    def batch(delta, risk=0.0, outside=0.0, size=1.0, first_mover=1.0):
        n = len(delta)
        pairs = [np.resize(np.broadcast_to(x, (n, 2)).astype(float), (LANES, 2)) for x in (delta, risk, outside)]
        eqs = mapped(*pairs, np.full(LANES, size), np.full(LANES, first_mover))
        return jax.tree.map(lambda leaf: np.asarray(leaf)[:n], eqs)

    return batch


def payoffs(eq):
    """The quantity of every sensitivity here: one function compiles once."""
    return eq.payoffs


def test_rubinsteins_division(solve):
    d = np.random.default_rng(0).uniform(size=(LANES, 2))
    eqs = solve(d, size=2.5)
    assert eqs.converged.all()
    np.testing.assert_allclose(eqs.payoffs[:, 0], 2.5 * oracle.rubinstein(d[:, 0], d[:, 1]), atol=CLOSED)
    np.testing.assert_allclose(eqs.strategies.ask[:, 1], 2.5 * oracle.rubinstein(d[:, 1], d[:, 0]), atol=CLOSED)
    np.testing.assert_allclose(eqs.strategies.accept, d * eqs.strategies.ask, atol=CLOSED)
    np.testing.assert_allclose(eqs.welfare, 2.5, atol=CLOSED)
    np.testing.assert_array_equal(eqs.first_best, 2.5)
    np.testing.assert_allclose(eqs.largest_gain, 0.0, atol=1e-13)
    # Each round of best replies shrinks errors by the discount factors in turn.
    np.testing.assert_allclose(eqs.stability, np.sqrt(d[:, 0] * d[:, 1]), atol=1e-9)


def test_patient_and_impatient_extremes(solve):
    eqs = solve([[0.0, 0.0], [0.0, 0.9], [0.9, 0.0], [0.99999, 0.99999]])
    assert eqs.converged.all()
    np.testing.assert_allclose(eqs.payoffs[:, 0], [1.0, 0.1, 1.0, 1 / 1.99999], atol=1e-11)


def test_derivatives_are_implicit_and_exact(solve):
    game = AlternatingOffers(delta=[0.9, 0.8])
    found = dcg.sensitivity(game, payoffs)
    np.testing.assert_allclose(found["delta"][0], oracle.rubinstein_slopes(0.9, 0.8), rtol=CLOSED)
    np.testing.assert_allclose(found["delta"].sum(0), 0.0, atol=CLOSED)
    first, second = oracle.rubinstein(0.9, 0.8), 1 - oracle.rubinstein(0.8, 0.9)
    np.testing.assert_allclose(found["size"], [first, 1 - first], atol=CLOSED)
    np.testing.assert_allclose(found["first_mover"], [first - second, second - first], atol=CLOSED)
    np.testing.assert_array_equal(found["outside"], 0.0)
    h = 1e-6
    steps = np.array([[0.9 + h, 0.8], [0.9 - h, 0.8], [0.9, 0.8 + h], [0.9, 0.8 - h]])
    ahead = solve(steps).payoffs[:, 0].reshape(2, 2)
    np.testing.assert_allclose(found["delta"][0], (ahead[:, 0] - ahead[:, 1]) / (2 * h), rtol=1e-6)
    ahead = solve(np.tile([0.9, 0.8], (4, 1)), risk=[[h, 0.0], [0.0, 0.0], [0.0, h], [0.0, 0.0]]).payoffs[:, 0]
    np.testing.assert_allclose(found["risk"][0], (ahead[::2] - ahead[1::2]) / h, rtol=1e-4)


def test_a_risk_averse_player_gets_less(solve):
    risk = np.array([[0.0, 0.0], [0.2, 0.0], [0.5, 0.0], [0.5, 0.3], [0.9, 0.9]])
    eqs = solve(np.tile([0.9, 0.8], (5, 1)), risk=risk)
    d = np.array([0.9, 0.8]) ** (1 / (1 - risk))
    np.testing.assert_allclose(eqs.payoffs[:, 0], oracle.rubinstein(d[:, 0], d[:, 1]), atol=CLOSED)
    assert np.all(np.diff(eqs.payoffs[:3, 0]) < 0) and eqs.payoffs[3, 0] > eqs.payoffs[2, 0]
    # Who answers is indifferent, in utility, between the offer now and its own proposal later.
    ask, power = np.asarray(eqs.strategies.ask), 1 - risk
    np.testing.assert_allclose((1 - ask[:, 0]) ** power[:, 1], 0.8 * ask[:, 1] ** power[:, 1], atol=CLOSED)


@pytest.mark.parametrize("risk", [(0.0, 0.0), (0.6, 0.2)])
def test_short_rounds_give_nash_with_weights_by_patience(solve, risk):
    rates, length = np.array([0.05, 0.1]), np.array([1e-2, 1e-3, 1e-4])
    shares = solve(np.exp(-rates * length[:, None]), risk=risk).payoffs[:, 0]
    gaps = np.abs(np.asarray(shares) - oracle.short_rounds(rates, risk))
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 10.0, rtol=1e-2)
    # Extrapolated to rounds of no length.
    assert (10 * shares[2] - shares[1]) / 9 == pytest.approx(oracle.short_rounds(rates, risk), abs=1e-9)


def test_outside_options_bind_only_above_the_division_without_them(solve):
    answering = 1 - oracle.rubinstein(0.9, 0.8)  # 2/7, what player 2 gets
    options = np.array([0.0, 0.1, answering - 1e-3, answering + 1e-3, 0.5, 0.9])
    eqs = solve(np.tile([0.9, 0.8], (6, 1)), outside=np.stack([np.zeros(6), options], 1))
    assert eqs.converged.all()
    np.testing.assert_allclose(eqs.payoffs[:, 1], np.maximum(answering, options), atol=CLOSED)
    rng = np.random.default_rng(2)
    d, outside = rng.uniform(0.2, 0.98, size=(LANES, 2)), 3 * rng.dirichlet([1, 1, 1], size=LANES)[:, :2]
    eqs = solve(d, outside=outside, size=3.0)
    assert eqs.converged.all()
    np.testing.assert_allclose(eqs.strategies.ask, oracle.backward_induction(d, outside, 3.0, 2000), atol=CLOSED)
    assert 10 < (eqs.strategies.accept == outside).sum() < 150


def test_derivatives_in_outside_options_jump_at_the_kink():
    def slope(option, delta=(0.9, 0.8)):
        game = AlternatingOffers(delta=delta, outside=[0.0, option])
        return dcg.sensitivity(game, payoffs)["outside"][:, 1]

    np.testing.assert_allclose(slope(0.2), [0.0, 0.0], atol=CLOSED)
    np.testing.assert_allclose(slope(0.5), [-1.0, 1.0], atol=CLOSED)
    # Player 2 is worth .5 either way: the side on which the option changes nothing.
    np.testing.assert_allclose(slope(0.5, delta=(0.0, 0.5)), [0.0, 0.0], atol=CLOSED)


def test_derivatives_of_one_who_cannot_wait():
    found = dcg.sensitivity(AlternatingOffers(delta=[0.0, 0.5]), payoffs)
    np.testing.assert_allclose(found["delta"][0], oracle.rubinstein_slopes(0.0, 0.5), atol=CLOSED)
    assert np.isfinite(found["risk"]).all()


def test_who_moves_first_is_drawn():
    game = AlternatingOffers(delta=[0.9, 0.8], first_mover=0.25)
    eq = dcg.solve(game)
    first, second = oracle.rubinstein(0.9, 0.8), 1 - oracle.rubinstein(0.8, 0.9)
    assert float(eq.payoffs[0]) == pytest.approx(0.25 * first + 0.75 * second, abs=CLOSED)
    play = jax.jit(jax.vmap(lambda key: dcg.play(game, eq.strategies, key=key)))
    plays = play(jax.random.split(jax.random.key(0), 400))
    assert abs(float(plays.types.proposer.mean()) - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400)
    np.testing.assert_allclose(plays.payoffs[:, 0], np.where(plays.types.proposer == 0, first, second), atol=CLOSED)
    np.testing.assert_allclose(plays.welfare, plays.first_best, atol=CLOSED)
    assert plays.outcome.agreed.all() and not plays.outcome.delay.any()
    assert "player 1" in str(eq) and "ask" in eq.to_frame().columns


@pytest.mark.slow
def test_equal_players_can_share_one_strategy():
    eq = dcg.solve(AlternatingOffers(delta=0.75), StationaryOffers(0.5, 0.5))
    assert eq.strategies.ask.shape == () and float(eq.strategies.ask) == pytest.approx(1 / 1.75, abs=CLOSED)
    with pytest.raises(dcg.EquilibriumError, match="unequal players need one ask"):
        dcg.solve(AlternatingOffers(delta=[0.9, 0.8]), StationaryOffers(0.5, 0.5))


@pytest.fixture(scope="module")
def by_round():
    return dcg.solve(AlternatingOffers(delta=[0.9, 0.8], horizon=ROUNDS))


def test_a_long_horizon_is_nearly_none(by_round):
    assert bool(by_round.converged) and float(by_round.regret) < 1e-14 and float(by_round.stability) == 0.0
    # With k rounds to go a proposer asks what it would in a game of k rounds.
    asks = np.asarray(by_round.strategies.ask)[:, ::-1]
    expected, remaining = np.array([1.0, 1.0]), []
    for _ in range(ROUNDS):
        remaining.append(expected)
        expected = 1 - np.array([0.8, 0.9]) * expected[::-1]
    np.testing.assert_allclose(asks, np.array(remaining).T, atol=CLOSED)
    gaps = asks[0] - oracle.rubinstein(0.9, 0.8)
    np.testing.assert_allclose(gaps[2:] / gaps[:-2], 0.72, rtol=1e-9)
    assert float(by_round.payoffs[0]) == pytest.approx(asks[0, -1], abs=CLOSED)


def test_equal_patience_is_stahls_series():
    profile = AlternatingOffers(delta=0.85, horizon=ROUNDS).initial_profile()
    expected = [oracle.stahl(0.85, ROUNDS - t) for t in range(ROUNDS)]
    np.testing.assert_allclose(profile.ask, np.tile(expected, (2, 1)), atol=CLOSED)


@pytest.mark.slow
def test_derivatives_with_a_horizon():
    game = AlternatingOffers(delta=[0.9, 0.8], outside=[0.1, 0.05], size=2.0, horizon=ROUNDS)
    found = dcg.sensitivity(game, payoffs)
    d, outside = np.array([0.9, 0.8]), np.array([0.1, 0.05])
    expected = oracle.backward_induction(d, outside, 2.0, ROUNDS)[0]
    np.testing.assert_allclose(found.value, [expected, 2.0 - expected], atol=CLOSED)
    h = 1e-6
    for i, step in enumerate(h * np.eye(2)):
        ahead, behind = (oracle.backward_induction(d + s, outside, 2.0, ROUNDS)[0] for s in (step, -step))
        assert float(found["delta"][0, i]) == pytest.approx((ahead - behind) / (2 * h), rel=1e-6)
        ahead, behind = (oracle.backward_induction(d, outside + s, 2.0, ROUNDS)[0] for s in (step, -step))
        # What the last player is left with still shows, if little.
        assert float(found["outside"][0, i]) == pytest.approx((ahead - behind) / (2 * h), abs=1e-9)


def test_with_a_horizon_players_may_be_patient():
    # An even number of rounds gives player 2 the last word, and nothing is lost by waiting for it.
    eq = dcg.solve(AlternatingOffers(delta=1.0, horizon=ROUNDS))
    assert bool(eq.converged)
    np.testing.assert_allclose(eq.payoffs, [0.0, 1.0], atol=CLOSED)


def test_threats_that_nobody_would_carry_out_are_regretted():
    # Each insists on half: a Nash equilibrium, but to refuse 0.5 - is worth only 0.45 and 0.4.
    game, stubborn = AlternatingOffers(delta=[0.9, 0.8]), StationaryOffers([0.5, 0.5], [0.5, 0.5])
    found = dcg.regret(game, stubborn)
    assert float(found.largest_gain) == pytest.approx(0.1, abs=CLOSED)
    np.testing.assert_allclose(found.by_player, [0.025, 0.05], atol=CLOSED)
    generous = StationaryOffers([0.5, 0.5], [0.3, 0.3])
    # The proposer could ask .7; to accept .3 is to give up .45 and .4.
    np.testing.assert_allclose(dcg.regret(game, generous).by_player, [(0.2 + 0.15) / 2, (0.2 + 0.1) / 2], atol=1e-9)


@eqx.filter_jit
def outcome_of(game, profile, proposer=0, round=0):
    turn = Turn(jnp.asarray(proposer), jnp.asarray(round))
    outcome = game.outcome(game.reports(profile, turn))
    return outcome, game.payoffs(turn, outcome)


def test_what_happens_off_the_equilibrium():
    greedy = StationaryOffers([0.9, 0.9], [0.5, 0.5])
    outcome, payoffs = outcome_of(AlternatingOffers(delta=[0.9, 0.8]), greedy)
    assert not bool(outcome.agreed) and float(payoffs.sum()) == 0.0
    outcome, payoffs = outcome_of(AlternatingOffers(delta=[0.9, 0.8], outside=[0.2, 0.3]), greedy)
    assert not bool(outcome.agreed)
    np.testing.assert_allclose(payoffs, [0.2, 0.3], atol=CLOSED)
    # Player 1 asks too much, player 2's proposal is accepted one round later; welfare falls by the waiting.
    late = StationaryOffers([0.9, 0.6], [0.4, 0.5])
    outcome, payoffs = outcome_of(AlternatingOffers(delta=[0.9, 0.8]), late)
    assert bool(outcome.agreed) and float(outcome.delay) == 1.0
    np.testing.assert_allclose(payoffs, [0.9 * 0.4, 0.8 * 0.6], atol=CLOSED)
    # Unless player 2 has something better to do.
    outcome, payoffs = outcome_of(AlternatingOffers(delta=[0.9, 0.8], outside=[0.1, 0.49]), late)
    assert not bool(outcome.agreed)
    np.testing.assert_allclose(payoffs, [0.1, 0.49], atol=CLOSED)


def test_offers_by_round_can_lead_to_a_late_agreement():
    ask = jnp.array([[0.9, 0.9, 0.9, 0.3], [0.9, 0.9, 0.9, 0.6]])
    profile = OffersByRound(ask, jnp.full((2, 4), 0.4))
    game = AlternatingOffers(delta=[0.9, 0.8], risk=[0.5, 0.0], horizon=4)
    outcome, payoffs = outcome_of(game, profile)
    assert float(outcome.delay) == 3.0
    # Waiting three rounds for .4 is worth the x with x^.5 = .9^3 .4^.5.
    np.testing.assert_allclose(payoffs, [0.9**6 * 0.4, 0.8**3 * 0.6], atol=CLOSED)
    _, payoffs = outcome_of(game, profile, proposer=1, round=2)
    np.testing.assert_allclose(payoffs, [0.9**2 * 0.3, 0.8 * 0.7], atol=CLOSED)


def test_a_lane_without_unique_equilibrium_leaves_the_others_whole(solve):
    eqs = solve([[0.9, 0.8], [1.0, 1.0], [0.5, 0.5], [0.9, 0.8]], outside=[[0.0, 0.0]] * 3 + [[0.6, 0.6]])
    assert eqs.converged.tolist() == [True, False, True, False]
    assert np.isnan(eqs.payoffs[1::2]).all() and np.isfinite(eqs.payoffs[::2]).all()


@pytest.mark.parametrize(
    "fields, name, remedy",
    [
        ({"delta": [1.0, 0.9]}, "delta", "no unique equilibrium: give delta below one, or a horizon"),
        ({"delta": [0.9, 1.2]}, "delta", "below one"),
        ({"delta": [0.9, 1.2], "horizon": 3}, "delta", "at most one"),
        ({"delta": [-0.1, 0.5]}, "delta", "zero or more"),
        ({"delta": [0.9, 0.8, 0.7]}, "delta", "two numbers"),
        ({"delta": [0.9, float("nan")]}, "delta", "not a finite number"),
        ({"delta": 0.9, "outside": [0.6, 0.6]}, "outside", "no agreement is possible"),
        ({"delta": 0.9, "outside": [-0.1, 0.0]}, "outside", "zero or more"),
        ({"delta": 0.9, "risk": [0.0, 1.0]}, "risk", r"in \[0, 1\)"),
        ({"delta": 0.9, "risk": [-0.5, 0.0]}, "risk", r"in \[0, 1\)"),
        ({"delta": 0.9, "size": 0.0}, "size", "above zero"),
        ({"delta": 0.9, "first_mover": 1.5}, "first_mover", "give a probability"),
        ({"delta": 0.9, "horizon": 0}, "horizon", "give 1 or more, or None"),
        ({"delta": 0.9, "horizon": 2.5}, "horizon", "give 1 or more, or None"),
    ],
)
def test_bad_fields_are_named_with_a_remedy(fields, name, remedy):
    with pytest.raises(dcg.InputError, match=f"^{name}: .*{remedy}"):
        AlternatingOffers(**fields)


def test_strategies_that_do_not_suit_the_horizon_are_refused():
    by_round = OffersByRound(jnp.full((2, 4), 0.5), jnp.full((2, 4), 0.5))
    with pytest.raises(dcg.InputError, match="StationaryOffers without a horizon"):
        dcg.solve(AlternatingOffers(delta=0.9), by_round)
    with pytest.raises(dcg.InputError, match="StationaryOffers without a horizon"):
        dcg.solve(AlternatingOffers(delta=0.9, horizon=4), StationaryOffers([0.5, 0.5], [0.5, 0.5]))
    with pytest.raises(dcg.InputError, match="4 rounds where horizon = 5"):
        dcg.solve(AlternatingOffers(delta=0.9, horizon=5), by_round)
    with pytest.raises(dcg.InputError, match="number of rounds"):
        dcg.solve(AlternatingOffers(delta=0.9, horizon=4), OffersByRound(jnp.ones(4), jnp.ones(4)))


def test_a_specification_can_name_every_field():
    game = AlternatingOffers([0.9, 0.8], risk=[0.1, 0.0], outside=[0.0, 0.2], size=2.0, first_mover=0.5, horizon=4)
    table = describe(game)
    assert table.pop("kind") == "alternating_offers"
    assert describe(AlternatingOffers(**table)) == {"kind": "alternating_offers", **table}
    assert describe(AlternatingOffers([0.9, 0.8])) == {"kind": "alternating_offers", "delta": [0.9, 0.8]}
