import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.channels import Chain
from dcg_econ.diagnostics.null_channels import ConstantMessage, Zeroed, shuffled

KEY = jax.random.key(0)
NULLS = [Zeroed(), ConstantMessage(jnp.array([3.0, -1.0])), ConstantMessage(2.5)]


@pytest.mark.parametrize("channel", NULLS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.int32])
def test_what_is_received_says_nothing_of_what_was_sent(channel, dtype):
    messages = jnp.asarray(np.random.default_rng(0).integers(0, 9, (2, 3, 2)), dtype)
    received, infos = zip(*(channel(m, KEY) for m in messages), strict=True)
    np.testing.assert_array_equal(*received)
    assert received[0].dtype == dtype and received[0].shape == (3, 2)
    for info in infos:
        assert [float(x) for x in jax.tree.leaves(info)] == [0] * 5


def test_what_is_received_is_what_was_asked_for():
    message = jax.random.normal(KEY, (3, 2))
    np.testing.assert_array_equal(NULLS[0](message, KEY)[0], 0)
    np.testing.assert_array_equal(NULLS[1](message, KEY)[0], np.tile([3, -1], (3, 1)))
    np.testing.assert_array_equal(NULLS[2](message, KEY)[0], 2.5)


@pytest.mark.parametrize("channel", NULLS)
def test_nothing_is_learned_through_them(channel):
    slopes = jax.grad(lambda c, m: jnp.sum(c(m, KEY)[0] ** 2), (0, 1))(channel, jnp.ones((3, 2)))
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(slopes))


def test_they_fit_into_a_chain():
    chain = Chain(*NULLS)
    received, info = chain(jnp.ones((3, 2)), KEY)
    np.testing.assert_array_equal(received, 2.5)
    assert chain.pathwise and chain.likely
    assert float(info.log_prob) == 0


@pytest.mark.parametrize("n", [2, 3, 10])
def test_nobody_hears_its_own_episode(n):
    dealt = np.asarray(jax.vmap(lambda key: shuffled(jnp.arange(n), key))(jax.random.split(KEY, 50)))
    assert np.all(dealt != np.arange(n))
    np.testing.assert_array_equal(np.sort(dealt), np.tile(np.arange(n), (50, 1)))


def test_everybody_else_is_as_likely():
    dealt = np.asarray(jax.jit(jax.vmap(lambda k: shuffled(jnp.arange(4), k)))(jax.random.split(KEY, 3000)))
    shares = np.stack([np.mean(dealt == source, 0) for source in range(4)])
    four_errors = 4 * np.sqrt(2 / 9 / 3000)
    np.testing.assert_allclose(shares, (1 - np.eye(4)) / 3, atol=four_errors)


def test_all_leaves_move_together():
    messages = {"tokens": jnp.arange(5), "spoken": jnp.arange(5.0)[:, None, None] * jnp.ones((5, 2, 3))}
    dealt = shuffled(messages, KEY)
    np.testing.assert_array_equal(dealt["spoken"], dealt["tokens"][:, None, None] * np.ones((1, 2, 3)))


@pytest.mark.parametrize("messages", [jnp.ones((1, 3)), (jnp.ones(3), jnp.ones(4)), ()])
def test_too_few_episodes_are_refused(messages):
    with pytest.raises(dcg.InputError, match="two episodes or more"):
        shuffled(messages, KEY)
