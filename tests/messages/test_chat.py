"""Chat and choices: every message, its probability and its price."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

import dcg_econ as dcg
from dcg_econ.messages.chat import STOP

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
SLOPE = 1e-9  # the gradient of a mean of four KLs, at a root found by closed form
LEVEL = 1e-4  # of each chi-square; keys are fixed, so that they pass or fail for good
DRAWS = 20_000
KEY = jax.random.key(0)
CHAT = dcg.Chat(3, 3, price=0.5, length_price=0.1)
CHOICE = dcg.Choice(4)
WORDS = np.asarray(CHAT.words())
RAW = jnp.asarray(np.random.default_rng(0).normal(size=CHAT.raw))
many = settings(max_examples=25, deadline=None)


def raws(size):
    return st.lists(st.floats(-20, 20), min_size=size, max_size=size).map(lambda x: jnp.asarray(x, float))


def by_hand(vocabulary, length):
    """Messages as tuples: content tokens, and STOP where there is room for it."""
    content = range(1, vocabulary)
    short = [(*said, STOP) for n in range(length) for said in itertools.product(content, repeat=n)]
    return sorted([*short, *itertools.product(content, repeat=length)])


def spelled(words, vocabulary, length):
    rows = np.asarray(words).reshape(-1, length, vocabulary)
    return [tuple(int(np.argmax(token)) for token in row if token.sum() > 0) for row in rows]


@pytest.mark.parametrize(("vocabulary", "length"), [(1, 1), (1, 3), (2, 1), (2, 3), (3, 2), (3, 3), (5, 2), (7, 1)])
def test_every_message_is_listed_once(vocabulary, length):
    chat = dcg.Chat(vocabulary, length)
    listed, expected = spelled(chat.words(), vocabulary, length), by_hand(vocabulary, length)
    assert sorted(listed) == expected and len(set(listed)) == len(listed)
    assert chat.messages == len(expected)
    assert chat.bits == pytest.approx(math.log2(len(expected)), abs=CLOSED)
    assert chat.words().shape == (len(expected), chat.heard)
    assert np.all(np.isin(chat.words(), (0, 1)))


def test_one_token_is_log_two_of_the_vocabulary_and_many_messages_are_not_listed():
    assert dcg.Chat(8).bits == 3
    huge = dcg.Chat(16, 4)
    assert huge.messages == 1 + 15 + 15**2 + 15**3 + 15**4
    with pytest.raises(dcg.InputError, match=r"vocabulary: 54,241 different messages"):
        huge.words()


@jax.jit
def said(raw, key):
    """(what is heard, its facts, the log-probabilities of all words, the slopes of the log-probability)."""
    heard, info = CHAT(raw, key)
    return heard, info, CHAT.log_probs(raw), jax.grad(lambda x: CHAT.facts(x, heard).log_prob)(raw)


@many
@given(raws(CHAT.raw), st.integers(0, 2**31 - 1))
def test_what_is_said_is_a_message_with_its_own_probability(raw, seed):
    heard, info, logs, slopes = said(raw, jax.random.key(seed))
    assert float(special.logsumexp(logs)) == pytest.approx(0, abs=CLOSED)
    (place,) = np.flatnonzero((np.asarray(heard) == WORDS).all(axis=1))
    assert float(info.log_prob) == pytest.approx(float(logs[place]), abs=CLOSED)
    spoken = np.asarray(heard).reshape(3, 3).sum(axis=1)
    assert np.all(np.diff(spoken) <= 0) and spoken[0] == 1
    score = np.asarray(slopes).reshape(3, 3)
    np.testing.assert_array_equal(score[spoken == 0], 0)  # what is not said has no gradient, exactly
    law = special.softmax(np.asarray(raw).reshape(3, 3), axis=1)
    np.testing.assert_allclose(score, spoken[:, None] * (np.asarray(heard).reshape(3, 3) - law), atol=CLOSED)
    assert float(info.length) == np.asarray(heard).reshape(3, 3)[:, 1:].sum()
    costs = np.array([stats.entropy(row, np.full(3, 1 / 3)) for row in law])
    assert float(info.nats) == pytest.approx(spoken @ costs, abs=10 * CLOSED)
    assert float(info.entropy) == pytest.approx(spoken @ (math.log(3) - costs), abs=10 * CLOSED)


def test_nothing_is_heard_after_stop_and_logits_there_do_not_matter():
    silent = jnp.asarray([[50.0, 0, 0], [0, 50, 0], [0, 0, 50]]).ravel()
    speak = jax.jit(lambda m, k: CHAT(m, k))
    heard, info = speak(silent, KEY)
    np.testing.assert_array_equal(heard, [1] + [0] * 8)
    other, same = speak(silent.at[3:].set(7.0), KEY)
    np.testing.assert_array_equal(heard, other)
    for fact, again in zip(jax.tree.leaves(info), jax.tree.leaves(same), strict=True):
        assert float(fact) == float(again)
    assert float(info.length) == 0
    assert float(info.nats) == pytest.approx(math.log(3), abs=1e-10)  # STOP for sure is paid for like a word


def test_messages_are_drawn_as_often_as_their_probabilities_say():
    heard = np.asarray(jax.jit(jax.vmap(lambda k: CHAT(RAW, k)[0]))(jax.random.split(KEY, DRAWS)))
    counts = (heard[:, None] == WORDS).all(axis=2).sum(axis=0)
    law = np.exp(CHAT.log_probs(RAW))
    assert counts.sum() == DRAWS and np.min(law) * DRAWS > 5
    assert stats.chisquare(counts, law * DRAWS).pvalue > LEVEL
    assert stats.chisquare(counts, np.roll(law, 1) * DRAWS).pvalue < LEVEL


def test_the_mean_cost_is_the_divergence_from_even_odds_at_every_token():
    """KL(law of messages || uniform tokens until STOP), summed over all messages."""
    logs = np.asarray(CHAT.log_probs(RAW))
    prior = -math.log(3) * np.asarray(WORDS).sum(axis=1)
    facts = jax.vmap(lambda word: CHAT.facts(RAW, word))(CHAT.words())
    assert np.exp(prior).sum() == pytest.approx(1, abs=CLOSED)
    assert np.exp(logs) @ facts.nats == pytest.approx(np.exp(logs) @ (logs - prior), abs=CLOSED)
    assert np.exp(logs) @ facts.entropy == pytest.approx(stats.entropy(np.exp(logs)), abs=CLOSED)


@pytest.mark.parametrize("straight_through", (False, True))
def test_stand_ins_become_messages_as_the_temperature_falls(straight_through):
    def shortfall(temperature):
        chat = CHAT.relaxed(jnp.asarray(temperature), straight_through)
        heard, info = jax.jit(jax.vmap(lambda k: chat(RAW, k)))(jax.random.split(KEY, 200))
        return np.abs(np.asarray(heard)[:, None] - WORDS).max(axis=2).min(axis=1), info

    cold, info = shortfall(1e-3)
    assert np.mean(cold < 1e-6) > 0.9  # but for near ties
    assert info.log_prob is None and CHAT.relaxed(jnp.ones(()), True).pathwise
    assert np.mean(shortfall(1.0)[0] < 1e-6) == (1 if straight_through else 0)


def test_held_to_its_word_a_speaker_says_the_likeliest_tokens():
    sharp = CHAT.sharp()
    heard, info = sharp(jnp.asarray([0.0, 2, 1, 3, 2, 1, 0, 0, 9]), KEY)
    assert CHAT.tokens(heard).tolist() == [1, 0, 0] and info.log_prob is None
    assert not sharp.likely and not sharp.pathwise
    assert float(info.nats) == pytest.approx(2 * np.log(3), abs=CLOSED) and float(info.entropy) == 0  # two tokens said


def test_messages_can_be_read():
    chat = dcg.Chat(4, 3)
    rows = np.zeros((2, 3, 4))
    rows[0, 0, 2] = rows[0, 1, 0] = rows[1, 0, 1] = rows[1, 1, 3] = rows[1, 2, 1] = 1
    heard = jnp.asarray(rows.reshape(2, -1))
    np.testing.assert_array_equal(chat.tokens(heard), [[2, 0, 0], [1, 3, 1]])
    assert [chat.text(h) for h in heard] == ["b .", "a c a"]
    one = dcg.Chat(30)
    assert [one.text(jnp.eye(30)[i]) for i in (0, 25, 26, 27)] == ["a", "z", "aa", "ab"]
    assert CHOICE.text(jnp.eye(4)[3]) == "d"


def test_the_charge_is_the_price_of_nats_and_of_tokens():
    _, info = CHAT(RAW, KEY)
    assert float(CHAT.charge(info)) == pytest.approx(0.5 * float(info.nats) + 0.1 * float(info.length), abs=CLOSED)
    assert float(dcg.Chat(3, 3).charge(info)) == 0
    with pytest.raises(dcg.InputError, match=r"^price: shape \(2,\)"):
        dcg.Chat(3, price=[0.1, 0.2])


@jax.jit
def chosen(raw):
    heard, info = CHOICE(raw, KEY)
    return heard, info, CHOICE.log_probs(raw)


@many
@given(raws(8))
def test_a_choice_costs_its_divergence_from_the_learned_prior(raw):
    heard, info, logs = chosen(raw)
    law, prior = special.softmax(np.asarray(raw).reshape(2, 4), axis=1)
    assert float(info.nats) == pytest.approx(stats.entropy(law, prior), abs=CLOSED)
    assert float(info.entropy) == pytest.approx(stats.entropy(law), abs=CLOSED)
    np.testing.assert_allclose(np.exp(logs), law, atol=CLOSED)
    assert float(info.log_prob) == pytest.approx(float(logs[int(np.argmax(heard))]), abs=CLOSED)
    assert float(info.length) == 1


def test_under_the_best_prior_the_mean_cost_is_mutual_information():
    rng = np.random.default_rng(1)
    laws, odds = rng.dirichlet(np.ones(4), size=3), np.array([0.5, 0.2, 0.3])
    marginal = odds @ laws
    information = odds @ [stats.entropy(law, marginal) for law in laws]

    @jax.jit
    def mean_cost(prior):
        raws = jnp.concatenate([jnp.log(laws), jnp.broadcast_to(prior, (3, 4))], axis=1)
        return odds @ jax.vmap(lambda raw: CHOICE(raw, KEY)[1].nats)(raws)

    best = jnp.log(marginal)
    assert float(mean_cost(best)) == pytest.approx(information, abs=CLOSED)
    np.testing.assert_allclose(jax.grad(mean_cost)(best), 0, atol=SLOPE)
    for other in rng.normal(size=(5, 4)):
        excess = stats.entropy(marginal, special.softmax(other))
        assert float(mean_cost(jnp.asarray(other))) == pytest.approx(information + excess, abs=CLOSED)


def test_a_choice_lists_its_options():
    np.testing.assert_array_equal(CHOICE.words(), np.eye(4))
    assert CHOICE.bits == 2 and CHOICE.raw == 8 and CHOICE.heard == 4 and CHOICE.sharp() is CHOICE
    relaxed = CHOICE.relaxed(jnp.asarray(0.5), False)
    assert relaxed.pathwise and not relaxed.likely and relaxed(jnp.zeros(8), KEY)[1].log_prob is None
    with pytest.raises(dcg.InputError, match=r"^options: 0"):
        dcg.Choice(0)
