"""Continuous messages with a soft STOP, and spoken curves."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

import dcg_econ as dcg

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
LEVEL = 1e-4  # of each statistical test; keys are fixed, so that they pass or fail for good
DRAWS = 20_000
KEY = jax.random.key(0)
LENGTH, WIDTH = 4, 2
NOISY = dcg.Continuous(LENGTH, WIDTH, length_price=0.25)
PRICED = dcg.Continuous(LENGTH, WIDTH, price=0.5)
CERTAIN = 60.0  # sigmoid(60 - 3) is one and sigmoid(-63) is 4e-28
KNOTS = jnp.linspace(0.0, 2.0, 6)
VALUES = jnp.array([0.5, 0.3, 0.4, -0.2, -0.1, -0.6])
many = settings(max_examples=25, deadline=None)


def with_stops(language, tokens, stops):
    assert len(stops) == language.length
    return jnp.concatenate([jnp.ravel(tokens), jnp.asarray(stops, float)])


def some_tokens(language):
    size = language.raw - language.length
    return jnp.asarray(np.random.default_rng(0).normal(size=size))


@jax.jit
def both_said(stops):
    """Facts of the same tokens with soft and with hard stops."""
    return [
        [tongue(jnp.concatenate([some_tokens(tongue), stops]), KEY) for tongue in (language, language.sharp())]
        for language in (NOISY, PRICED)
    ]


@many
@given(st.lists(st.floats(-8, 8), min_size=LENGTH, max_size=LENGTH))
def test_the_length_is_expected_over_where_a_speaker_stops(stops):
    hazards = special.expit(np.array(stops) - 3)
    going = np.cumprod(np.concatenate([[1], 1 - hazards[:-1]]))  # token t is said with this chance
    for (_, info), (_, hard) in both_said(jnp.asarray(stops, float)):
        assert float(info.length) == pytest.approx(going.sum(), abs=CLOSED)
        halves = np.flatnonzero(hazards[:-1] >= 0.5)
        assert float(hard.length) == (halves[0] + 1 if len(halves) else LENGTH)


@many
@given(st.integers(1, LENGTH))
def test_the_gap_to_hard_stops_closes_as_speakers_grow_certain(last):
    stops = np.full(LENGTH, -CERTAIN)
    stops[last - 1] = CERTAIN
    for (soft, info), (hard, facts) in both_said(jnp.asarray(stops)):
        np.testing.assert_allclose(soft, hard, atol=CLOSED)
        assert float(info.length) == pytest.approx(last, abs=CLOSED) and float(facts.length) == last
        assert float(info.nats) == pytest.approx(float(facts.nats), abs=CLOSED)


def test_the_gap_shrinks_on_the_way():
    gaps = [abs(float(a.length - b.length)) for a, b in (_facts(scale) for scale in (0.0, 2.0, 4.0, 8.0))]
    assert all(later < 0.5 * earlier for earlier, later in pairwise(gaps)) and gaps[0] > 0.1


def _facts(scale):
    (_, soft), (_, hard) = both_said(jnp.asarray([3.1 + scale, 0.0, 0.0, 0.0]))[0]
    return soft, hard


@pytest.mark.parametrize("scale", (-2.0, 0.0, 5.0))
@pytest.mark.parametrize("through", (None, dcg.GaussianNoise(sd=2.0), dcg.GaussianBottleneck()))
def test_what_is_not_said_is_a_draw_of_the_prior_and_costs_nothing(through, scale):
    language = dcg.Continuous(3, 2, through=through)
    size = language.through.raw(2)
    tokens = jnp.full((3, size), scale).at[:, :2].set(1.5)
    raw = with_stops(language, tokens, [CERTAIN, 0.0, 0.0])
    heard, info = jax.jit(jax.vmap(lambda k: language(raw, k)))(jax.random.split(KEY, 3000))
    single = dcg.Continuous(1, 2, through=language.through)
    assert float(info.nats[0]) == pytest.approx(float(single(tokens[0], KEY)[1].nats), abs=CLOSED)
    silence = np.asarray(heard)[:, 2:]
    assert min(stats.kstest(column, "norm").pvalue for column in silence.T) > LEVEL
    first = np.asarray(info.log_prob) - stats.norm.logpdf(silence).sum(axis=1)
    signal, spread = language.through.law(tokens[0])
    told = stats.norm.logpdf(np.asarray(heard)[:, :2], np.asarray(signal), np.asarray(spread)).sum(axis=1)
    np.testing.assert_allclose(first, told, atol=10 * CLOSED)


def test_what_is_certainly_not_said_has_no_gradient():
    raw = with_stops(NOISY, some_tokens(NOISY), [0.0, CERTAIN, 0.0, 0.0])
    slopes, sharp = jax.jit(lambda m: [jax.jacfwd(lambda x, n=n: n(x, KEY)[0])(m) for n in (NOISY, NOISY.sharp())])(raw)
    assert np.abs(slopes[:, : 2 * WIDTH]).max() > 0.1
    np.testing.assert_allclose(slopes[:, 2 * WIDTH : LENGTH * WIDTH], 0, atol=CLOSED)
    assert np.abs(slopes[:, -LENGTH]).max() > 0.01  # whether to stop is learned
    np.testing.assert_array_equal(sharp[:, -LENGTH:], 0)


def test_a_fresh_speaker_goes_on():
    hazard = special.expit(-3)
    expected = (1 - (1 - hazard) ** LENGTH) / hazard
    assert float(both_said(jnp.zeros(LENGTH))[0][0][1].length) == pytest.approx(expected, abs=CLOSED)


def test_the_channel_is_bought_where_there_is_a_price_and_fixed_where_not():
    assert isinstance(PRICED.through, dcg.GaussianBottleneck) and isinstance(NOISY.through, dcg.GaussianNoise)
    assert PRICED.raw == LENGTH * 2 * WIDTH + LENGTH and NOISY.raw == LENGTH * WIDTH + LENGTH
    assert dcg.Continuous(1, WIDTH).raw == WIDTH  # a single token needs no STOP
    assert float(dcg.Continuous(1, WIDTH)(jnp.zeros(WIDTH), KEY)[1].length) == 1
    with pytest.raises(dcg.InputError, match=r"^through: "):
        dcg.Continuous(through=dcg.Tap(jnp.zeros(4)))


def test_the_charge_is_the_price_of_nats_and_of_expected_tokens():
    (_, noisy), (_, priced) = (pair[0] for pair in both_said(jnp.ones(LENGTH)))
    assert float(noisy.nats) > 1 and float(NOISY.charge(noisy)) == pytest.approx(0.25 * float(noisy.length), abs=CLOSED)
    assert float(PRICED.charge(priced)) == pytest.approx(0.5 * float(priced.nats), abs=CLOSED)


def test_the_capacity_is_that_of_the_channel_and_of_knowing_where_a_message_ends():
    """One token is Shannon's formula; of two, whether the second is said can be told from its noise."""
    assert dcg.Continuous(1, 3).bits == pytest.approx(1.5 * math.log2(1 + 100), abs=CLOSED)
    assert dcg.Continuous(2, 3).bits == pytest.approx(1.5 * (math.log2(101) + math.log2(200)), abs=CLOSED)
    mute = dcg.Continuous(2, 4, through=dcg.GaussianNoise(sd=0.01, limit=0.001))
    goes, stops = (mute(with_stops(mute, jnp.zeros(8), [s, 0.0]), KEY)[0] for s in (-CERTAIN, CERTAIN))
    # 4 coordinates in noise of 0.01 or of 1: guessing by the larger of the two densities errs once in millions.
    assert np.abs(goes).max() < 0.1 and np.abs(stops[4:]).max() > 0.1
    assert mute.bits > 1 > mute.length * mute.through.bits(4)


def test_a_message_can_be_read():
    assert dcg.Continuous(2, 2).text(jnp.array([0.123, -1, 2, 0])) == "+0.12 -1.00 | +2.00 +0.00"
    assert dcg.SpokenCurve(KNOTS[:2]).text(jnp.array([1.0, -0.5])) == "curve +1.00 -0.50"


def test_a_curve_is_heard_as_its_fit_at_the_knots():
    spoken = dcg.SpokenCurve(KNOTS, ridge=0.3)
    heard, info = spoken(VALUES, KEY)
    x = np.asarray(KNOTS)
    r = math.sqrt(5) * np.abs(x[:, None] - x) / 1.0  # the default length is half of the span of the knots
    gram = (1 + r + r**2 / 3) * np.exp(-r)
    fit = gram @ np.linalg.solve(gram + 0.3 * np.eye(6), np.asarray(VALUES))
    np.testing.assert_allclose(heard, fit, atol=CLOSED)
    np.testing.assert_allclose(heard, spoken.curve(VALUES)(KNOTS), atol=CLOSED)
    assert np.abs(heard - VALUES).max() > 0.05  # the fit smooths
    assert info.log_prob is None and info.entropy is None and not spoken.likely and spoken.pathwise
    assert float(info.length) == 1 and spoken.raw == spoken.heard == 6
    slopes = jax.jit(jax.jacfwd(lambda m: spoken(m, KEY)[0]))(VALUES)
    np.testing.assert_allclose(slopes, gram @ np.linalg.inv(gram + 0.3 * np.eye(6)), atol=CLOSED)


def test_without_noise_a_curve_says_everything_and_cannot_be_charged_for():
    spoken = dcg.SpokenCurve(KNOTS)
    info = spoken(VALUES, KEY)[1]
    assert spoken.bits == math.inf and float(info.nats) == math.inf
    assert float(spoken.charge(info)) == 0
    assert float(jax.grad(lambda m: spoken.charge(spoken(m, KEY)[1]))(VALUES).sum()) == 0
    with pytest.raises(dcg.InputError, match=r"^through: no noise.*needs noise"):
        dcg.SpokenCurve(KNOTS, price=0.1)


def test_with_noise_a_curve_is_a_gaussian_message_of_its_fitted_values():
    noise = dcg.GaussianNoise(sd=0.2, limit=2.0)
    spoken = dcg.SpokenCurve(KNOTS, price=0.1, through=noise)
    heard, info = spoken(VALUES, KEY)
    fitted = dcg.SpokenCurve(KNOTS)(VALUES, KEY)[0]
    same, facts = noise(fitted, KEY)
    np.testing.assert_allclose(heard, same, atol=CLOSED)
    assert spoken.likely and float(info.log_prob) == pytest.approx(float(facts.log_prob), abs=CLOSED)
    assert spoken.bits == pytest.approx(noise.bits(6), abs=CLOSED)
    assert float(spoken.charge(info)) == pytest.approx(0.1 * float(info.nats), abs=CLOSED)


def test_prices_of_a_curve_can_be_mapped_over():
    noise = dcg.GaussianNoise(sd=0.2)
    for through, prices in ((noise, jnp.array([0.0, 0.5])), (None, jnp.zeros(2))):
        found = jax.vmap(lambda p, t=through: dcg.SpokenCurve(KNOTS, price=p, through=t)(VALUES, KEY)[0])(prices)
        assert found.shape == (2, 6)
