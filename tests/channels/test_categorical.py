"""Symbols: what is drawn, and what stands in for it."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

import dcg_econ as dcg
from dcg_econ.channels.categorical import Categorical, Greedy, GumbelSoftmax

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
LEVEL = 1e-4  # of each chi-square; keys are fixed, so that they pass or fail for good
DRAWS = 20_000
COLD = 1e-3  # gaps of Gumbel draws below COLD * ln 1e6 = .014 leave weights short of one by more than 1e-6
KEY = jax.random.key(0)
LOGITS = jnp.array([0.3, -1.0, 1.2, 0.0, -2.0])
many = settings(max_examples=30, deadline=None)
logits = st.lists(st.floats(-30, 30), min_size=5, max_size=5).map(lambda x: jnp.asarray(x, float))


def draws(channel, count=DRAWS):
    heard, info = jax.jit(jax.vmap(lambda k: channel(LOGITS, k)))(jax.random.split(KEY, count))
    return np.asarray(heard), info


def agrees(counts, shares):
    """The p-value of counts under a law."""
    return stats.chisquare(counts, shares * np.sum(counts)).pvalue


def test_symbols_are_drawn_with_the_probabilities_of_the_logits():
    heard, info = draws(Categorical())
    assert set(np.unique(heard)) == {0, 1} and np.all(heard.sum(axis=1) == 1)
    counts, law = heard.sum(axis=0), special.softmax(LOGITS)
    assert agrees(counts, law) > LEVEL
    assert agrees(counts, special.softmax(1.2 * LOGITS)) < LEVEL  # the test would see a law a little off
    np.testing.assert_allclose(info.log_prob, np.log(law)[heard.argmax(axis=1)], atol=CLOSED)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", (0.1, 1.0, 5.0))
def test_the_largest_weight_has_the_law_of_a_symbol_at_any_temperature(temperature):
    heard, info = draws(GumbelSoftmax(temperature))
    np.testing.assert_allclose(heard.sum(axis=1), 1, atol=CLOSED)
    assert agrees(np.bincount(heard.argmax(axis=1), minlength=5), special.softmax(LOGITS)) > LEVEL
    assert info.log_prob is None


@pytest.mark.slow
def test_weights_become_a_symbol_as_the_temperature_falls():
    short = [float(np.mean(1 - draws(GumbelSoftmax(t), 2000)[0].max(axis=1))) for t in (1.0, 0.1, 0.01, COLD)]
    assert all(later < 0.2 * earlier for earlier, later in pairwise(short))  # linear in t
    cold = draws(GumbelSoftmax(COLD), 2000)[0]
    assert np.mean(cold.max(axis=1) > 1 - 1e-6) > 0.97  # two Gumbels are within .014 in one draw of a hundred or so


def test_straight_through_hands_on_a_symbol_and_the_slopes_of_the_weights():
    soft, hard = (GumbelSoftmax(0.7, straight_through=through) for through in (False, True))
    weights, received = draws(soft, 500)[0], draws(hard, 500)[0]
    assert set(np.unique(received)) == {0, 1}
    np.testing.assert_array_equal(received, np.eye(5)[weights.argmax(axis=1)])
    jacobians = jax.jit(lambda k: [jax.jacfwd(lambda x, c=c: c(x, k)[0])(LOGITS) for c in (soft, hard)])
    for seed in range(3):
        key = jax.random.key(seed)
        slopes = jacobians(key)
        np.testing.assert_allclose(slopes[1], slopes[0], atol=CLOSED)
        p = np.asarray(soft(LOGITS, key)[0])
        np.testing.assert_allclose(slopes[0], (np.diag(p) - np.outer(p, p)) / 0.7, atol=CLOSED)


def test_the_greedy_say_the_likeliest_symbol_and_ignore_the_key():
    for seed in range(3):
        received, info = Greedy()(LOGITS, jax.random.key(seed))
        np.testing.assert_array_equal(received, np.eye(5)[2])
    assert info.log_prob is None and float(info.entropy) == 0
    assert float(info.nats) == pytest.approx(np.log(5), abs=CLOSED)  # certain, however near to a tie
    np.testing.assert_array_equal(jax.jacobian(lambda x: Greedy()(x, KEY)[0])(LOGITS), 0)


@jax.jit
def facts(x):
    return [channel(x, KEY)[1] for channel in (Categorical(), GumbelSoftmax(0.5))]


@many
@given(logits)
def test_entropies_and_costs_are_scipys(x):
    law = special.softmax(np.asarray(x))
    for info in facts(x):
        assert float(info.entropy) == pytest.approx(stats.entropy(law), abs=CLOSED)
        assert float(info.nats) == pytest.approx(stats.entropy(law, np.full(5, 0.2)), abs=CLOSED)
        assert float(info.length) == 1 and float(info.penalty) == 0


def test_even_odds_cost_nothing_and_certainty_the_logarithm_of_the_words():
    even, sure = (Categorical()(jnp.asarray(x), KEY)[1] for x in (np.full(5, 3.0), 100 * np.eye(5)[1]))
    assert float(even.nats) == pytest.approx(0, abs=CLOSED)
    assert float(sure.nats) == pytest.approx(np.log(5), abs=CLOSED)


def test_the_score_is_what_was_said_less_its_probability():
    heard, _ = Categorical()(LOGITS, KEY)
    score = jax.grad(lambda x: Categorical()(x, KEY)[1].log_prob)(LOGITS)
    np.testing.assert_allclose(score, np.asarray(heard) - special.softmax(LOGITS), atol=CLOSED)


def test_the_kinds_say_what_can_be_differentiated():
    channels = Categorical(), Greedy(), GumbelSoftmax(), GumbelSoftmax(1.0, True)
    assert [c.pathwise for c in channels] == [False, False, True, True]
    assert [c.likely for c in channels] == [True, False, False, False]


@pytest.mark.parametrize("temperature", (0.0, -1.0, np.nan))
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(dcg.InputError, match=r"^temperature: "):
        GumbelSoftmax(temperature)
