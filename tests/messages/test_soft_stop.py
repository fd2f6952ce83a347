import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dcg_econ as dcg
from dcg_econ.messages.soft_stop import alive, expected_length, hard_stop, stopping

ROUNDING = 1e-14  # sums of a dozen products of numbers in [0, 1], in x64
SLOPE = (
    1e-8  # central differences of a multilinear function are exact: rounding 1e-16 over a step of 1e-6, and to spare
)
STEP = 1e-6
LENGTH = 6  # one length, so that hypothesis does not compile anew

probabilities = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1))
hazards = st.lists(probabilities, min_size=LENGTH, max_size=LENGTH).map(np.asarray)
many = settings(max_examples=30, deadline=None)


@many
@given(hazards)
def test_weights_are_a_law_and_lengths_agree_with_it(h):
    weights = stopping(jnp.asarray(h))
    assert float(jnp.min(weights)) >= 0
    assert float(jnp.sum(weights)) == pytest.approx(1, abs=ROUNDING)
    said = 1 - np.concatenate([[0], np.cumsum(weights)[:-1]])
    np.testing.assert_allclose(alive(weights), said, atol=ROUNDING)
    assert float(jnp.sum(alive(weights))) == pytest.approx(float(expected_length(weights)), abs=LENGTH * ROUNDING)
    assert 1 - ROUNDING <= float(expected_length(weights)) <= LENGTH + LENGTH * ROUNDING


@jax.jit
def worth_slopes(h):
    """The gradient of a random sum of weights, and central differences; traced, so that a step past 0 or 1 is let by."""
    values, bumps = jax.random.normal(jax.random.key(0), (LENGTH,)), STEP * jnp.eye(LENGTH)

    def worth(x):
        return stopping(x) @ values

    return jax.grad(worth)(h), jax.vmap(lambda b: worth(h + b) - worth(h - b))(bumps) / (2 * STEP)


@many
@given(hazards)
def test_gradients_are_finite_and_right_where_hazards_are_nought_or_one(h):
    slope, central = worth_slopes(jnp.asarray(h))
    assert np.all(np.isfinite(slope))
    np.testing.assert_allclose(slope, central, atol=SLOPE)
    assert float(slope[-1]) == 0


def test_constant_hazards_are_the_geometric_law_cut_off():
    h, t = 0.3, np.arange(LENGTH)
    expected = h * (1 - h) ** t
    expected[-1] = (1 - h) ** (LENGTH - 1)
    weights = stopping(jnp.full(LENGTH, h))
    np.testing.assert_allclose(weights, expected, atol=ROUNDING)
    closed = (1 - (1 - h) ** LENGTH) / h  # E min(T, L) of a geometric T
    assert float(expected_length(weights)) == pytest.approx(closed, abs=ROUNDING * LENGTH)


def test_weights_are_how_often_a_speaker_stops():
    h = np.array([0.1, 0.6, 0.0, 0.5, 0.9, 0.2])
    stops = np.random.default_rng(3).uniform(size=(40_000, LENGTH)) < h
    stops[:, -1] = True
    shares = np.bincount(np.argmax(stops, 1), minlength=LENGTH) / len(stops)
    four_errors = 4 * np.sqrt(0.25 / len(stops))
    np.testing.assert_allclose(stopping(jnp.asarray(h)), shares, atol=four_errors)


@pytest.mark.parametrize(
    ("h", "last"), [([0.2, 0.5, 0.9], 1), ([0.2, 0.4, 0.1], 2), ([1.0, 1.0, 1.0], 0), ([0.49, 0.0, 0.9], 2), ([0.1], 0)]
)
def test_the_hard_stop_is_at_the_first_half_or_at_the_end(h, last):
    np.testing.assert_array_equal(hard_stop(jnp.asarray(h)), np.eye(len(h))[last])


@many
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=LENGTH, max_size=LENGTH))
def test_soft_and_hard_agree_where_the_speaker_is_certain(h):
    np.testing.assert_array_equal(stopping(jnp.asarray(h)), hard_stop(jnp.asarray(h)))


@pytest.mark.parametrize("h", [[0.2, 1.1], [-0.1, 0.3], [jnp.nan, 0.3], []])
def test_what_is_no_probability_is_refused(h):
    for rule in (stopping, hard_stop):
        with pytest.raises(dcg.InputError, match="hazards"):
            rule(jnp.asarray(h, float))
