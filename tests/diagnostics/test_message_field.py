"""The field of a payoff over messages. Oracle: central differences of mean payoffs of plays with one message set by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.diagnostics.message_field import MessageField, Plane, message_field, principal_plane
from dcg_econ.diagnostics.null_channels import Zeroed
from dcg_econ.learning.talk import through
from dcg_econ.mechanisms import DoubleAuction, Reconstruction
from tests.learning.talking import GAME, bargainers

KEY = jax.random.key(8)
EPISODES, GRID, STEP = 6, 3, 1e-5
NEAR = dict(rtol=1e-5, atol=1e-10)  # central differences in x64
CLOSED = 1e-12
PROTOCOL = dcg.Protocol(dcg.Continuous(1, 3, through=dcg.GaussianNoise(0.3)), turns=2)
ASKED = dict(player="seller", sender="buyer", episodes=EPISODES, grid=GRID, key=KEY)
WORDS = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 2.0]])
TASK = Reconstruction(1, 2)
NONE = np.zeros((0, 2))
OTHER = MessageField("a", "b", 0, Plane(np.zeros(2), np.eye(2), np.ones(2)), (0, 0), *[NONE] * 6)


@pytest.fixture(scope="module")
def population():
    return bargainers(PROTOCOL)


@pytest.fixture(scope="module")
def found(population):
    return message_field(GAME, population, PROTOCOL, codewords=WORDS, **ASKED)


@pytest.fixture(scope="module")
def played(population):
    """Plays at messages (G, 3) that the buyer's first one is set to; None leaves it."""

    def play(message):
        def hear(turn, raw, keys):
            came, info = through(PROTOCOL.language)(turn, raw, keys)
            return (came.at[0].set(message), info) if turn == 0 and message is not None else (came, info)

        return jax.vmap(lambda k: dcg.play(GAME, population, PROTOCOL, key=k, hear=hear))(
            jax.random.split(KEY, EPISODES)
        )

    return play


def test_the_field_equals_central_differences_of_the_mean_payoff(found, played):
    mean = jax.jit(jax.vmap(lambda m: jnp.mean(played(m).payoffs[:, 1])))
    at = found.plane.centre + found.points @ found.plane.directions
    np.testing.assert_allclose(found.payoff, mean(at), rtol=1e-12)
    for i, along in enumerate(found.plane.directions):
        want = (mean(at + STEP * along) - mean(at - STEP * along)) / (2 * STEP)
        assert np.abs(want).min() > 1e-6
        np.testing.assert_allclose(found.field[:, i], want, **NEAR)


def test_messages_and_codewords_stand_where_they_were_said(found, played):
    episodes = jax.jit(played, static_argnums=0)(None)
    said = np.asarray(episodes.talk.received[:, 0, 0])
    _, values, right = np.linalg.svd(said - said.mean(0))
    np.testing.assert_allclose(np.abs(found.plane.directions @ right[:2].T), np.eye(2), atol=CLOSED)
    np.testing.assert_allclose(found.plane.shares, values[:2] ** 2 / np.sum(values**2))
    want = (said - said.mean(0)) @ found.plane.directions.T
    np.testing.assert_allclose(found.messages, want, atol=CLOSED)
    np.testing.assert_array_equal(found.types, np.asarray(jax.vmap(GAME.known)(episodes.types).buyers)[:, 0])
    np.testing.assert_allclose(found.codewords, (WORDS - said.mean(0)) @ found.plane.directions.T, atol=CLOSED)


def test_the_grid_is_regular_and_covers_everything(found):
    everything = np.concatenate([found.messages, found.codewords])
    assert np.all(found.points.min(0) < everything.min(0)) and np.all(found.points.max(0) > everything.max(0))
    assert found.shape == (GRID, GRID) and found.points.shape == (GRID**2, 2)
    square = found.points.reshape(GRID, GRID, 2)
    np.testing.assert_allclose(np.diff(square[..., 0], 2, axis=0), 0, atol=CLOSED)
    np.testing.assert_allclose(np.diff(square[..., 1], 2, axis=1), 0, atol=CLOSED)


def test_frames_are_tidy(found):
    frame = found.field_frame()
    assert list(frame) == ["first", "second", "d_first", "d_second", "payoff"]
    np.testing.assert_array_equal(frame.to_numpy(), np.column_stack([found.points, found.field, found.payoff]))
    messages = found.messages_frame()
    assert list(messages) == ["first", "second", "type"]
    np.testing.assert_array_equal(messages.to_numpy(), np.column_stack([found.messages, found.types]))
    words = found.codewords_frame()
    assert list(words) == ["first", "second", "word"] and words["word"].tolist() == [0, 1]
    np.testing.assert_array_equal(words[["first", "second"]], found.codewords)


def test_deaf_partners_leave_no_field(population, found):
    deaf = message_field(GAME, population, PROTOCOL, null=Zeroed(), **ASKED | {"grid": found})
    np.testing.assert_array_equal(deaf.field, 0)
    assert np.all(deaf.payoff == deaf.payoff[0]) and np.ptp(found.payoff) > 0
    assert (
        deaf.plane is found.plane
        and deaf.points is found.points
        and len(deaf.codewords) == 0
        and len(deaf.codewords_frame()) == 0
    )
    np.testing.assert_array_equal(deaf.messages, found.messages)


class Slope(eqx.Module):
    """Numbers that are a multiple of what is told."""

    weight: jax.Array

    def __call__(self, *told):
        return self.weight @ told[-1]


def pair(said, logits):
    return dcg.SenderReceiver(Slope(jnp.asarray(said)), Slope(jnp.asarray(logits)), len(said))


@pytest.mark.slow
def test_messages_of_one_number_have_a_line():
    line = dcg.Protocol(dcg.Continuous(1, 1, through=dcg.GaussianNoise(0.1)), speakers=("sender",))
    listener = pair([[2.0, -2.0]], [[1.0], [-1.0]])
    asked = dict(player="receiver", sender="sender", episodes=40, grid=5, key=KEY)
    found = message_field(TASK, listener, line, **asked)
    assert found.shape == (5,) and found.points.shape == found.field.shape == (5, 1)
    np.testing.assert_array_equal(found.plane.directions, [[1]])
    np.testing.assert_allclose(found.plane.shares, [1])
    at, share = found.plane.centre[0] + found.points[:, 0], np.mean(found.types)  # of objects of value 0
    sigmoid = 1 / (1 + np.exp(-2 * at))
    np.testing.assert_allclose(found.payoff, share * np.log(sigmoid) + (1 - share) * np.log(1 - sigmoid))
    np.testing.assert_allclose(found.field[:, 0], 2 * (share - sigmoid))
    assert (found.field_frame()[["second", "d_second"]] == 0).all(axis=None)
    np.testing.assert_array_equal(message_field(TASK, listener, line, type_of=target, **asked).types, 1 - found.types)


def target(types):
    return types.candidates[0, 0]


def test_a_plane_is_completed_where_messages_do_not_vary():
    still = principal_plane(np.tile([1.0, 2.0, 3.0], (4, 1)))
    np.testing.assert_array_equal(still.directions, np.eye(3)[:2])
    np.testing.assert_array_equal(still.shares, 0)
    np.testing.assert_array_equal(still.centre, [1, 2, 3])
    two = principal_plane(np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]]))
    np.testing.assert_allclose(two.directions, [[0.5**0.5, -(0.5**0.5), 0], [0, 0, 1]], atol=CLOSED)
    np.testing.assert_allclose(two.shares, [1, 0], atol=CLOSED)
    at = np.array([0.5, 0.0, 7.0])
    np.testing.assert_allclose(two.place(at), two.directions @ (at - two.centre), atol=CLOSED)


@pytest.mark.slow
def test_a_constant_language_has_a_grid_of_one_unit_either_way():
    chat = dcg.Protocol(dcg.Chat(2), speakers=("sender",))
    mute = pair(1e3 * np.array([[1.0, 1.0], [0.0, 0.0]]), np.eye(2))
    found = message_field(TASK, mute, chat, player="sender", sender="sender", episodes=4, grid=3, key=KEY)
    np.testing.assert_array_equal(found.plane.centre, [1, 0])
    np.testing.assert_array_equal(found.points, [[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)])
    np.testing.assert_array_equal(found.messages, 0)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("player", dict(player="nobody")),
        ("sender", dict(sender="nobody")),
        ("turn", dict(turn=2)),
        ("turn", dict(turn=-1)),
        ("protocol", dict(protocol=None)),
        ("grid", dict(grid=1)),
        ("episodes", dict(episodes=1)),
        ("codewords", dict(codewords=np.zeros((2, 2)))),
        ("grid", dict(grid=OTHER)),
        ("game", dict(game=DoubleAuction())),
    ],
)
def test_bad_input_names_its_field(population, field, given):
    given = ASKED | {"game": GAME, "protocol": PROTOCOL} | given
    with pytest.raises(dcg.InputError) as error:
        message_field(given.pop("game"), population, **given)
    assert error.value.field == field
