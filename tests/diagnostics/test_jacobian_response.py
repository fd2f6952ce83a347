"""Responses to messages. Oracles: central differences of plays with one message set by hand; linear listeners' matrices."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.bids import Sides
from dcg_econ.diagnostics.jacobian_response import Action, Chances, Policy, jacobian_response, own_part
from dcg_econ.diagnostics.null_channels import Zeroed, shuffled
from dcg_econ.learning.talk import through
from dcg_econ.mechanisms import Reconstruction
from tests.learning.talking import GAME, bargainers

KEY = jax.random.key(4)
EPISODES, STEP = 5, 1e-5
NEAR = dict(rtol=1e-5, atol=1e-9)  # central differences in x64: h^2 in the third derivative, rounding over h
CLOSED = 1e-12
NOISY = dcg.Continuous(1, 2, through=dcg.GaussianNoise(0.3))
ONCE, TWICE = dcg.Protocol(NOISY), dcg.Protocol(NOISY, turns=2)
PAIR = dict(sender="buyer", receiver="seller", episodes=EPISODES, key=KEY)
MATRIX = np.array(
    [[1.0, 2.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, 4.0, 0.0]]
)  # of rank one, blind to the third
TASK, TOLD = Reconstruction(2, 2), dcg.Continuous(1, 3, through=dcg.GaussianNoise(0.2))
TELL = dcg.Protocol(TOLD, speakers=("sender",))
TO_HIM = dict(sender="sender", receiver="receiver", episodes=16, key=KEY)


class Linear(eqx.Module):
    """Logits that are linear in what is heard."""

    matrix: jax.Array

    def __call__(self, seen, heard):
        return self.matrix @ heard


def three(seen):
    return seen[:3]


def linear(matrix, language=TOLD):
    """A sender that says three of the four numbers it sees, and a receiver with this matrix (A, 3)."""
    return dcg.SenderReceiver(three, Linear(jnp.asarray(matrix)), language.heard)


def asks(protocol, population, end, pinned=None):
    """The seller's ask in every episode when the buyer's first message is nudged, at the given end of the channel.

    `pinned` (E, N, H): what comes through in the second turn, whatever is said.
    """
    keys = jax.random.split(KEY, EPISODES)

    @jax.jit
    def asked(nudge):
        def one(key, later):
            def hear(turn, raw, keys):
                first = turn == 0
                moved = raw.at[0].add(nudge) if first and end == "sent" else raw
                came, info = through(protocol.language)(turn, moved, keys)
                came = came.at[0].add(nudge) if first and end == "received" else came
                return (came if first or later is None else later), info

            return dcg.play(GAME, population, protocol, key=key, hear=hear)

        played = jax.vmap(one)(keys, pinned)
        return played.reports.asks, played.talk.received

    return asked


def central(function, size):
    columns = [(function(STEP * e)[0] - function(-STEP * e)[0]) / (2 * STEP) for e in jnp.eye(size)]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("end", ["received", "sent"])
@pytest.mark.parametrize(
    "protocol", [pytest.param(ONCE, id="one turn", marks=pytest.mark.slow), pytest.param(TWICE, id="two turns")]
)
def test_responses_equal_central_differences(protocol, end):
    population = bargainers(protocol)
    found = jacobian_response(GAME, population, protocol, sent=end == "sent", **PAIR)
    want = central(asks(protocol, population, end), 2)
    assert found.by_episode.shape == (EPISODES, 1, 2) and np.abs(want).min() > 1e-4
    np.testing.assert_allclose(found.by_episode, want, **NEAR)
    np.testing.assert_allclose(found.mean, want.mean(0), **NEAR)
    np.testing.assert_allclose(found.scaled, want * found.spread, **NEAR)


def test_what_is_answered_in_later_turns_counts():
    population = bargainers(TWICE)
    _, received = asks(TWICE, population, "received")(jnp.zeros(2))
    direct = central(asks(TWICE, population, "received", pinned=received[:, 1]), 2)
    total = jacobian_response(GAME, population, TWICE, **PAIR).by_episode
    assert np.abs(total - direct).max() > 0.05 * np.abs(total).max()


def test_null_channels_pass_no_derivative_of_what_is_sent():
    population = bargainers(ONCE)
    for null in (Zeroed(), shuffled):
        sent = jacobian_response(GAME, population, ONCE, sent=True, null=null, **PAIR)
        np.testing.assert_array_equal(sent.by_episode, 0)
        assert (sent.rank, sent.effective_rank) == (0, 0) and np.all(sent.singular_values == 0)
        assert np.all(sent.spread > 0)
    heard = jacobian_response(GAME, population, ONCE, null=Zeroed(), **PAIR)
    assert np.abs(heard.by_episode).min() > 0 and np.all(heard.scaled == 0)  # it would listen, but hears one thing only


@pytest.mark.slow
def test_a_shuffled_ear_answers_somebody_elses_words():
    found = jacobian_response(TASK, linear(MATRIX), TELL, of=Chances(2), null=shuffled, **TO_HIM)
    own = jacobian_response(TASK, linear(MATRIX), TELL, of=Chances(2), **TO_HIM)
    assert np.abs(found.by_episode - own.by_episode).max() > 0.01
    np.testing.assert_allclose(np.sort(found.by_episode, 0), np.sort(own.by_episode, 0), atol=CLOSED)


def test_a_linear_listener_shows_its_matrix_in_both_modes():
    for matrix in (MATRIX, MATRIX[:2]):  # more numbers than the message has, and fewer
        found = jacobian_response(TASK, linear(matrix), TELL, of=Policy(), **TO_HIM)
        np.testing.assert_allclose(found.by_episode, np.broadcast_to(matrix, (16, *matrix.shape)), atol=CLOSED)
        _, values, directions = np.linalg.svd(matrix * found.spread)
        np.testing.assert_allclose(found.singular_values[0], values[0], rtol=1e-12)
        np.testing.assert_allclose(found.directions[0], np.abs(directions[0]), atol=CLOSED)
        assert found.rank == 1 and found.effective_rank == pytest.approx(1, abs=CLOSED)
        assert found.directions.shape == (3, 3) and found.singular_values.shape == (3,)


def test_ranks_of_even_listening():
    spread = jacobian_response(TASK, linear(np.eye(3)), TELL, of=Policy(), **TO_HIM).spread
    found = jacobian_response(TASK, linear(np.diag(1 / spread)), TELL, of=Policy(), **TO_HIM)
    np.testing.assert_allclose(found.singular_values, 1, atol=CLOSED)
    assert found.rank == 3 and found.effective_rank == pytest.approx(3)
    faint = linear(np.diag([1.0, 1e-3, 1e-5] / spread))
    ranks = [jacobian_response(TASK, faint, TELL, of=Policy(), tolerance=t, **TO_HIM).rank for t in (1e-2, 1e-4, 1e-6)]
    assert ranks == [1, 2, 3]


@pytest.mark.slow
def test_chances_are_the_softmax_of_each_choice():
    found = jacobian_response(TASK, linear(MATRIX), TELL, of=Chances(2), sent=True, **TO_HIM)
    seen = jax.vmap(lambda k: TASK.known(TASK.sample_types(k)).sender)(jax.random.split(KEY, 16))
    plays = jax.jit(jax.vmap(lambda k: dcg.play(TASK, linear(MATRIX), TELL, key=k)))(jax.random.split(KEY, 16))
    p = np.asarray(jax.nn.softmax(plays.reports[0], axis=-1))  # (16, 2, 2)
    inner = (p[..., :, None] * (np.eye(2) - p[..., None, :])) @ MATRIX.reshape(2, 2, 3)
    want = inner.reshape(16, 4, 3) * (1 / np.cosh(np.asarray(seen[:, None, :3])) ** 2)  # through the limit's tanh
    np.testing.assert_allclose(found.by_episode, want, atol=CLOSED)


def test_words_are_differentiated_at_what_is_heard_and_refused_where_they_are_drawn():
    chat = dcg.Chat(3)
    protocol = dcg.Protocol(chat, speakers=("sender",))
    found = jacobian_response(TASK, linear(MATRIX, chat), protocol, of=Policy(), **TO_HIM)
    np.testing.assert_allclose(found.mean, MATRIX, atol=CLOSED)
    with pytest.raises(dcg.InputError, match=r"^protocol: .* Chat says symbols.*relaxed"):
        jacobian_response(TASK, linear(MATRIX, chat), protocol, sent=True, **TO_HIM)
    with pytest.raises(dcg.InputError, match=r"^protocol: what is said after turn 0"):
        jacobian_response(TASK, linear(MATRIX, chat), dcg.Protocol(chat, turns=2), **TO_HIM)


def test_a_players_own_numbers_are_found():
    x = jnp.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(own_part(x, 1, 3), [2, 3])
    np.testing.assert_array_equal(own_part((x[:, 0], x[:, 1]), 2, 3), [4, 5])
    np.testing.assert_array_equal(own_part(Sides(x[:1, 0], x[1:, 0]), 2, 3), [4])
    np.testing.assert_array_equal(own_part((jnp.ones(2), jnp.zeros((1, 0))), 0, 2), [1, 1])
    np.testing.assert_array_equal(own_part({"knots": jnp.ones(7), "values": x}, 0, 3), [0, 1])
    assert own_part(jnp.ones(7), 0, 3) is None and own_part(None, 0, 3) is None


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("sender", dict(sender="nobody")),
        ("receiver", dict(receiver="nobody")),
        ("receiver", dict(protocol=dcg.Protocol(NOISY, private=True))),
        ("sender", dict(protocol=dcg.Protocol(NOISY, speakers=("seller",)))),
        ("turn", dict(turn=1)),
        ("turn", dict(turn=-1)),
        ("turn", dict(turn=True)),
        ("protocol", dict(protocol=None)),
        ("protocol", dict(protocol=dcg.Silence())),
        ("episodes", dict(episodes=1)),
        ("of", dict(of=Action(lambda reports, player: None))),
        ("options", dict(of=Chances(2))),
    ],
)
def test_bad_input_names_its_field(field, given):
    given = PAIR | {"protocol": ONCE} | given
    with pytest.raises(dcg.InputError) as error:
        jacobian_response(GAME, bargainers(ONCE), **given)
    assert error.value.field == field
    with pytest.raises(dcg.InputError, match="options"):
        Chances(1)
