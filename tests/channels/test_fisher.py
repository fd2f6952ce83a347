import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

import dcg_econ as dcg
from dcg_econ.channels.fisher import effective_rank, fisher_information, gaussian_information

CLOSED = 1e-12  # closed forms of a few dozen operations in x64
CHAINED = 1e-9  # the same behind an inverse or eigenvalues, conditioned below 1e3
SLOPE = 1e-6  # central differences: h^2 and rounding / h, at h = 1e-5, times curvatures of some tens
STEP = 1e-5
DIM = 4

seeds = settings(max_examples=15, deadline=None)
seed = st.integers(0, 2**31 - 1)


def listener(key, actions, size):
    one, two = jax.random.split(jax.random.key(key))
    first, second = jax.random.normal(one, (8, size)), jax.random.normal(two, (actions, 8))
    return lambda m: second @ jnp.tanh(first @ m.ravel())


def fisher(policy, m):
    return jax.jit(lambda x: fisher_information(policy, x))(m)


def positive(rng, rank=DIM):
    root = rng.normal(size=(DIM, rank))
    return root @ root.T


def divergence(policy, m, d):
    p, q = jax.nn.log_softmax(policy(m)), jax.nn.log_softmax(policy(m + d))
    return float(jnp.sum(jnp.exp(p) * (p - q)))


def test_divergence_is_half_the_quadratic_form_to_second_order():
    policy = jax.jit(listener(0, 5, DIM))
    m, d = jax.random.normal(jax.random.key(1), (2, 2)), 0.05 * jax.random.normal(jax.random.key(2), (2, 2))
    information = fisher(policy, m)
    assert information.shape == (DIM, DIM)
    errors = []
    for share in (1.0, 0.5, 0.25):
        step = (share * d).ravel()
        errors.append(divergence(policy, m, share * d) - float(step @ information @ step) / 2)
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 8, rtol=0.15)  # third order; the fourth's share is of the size of d


def test_two_actions_are_logistic():
    weight, m = jnp.array([0.7, -1.3, 0.4]), jnp.array([0.2, 0.1, -0.5])
    information = fisher(lambda x: jnp.stack([weight @ x, jnp.zeros(())]), m)
    p = float(jax.nn.sigmoid(weight @ m))
    np.testing.assert_allclose(information, p * (1 - p) * np.outer(weight, weight), atol=CLOSED)


@pytest.mark.parametrize("actions", [2, 4])
def test_rank_is_at_most_the_actions_less_one(actions):
    information = fisher(listener(actions, actions, DIM), jnp.linspace(-1, 1, DIM))
    values = np.linalg.eigvalsh(information)
    assert values[0] > -CLOSED * values[-1]
    assert np.sum(values > CHAINED * values[-1]) == actions - 1
    assert 1 <= float(effective_rank(information)) <= actions - 1 + CHAINED


def test_it_is_the_expected_square_of_the_score():
    policy, m = listener(3, 4, DIM), jnp.linspace(-0.5, 1, DIM)
    scores = jax.jit(jax.jacfwd(lambda x: jax.nn.log_softmax(policy(x))))(m)
    expected = jnp.einsum("a,ai,aj->ij", jax.nn.softmax(policy(m)), scores, scores)
    np.testing.assert_allclose(fisher(policy, m), expected, atol=CLOSED)


def test_forbidden_actions_and_common_shifts_do_not_count():
    policy, m = listener(4, 3, DIM), jnp.linspace(-0.5, 1, DIM)
    plain = fisher(policy, m)
    masked = fisher(lambda x: jnp.append(policy(x), -jnp.inf), m)
    shifted = fisher(lambda x: policy(x) + jnp.sum(x**3), m)
    np.testing.assert_allclose(masked, plain, atol=CLOSED)
    np.testing.assert_allclose(shifted, plain, atol=CLOSED)
    slope = jax.jit(jax.grad(lambda x: jnp.trace(fisher_information(lambda y: jnp.append(policy(y), -jnp.inf), x))))(m)
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("rank", [1, DIM])
def test_gaussian_information_is_that_of_a_linear_gaussian_listener(rank):
    # y = R m + N(0, I): I(m; y) = H(y) - H(noise).
    rng = np.random.default_rng(5)
    covariance, response = positive(rng, rank), rng.normal(size=(2, DIM))
    heard = np.eye(2) + response @ covariance @ response.T
    closed = multivariate_normal(cov=heard).entropy() - multivariate_normal(cov=np.eye(2)).entropy()
    found = gaussian_information(jnp.asarray(response.T @ response), jnp.asarray(covariance))
    assert float(found) == pytest.approx(closed, abs=CHAINED)


@seeds
@given(seed)
def test_units_of_the_message_do_not_matter(number):
    rng = np.random.default_rng(number)
    information, covariance = positive(rng, 2), positive(rng)
    change = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0] * rng.uniform(0.3, 3, DIM)
    back = np.linalg.inv(change)
    plain = gaussian_information(jnp.asarray(information), jnp.asarray(covariance))
    moved = gaussian_information(jnp.asarray(back.T @ information @ back), jnp.asarray(change @ covariance @ change.T))
    assert float(moved) == pytest.approx(float(plain), rel=CHAINED)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    rank = effective_rank(jnp.asarray(information))
    turned = effective_rank(jnp.asarray(rng.uniform(1e-3, 1e3) * turn @ information @ turn.T))
    assert float(turned) == pytest.approx(float(rank), rel=CHAINED)


def test_a_little_information_is_half_the_trace():
    rng = np.random.default_rng(6)
    information, covariance = 1e-20 * positive(rng), positive(rng)
    found = gaussian_information(jnp.asarray(information), jnp.asarray(covariance))
    assert float(found) == pytest.approx(np.trace(covariance @ information) / 2, rel=CHAINED)


def test_a_listener_that_does_not_listen_scores_nought():
    rng = np.random.default_rng(7)
    nothing, covariance = jnp.zeros((DIM, DIM)), jnp.asarray(positive(rng))
    assert float(gaussian_information(nothing, covariance)) == 0
    slope = jax.jit(jax.grad(gaussian_information))(nothing, covariance)
    np.testing.assert_allclose(slope, covariance / 2, atol=CLOSED)
    assert float(effective_rank(nothing)) == 0
    np.testing.assert_array_equal(jax.jit(jax.grad(effective_rank))(nothing), 0)


@pytest.mark.parametrize(
    ("values", "rank"), [([3.0, 3.0, 0.0, 0.0], 2), ([1.0, 1.0, 1.0, 1.0], 4), ([5.0, 0, 0, 0], 1)]
)
def test_equal_eigenvalues_count_one_each(values, rank):
    assert float(effective_rank(jnp.diag(jnp.asarray(values)))) == pytest.approx(rank, abs=CHAINED)


def penalties(kind):
    rng = np.random.default_rng(8)
    factor, other = rng.normal(size=(2, 3, DIM))
    covariance = {"full": positive(rng), "singular": positive(rng, 2), "repeated": np.eye(DIM)}[kind]
    toward = positive(rng, 1)

    @jax.jit
    def information(t):
        root = jnp.asarray(factor + t * other)
        return gaussian_information(root.T @ root, jnp.asarray(covariance) + t**2 * jnp.asarray(toward))

    @jax.jit
    def rank(t):
        root = jnp.asarray(factor + t * other)
        return effective_rank(root.T @ root)

    return information, rank


@pytest.mark.parametrize("kind", ["full", "singular", "repeated"])
def test_slopes_of_the_penalties_equal_central_differences(kind):
    for penalty in penalties(kind):
        at = 0.2
        central = (penalty(at + STEP) - penalty(at - STEP)) / (2 * STEP)
        assert abs(float(central)) > 100 * SLOPE
        assert float(jax.jit(jax.grad(penalty))(at)) == pytest.approx(float(central), abs=SLOPE)


def test_second_slopes_of_the_information_equal_central_differences():
    information, _ = penalties("repeated")
    slope = jax.jit(jax.grad(information))
    central = (slope(0.2 + STEP) - slope(0.2 - STEP)) / (2 * STEP)
    assert float(jax.jit(jax.grad(slope))(0.2)) == pytest.approx(float(central), abs=SLOPE)


def test_a_message_can_be_penalised_end_to_end():
    policy, m = listener(9, 4, DIM), jnp.linspace(-0.5, 1, DIM)
    covariance = jnp.eye(DIM)
    for penalty in (effective_rank, lambda f: gaussian_information(f, covariance)):
        whole = jax.jit(lambda x, penalty=penalty: penalty(fisher_information(policy, x)))
        bump = STEP * jnp.eye(DIM)[1]
        central = (whole(m + bump) - whole(m - bump)) / (2 * STEP)
        assert float(jax.jit(jax.grad(whole))(m)[1]) == pytest.approx(float(central), abs=SLOPE)


@pytest.mark.parametrize("bad", [[[1.0, 0.5], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[jnp.nan, 0.0], [0.0, 1.0]]])
def test_what_is_no_covariance_is_refused(bad):
    with pytest.raises(dcg.InputError, match="covariance"):
        gaussian_information(jnp.eye(2), jnp.asarray(bad))
