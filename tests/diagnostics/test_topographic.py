import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import dcg_econ as dcg
from dcg_econ.diagnostics.topographic import edit_distances, hamming_shares, said_lengths, topographic_similarity

CLOSED = 1e-12  # closed forms of a few dozen operations
MEANINGS = np.array(list(itertools.product(range(4), repeat=3)))
QUICK = 99  # permutations: p-values to the percent

tokens = st.lists(st.integers(0, 3), min_size=5, max_size=5)


def said(message):
    return tuple(itertools.takewhile(lambda t: t != 0, message))


def edits(a, b):
    """Levenshtein's distance by its recursive definition."""
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


@settings(max_examples=60, deadline=None)
@given(tokens, tokens)
def test_edit_distances_are_levenshteins_over_the_mean_length_said(a, b):
    one, two = said(a), said(b)
    mean = (len(one) + len(two)) / 2
    expected = edits(one, two) / mean if mean else 0
    assert edit_distances(np.array([a, b]))[0] == pytest.approx(expected, abs=CLOSED)


@settings(max_examples=60, deadline=None)
@given(st.lists(tokens, min_size=3, max_size=3), tokens)
def test_what_follows_stop_is_not_heard(messages, noise):
    messages = np.array(messages)
    lengths = said_lengths(messages)
    np.testing.assert_array_equal(lengths, [len(said(m)) for m in messages.tolist()])
    after = np.arange(5) > lengths[:, None]
    np.testing.assert_array_equal(edit_distances(np.where(after, noise, messages)), edit_distances(messages))


def test_some_distances_by_hand():
    words = np.array([[1, 2, 3, 0], [2, 3, 0, 0], [0, 1, 1, 1], [0, 2, 2, 2]])
    np.testing.assert_allclose(edit_distances(words), [1 / 2.5, 3 / 1.5, 3 / 1.5, 2, 2, 0])
    np.testing.assert_allclose(edit_distances(words[2:], stop=None), [3 / 4])
    np.testing.assert_allclose(hamming_shares(np.array([[1, 2], [1, 3], [0, 0]])), [0.5, 1, 1])


def test_a_compositional_language_scores_one():
    recoded = np.random.default_rng(0).permuted(np.tile(np.arange(1, 5), (3, 1)), axis=1)
    messages = np.stack([recoded[i][MEANINGS[:, i]] for i in range(3)], 1)
    found = topographic_similarity(MEANINGS, messages, message_distance=lambda a, b: np.sum(a != b), permutations=QUICK)
    assert found.similarity == pytest.approx(1, abs=CLOSED)
    assert found.p_value == 1 / (QUICK + 1)
    padded = np.concatenate([messages, np.zeros((64, 1), int), np.random.default_rng(1).integers(0, 5, (64, 2))], 1)
    by_edits = topographic_similarity(MEANINGS, padded, permutations=QUICK)  # edits may shift, so it is nearly one
    assert 0.9 < by_edits.similarity <= 1
    assert by_edits == topographic_similarity(jnp.asarray(MEANINGS), jnp.asarray(messages), permutations=QUICK)


def test_one_attribute_said_in_one_number_scores_one():
    meanings = np.random.default_rng(2).uniform(size=(30, 1))
    found = topographic_similarity(
        meanings, 3 * meanings - 1, meaning_distance=lambda a, b: abs(a - b)[0], permutations=QUICK
    )
    assert found.similarity == pytest.approx(1, abs=CLOSED)


def test_it_is_spearmans_correlation_and_heeds_its_distances():
    rng = np.random.default_rng(3)
    meanings, messages = rng.integers(0, 3, (25, 4)), rng.normal(size=(25, 2, 2))

    def largest(a, b):
        return np.max(np.abs(a - b))

    pairs = list(itertools.combinations(range(25), 2))
    plain = [np.linalg.norm(messages[i] - messages[j]) for i, j in pairs]
    other = [largest(messages[i], messages[j]) for i, j in pairs]
    apart = [np.mean(meanings[i] != meanings[j]) for i, j in pairs]
    squared = [np.sum((meanings[i] - meanings[j]) ** 2) for i, j in pairs]
    found = topographic_similarity(meanings, messages, permutations=0)
    assert found.similarity == pytest.approx(spearmanr(apart, plain)[0], abs=CLOSED)
    found = topographic_similarity(meanings, messages, None, lambda a, b: np.sum((a - b) ** 2), largest, permutations=0)
    assert found.similarity == pytest.approx(spearmanr(squared, other)[0], abs=CLOSED)


def test_p_values_of_random_codes_are_uniform():
    rng = np.random.default_rng(4)
    found = [
        topographic_similarity(rng.integers(0, 3, (20, 3)), rng.integers(1, 4, (20, 3)), permutations=QUICK, seed=i)
        for i in range(100)
    ]
    p_values = np.array([f.p_value for f in found])
    three_errors = 3 * math.sqrt(1 / 12 / 100)
    assert abs(np.mean(p_values) - 0.5) < three_errors + 1 / QUICK
    assert np.mean(p_values <= 0.1) < 0.1 + 3 * math.sqrt(0.09 / 100)
    assert abs(np.mean([f.similarity for f in found])) < 0.05
    assert abs(np.mean([f.null_mean for f in found])) < 0.01


def test_a_constant_language_or_world_is_not_scored():
    constant = topographic_similarity(MEANINGS, np.tile([2, 1, 0], (64, 1)), permutations=QUICK)
    after_stop = np.concatenate([np.tile([[2, 0]], (64, 1)), MEANINGS], 1)  # they differ only where nobody hears
    world = topographic_similarity(MEANINGS * 0, MEANINGS, permutations=QUICK)
    for found in (constant, topographic_similarity(MEANINGS, after_stop, permutations=QUICK), world):
        assert all(math.isnan(number) for number in found[:3])
        assert found.used == 64


def test_a_sample_is_looked_at_where_there_are_many():
    many = np.repeat(MEANINGS, 20, 0)
    found = topographic_similarity(many, many + 1, at_most=40, permutations=QUICK)
    assert found.used == 40
    assert found == topographic_similarity(many, many + 1, at_most=40, permutations=QUICK)
    assert found != topographic_similarity(many, many + 1, at_most=40, permutations=QUICK, seed=1)
    assert found.p_value == 1 / (QUICK + 1)


@pytest.mark.parametrize("messages", [MEANINGS[:-1], MEANINGS[:0]])
def test_unpaired_messages_are_refused(messages):
    with pytest.raises(dcg.InputError, match="messages"):
        topographic_similarity(MEANINGS, messages)
    with pytest.raises(dcg.InputError, match="three or more"):
        topographic_similarity(MEANINGS[:2], MEANINGS[:2])
