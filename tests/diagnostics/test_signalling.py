import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

import dcg_econ as dcg
from dcg_econ.diagnostics.signalling import (
    causal_influence,
    mutual_information,
    positive_listening,
    positive_signalling,
    speaker_consistency,
)

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
FLOAT_SUM = 1e-15  # a few roundings of probabilities

few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**31 - 1)


def test_information_equals_scikit_learns():
    rng = np.random.default_rng(0)
    types = rng.integers(0, 4, 300)
    messages = (types + rng.integers(0, 2, 300)) % 4
    theirs = mutual_info_score(types, messages)
    found = positive_signalling(messages, types)
    assert found.nats == pytest.approx(theirs, abs=CLOSED)
    assert found.bits == pytest.approx(theirs / math.log(2), abs=CLOSED)
    counts = np.histogram2d(messages, types, bins=(4, 4))[0]
    assert float(mutual_information(jnp.asarray(counts))) == pytest.approx(theirs, abs=CLOSED)
    assert found.p_value == 1 / 200
    assert positive_signalling(jnp.asarray(messages), jnp.asarray(types)) == found


@few
@given(seeds)
def test_information_is_entropies_less_the_joint_one(seed):
    law = np.random.default_rng(seed).dirichlet(np.full(12, 0.3)).reshape(3, 4)
    expected = entropy(law.sum(0)) + entropy(law.sum(1)) - entropy(law.ravel())
    assert float(mutual_information(jnp.asarray(law))) == pytest.approx(expected, abs=CLOSED)
    assert float(mutual_information(jnp.asarray(law.T))) == pytest.approx(expected, abs=CLOSED)
    assert float(mutual_information(jnp.asarray(7 * law))) == pytest.approx(expected, abs=CLOSED)


@pytest.mark.slow
def test_naming_types_says_all_and_babbling_nothing():
    law = np.array([0.5, 0.3, 0.2])
    assert float(mutual_information(jnp.diag(jnp.asarray(law)))) == pytest.approx(entropy(law), abs=CLOSED)
    babble = jnp.asarray(np.outer([0.5, 0.0, 0.5], law))
    assert float(mutual_information(babble)) == pytest.approx(0, abs=FLOAT_SUM)
    slope = jax.grad(mutual_information)(jnp.asarray(np.outer([0.4, 0.6], law)))
    np.testing.assert_allclose(slope, 0, atol=CLOSED)  # it is least there


def test_shuffles_show_the_bias_of_few_samples():
    rng = np.random.default_rng(1)
    found = [positive_signalling(rng.integers(0, 4, 200), rng.integers(0, 4, 200), seed=i) for i in range(100)]
    bias = (4 - 1) ** 2 / (2 * 200)  # to first order (Miller 1955): half a chi-squared of 9, over n
    four_errors = 4 * math.sqrt(2 * 9 / 100) / (2 * 200)
    for mean in (np.mean([f.nats for f in found]), np.mean([f.null_nats for f in found])):
        assert mean == pytest.approx(bias, abs=four_errors)
    assert np.mean([f.net_nats for f in found]) < bias / 2  # half of the excesses are cut at zero
    assert 0.3 < np.mean([f.p_value for f in found]) < 0.7


def test_rows_are_values_and_what_follows_stop_is_not_one():
    types = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 25, 0)
    messages = types + 1
    assert positive_signalling(messages, types).nats == pytest.approx(math.log(4), abs=CLOSED)
    silent = np.concatenate([np.zeros((100, 1), int), messages], 1)
    assert positive_signalling(silent, types).nats == pytest.approx(math.log(4), abs=CLOSED)
    assert positive_signalling(silent, types, stop=0).nats == pytest.approx(0, abs=FLOAT_SUM)
    assert speaker_consistency(messages, types[:, 0]).nats == pytest.approx(math.log(2), abs=CLOSED)


def test_a_deaf_receiver_has_no_influence_and_an_echo_all_of_it():
    law = np.array([0.4, 0.3, 0.2, 0.1])
    deaf = np.tile([0.7, 0.1, 0.2], (4, 1))
    assert float(causal_influence(jnp.asarray(law), jnp.asarray(deaf))) == pytest.approx(0, abs=FLOAT_SUM)
    even = jnp.full((4, 4), 0.25)
    assert float(causal_influence(even[0], even)) == 0
    assert float(causal_influence(jnp.asarray(law), jnp.eye(4))) == pytest.approx(entropy(law), abs=CLOSED)


def test_messages_never_sent_have_no_influence():
    law = jnp.array([0.5, 0.5, 0.0])
    actions = jnp.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert float(causal_influence(law, actions)) == 0


@few
@given(seeds)
def test_influence_is_mutual_information_under_the_intervention(seed):
    rng = np.random.default_rng(seed)
    law, actions = rng.dirichlet(np.ones(3)), rng.dirichlet(np.full(4, 0.5), 3)
    expected = float(mutual_information(jnp.asarray(law[:, None] * actions)))
    found = float(causal_influence(jnp.asarray(law), jnp.asarray(actions)))
    assert found == pytest.approx(expected, abs=CLOSED)
    assert -FLOAT_SUM <= found <= entropy(law) + CLOSED


def test_situations_are_averaged_with_vmap():
    laws, actions = jnp.full((2, 2), 0.5), jnp.stack([jnp.eye(2), jnp.full((2, 2), 0.5)])
    np.testing.assert_allclose(jax.vmap(causal_influence)(laws, actions), [math.log(2), 0], atol=CLOSED)


def test_listening_is_total_variation():
    silence = jnp.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    assert float(positive_listening(silence, silence)) == 0
    heard = jnp.array([[0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])
    assert float(positive_listening(heard, silence)) == 0.5
    assert float(positive_listening(heard[0], silence[0])) == 1
    shifted = jnp.array([[0.6, 0.4, 0.0], [0.2, 0.5, 0.3]])
    assert float(positive_listening(shifted, silence)) == pytest.approx((0.1 + 0.2) / 2, abs=CLOSED)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("joint", lambda: mutual_information(jnp.zeros((2, 2)))),
        ("joint", lambda: mutual_information(jnp.array([[1.0, -1.0]]))),
        ("messages", lambda: causal_influence(jnp.array([0.5, 0.6]), jnp.eye(2))),
        ("actions", lambda: causal_influence(jnp.array([0.5, 0.5]), 2 * jnp.eye(2))),
        ("heard", lambda: positive_listening(jnp.array([0.5, 0.6]), jnp.array([0.5, 0.5]))),
        ("silence", lambda: positive_listening(jnp.array([0.5, 0.5]), jnp.array([1.5, -0.5]))),
        ("messages", lambda: positive_signalling(np.zeros(3), np.zeros(4))),
        ("messages", lambda: positive_signalling(np.zeros(0), np.zeros(0))),
    ],
)
def test_what_is_no_law_is_refused(field, call):
    with pytest.raises(dcg.InputError, match=field):
        call()
