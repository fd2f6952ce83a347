import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.cluster.vq import vq
from sklearn.cluster import KMeans

import dcg_econ as dcg
from dcg_econ.channels import Chain
from dcg_econ.channels.quantiser import (
    ProductQuantiser,
    VectorQuantiser,
    fit_codebook,
    fit_codebooks,
    quantised_scores,
    usage,
)

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
KEY = jax.random.key(0)
BOOK = jnp.asarray(np.random.default_rng(1).normal(size=(5, 2)))
MESSAGE = jnp.asarray(np.random.default_rng(2).normal(size=(4, 3, 2)))


def test_the_nearest_word_is_received_exactly():
    channel = VectorQuantiser(BOOK)
    received, _ = channel(MESSAGE, KEY)
    codes, _ = vq(np.asarray(MESSAGE).reshape(-1, 2), np.asarray(BOOK))
    np.testing.assert_array_equal(channel.codes(MESSAGE).ravel(), codes)
    np.testing.assert_array_equal(received.reshape(-1, 2), np.asarray(BOOK)[codes])
    again, info = channel(received, KEY)
    np.testing.assert_array_equal(again, received)
    assert float(info.penalty) == 0


def test_costs_are_log_of_the_words_a_vector():
    _, info = VectorQuantiser(BOOK)(MESSAGE, KEY)
    assert float(info.nats) == pytest.approx(12 * np.log(5), abs=CLOSED)
    assert float(info.length) == 12
    assert info.log_prob is None and info.entropy is None
    assert float(VectorQuantiser(BOOK[:1])(MESSAGE, KEY)[1].nats) == 0
    both = Chain(VectorQuantiser(BOOK), VectorQuantiser(BOOK))
    assert float(both(MESSAGE, KEY)[1].nats) == pytest.approx(24 * np.log(5), abs=CLOSED)
    assert not both.pathwise and not both.likely


def test_gradients_go_straight_through_and_never_to_the_codebook():
    weight = jnp.arange(24.0).reshape(MESSAGE.shape)

    def worth(channel, message):
        return jnp.sum(weight * channel(message, KEY)[0] ** 2)

    channel = VectorQuantiser(BOOK)
    to_message = jax.grad(worth, 1)(channel, MESSAGE)
    np.testing.assert_allclose(to_message, 2 * weight * channel(MESSAGE, KEY)[0], atol=CLOSED)
    np.testing.assert_array_equal(jax.grad(worth)(channel, MESSAGE).codebook, 0)


@pytest.mark.parametrize("commitment", [0.25, 0, 2.0])
def test_the_penalty_moves_words_to_messages_and_messages_to_words(commitment):
    channel = VectorQuantiser(BOOK, commitment)
    z, codes = np.asarray(MESSAGE).reshape(-1, 2), np.asarray(channel.codes(MESSAGE)).ravel()
    away = z - np.asarray(BOOK)[codes]
    value, (to_channel, to_message) = jax.value_and_grad(lambda c, m: c(m, KEY)[1].penalty, (0, 1))(channel, MESSAGE)
    assert float(value) == pytest.approx((1 + commitment) * np.sum(away**2), rel=CLOSED)
    np.testing.assert_allclose(to_message.reshape(-1, 2), 2 * commitment * away, atol=CLOSED)
    expected = np.zeros_like(BOOK)
    np.add.at(expected, codes, -2 * away)
    np.testing.assert_allclose(to_channel.codebook, expected, atol=CLOSED)


def test_a_product_quantiser_is_a_quantiser_a_position():
    books = jnp.stack([BOOK, BOOK[::-1] * 2, BOOK + 1])
    product = ProductQuantiser(books)
    received, info = product(MESSAGE, KEY)
    parts = [VectorQuantiser(book)(MESSAGE[:, i], KEY) for i, book in enumerate(books)]
    np.testing.assert_array_equal(received, jnp.stack([part[0] for part in parts], 1))
    for name in ("nats", "length", "penalty"):
        assert float(getattr(info, name)) == pytest.approx(sum(float(getattr(p[1], name)) for p in parts), rel=CLOSED)
    single, _ = product(MESSAGE[0], KEY)
    np.testing.assert_array_equal(single, received[0])
    assert not product.pathwise and not product.likely


def test_usage_of_a_law_in_closed_form():
    even = usage(jnp.array([[0, 1], [2, 3]]), 4)
    assert (float(even.perplexity), float(even.dead)) == (pytest.approx(4, abs=CLOSED), 0)
    one = usage(jnp.full((2, 2), 2), 4)
    assert (float(one.perplexity), float(one.dead)) == (1, 0.75)
    skewed = usage(jnp.array([[0, 0], [0, 2]]), 4)
    assert float(skewed.perplexity) == pytest.approx(4 / 3**0.75, abs=CLOSED)
    for codes in (jnp.array([0, 4]), jnp.array([-1]), jnp.array([], int)):
        with pytest.raises(dcg.InputError, match="codes"):
            usage(codes, 4)


def blobs(rng, n):
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]])
    kinds = rng.integers(0, 4, n)
    return jnp.asarray(centres[kinds] + 0.1 * rng.normal(size=(n, 2))), kinds


@pytest.fixture(scope="module")
def train():
    return blobs(np.random.default_rng(3), 200)


def distortion(quantiser, messages):
    return float(jnp.sum((quantiser(messages, KEY)[0] - messages) ** 2))


def test_clusters_are_found_and_k_means_is_no_worse_than_scikit_learns(train):
    messages, kinds = train
    quantiser = fit_codebook(messages, 4, KEY)
    means = np.array([np.mean(np.asarray(messages)[kinds == k], 0) for k in range(4)])
    order = np.lexsort(np.asarray(quantiser.codebook).round(0).T[::-1])
    np.testing.assert_allclose(
        np.asarray(quantiser.codebook)[order], means[np.lexsort(means.round(0).T[::-1])], atol=CLOSED
    )
    theirs = KMeans(7, n_init=10, random_state=0).fit(messages).inertia_
    some_percent = 1.1  # both stop at local optima, theirs is the best of ten starts
    assert distortion(fit_codebook(messages, 7, KEY), messages) <= some_percent * theirs


def test_a_fit_is_a_function_of_its_key(train):
    messages, _ = train
    one, same, other = (fit_codebook(messages, 6, jax.random.key(k)).codebook for k in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.any(np.asarray(one) != np.asarray(other))


def test_words_beyond_the_distinct_messages_are_dead():
    messages = jnp.repeat(jnp.array([[0.0], [1.0], [3.0]]), 5, 0)
    quantiser = fit_codebook(messages, 5, KEY)
    assert quantiser.codebook.shape == (5, 1)
    np.testing.assert_array_equal(quantiser(messages, KEY)[0], messages)
    used = usage(quantiser.codes(messages), 5)
    assert (float(used.perplexity), float(used.dead)) == (pytest.approx(3, abs=CLOSED), pytest.approx(0.4))


def test_a_discrete_language_needs_its_own_number_of_words(train):
    held_out, kinds = blobs(np.random.default_rng(4), 100)

    def score(received):  # the share of held-out types a listener of nearest corners recovers
        return float(np.mean((np.asarray(received[:, 0]) > 2.5) + 2 * (np.asarray(received[:, 1]) > 2.5) == kinds))

    curve = dict(quantised_scores(score, train[0], held_out, [1, 2, 4, 8], KEY))
    assert list(curve) == [1, 2, 4, 8]
    assert curve[1] < curve[2] < curve[4] == curve[8] == 1


def test_two_positions_need_the_root_of_the_words():
    rng = np.random.default_rng(5)
    bits = [jnp.asarray(rng.integers(0, 2, (n, 2, 1)).astype(float)) for n in (60, 40)]
    for count, expected in quantised_scores(lambda r: -float(jnp.mean((r - bits[1]) ** 2)), *bits, [1, 2], KEY):
        assert (expected == 0) == (count == 2)
    joint = fit_codebooks(bits[0], 2, KEY)
    np.testing.assert_array_equal(joint(bits[1], KEY)[0], bits[1])


def test_scores_are_of_held_out_messages_and_not_of_the_training_ones(train):
    seen = []
    quantised_scores(lambda received: seen.append(received) or 0.0, train[0], train[0][:7] + 100, [3], KEY)
    assert seen[0].shape == (7, 2)
    assert float(jnp.max(seen[0])) < 10  # in words fitted elsewhere


def test_messages_of_one_axis_are_refused():
    with pytest.raises(dcg.InputError, match="training_messages"):
        quantised_scores(lambda r: 0.0, jnp.zeros(5), jnp.zeros(5), [1], KEY)


@pytest.mark.parametrize(
    ("words", "problem"), [(0, "one word or more"), (-2, "one word"), (11, "more messages or fewer")]
)
def test_what_cannot_be_fitted_is_refused_with_a_remedy(words, problem):
    messages = jnp.zeros((10, 2))
    with pytest.raises(dcg.InputError, match=problem):
        fit_codebook(messages, words, KEY)
    with pytest.raises(dcg.InputError, match=problem):
        fit_codebooks(messages[:, None], words, KEY)
    with pytest.raises(dcg.InputError, match=problem):
        quantised_scores(lambda r: 0.0, messages, messages, [2, words], KEY)
    with pytest.raises(dcg.InputError, match="messages: not a finite"):
        fit_codebook(messages.at[0, 0].set(jnp.nan), 2, KEY)
