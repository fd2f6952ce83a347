"""Who speaks when, what is heard and remembered, and who pays."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.talkers import AbstractTalkers
from dcg_econ.learning.protocol import as_protocol
from dcg_econ.learning.talk import converse, heard_size, memory
from tests.learning.talking import GAME, bargainers

CLOSED = 1e-12  # the same sums in another order, in x64
PLAYERS = ("a", "b", "c")
KEY = jax.random.key(0)
CHAT = dcg.Chat(2, 2, price=0.5, length_price=0.1)
T, F = True, False


@pytest.mark.parametrize(
    ("settings", "table"),
    [
        (dict(), [[T, T, T]]),
        (dict(turns=2), [[T, T, T], [T, T, T]]),
        (dict(speakers=("c",), turns=2), [[F, F, T], [F, F, T]]),
        (dict(speakers=("c", "a")), [[T, F, T]]),
        (dict(in_turn=True, turns=4), [[T, F, F], [F, T, F], [F, F, T], [T, F, F]]),
        (dict(speakers=("c", "a"), in_turn=True, turns=3), [[F, F, T], [T, F, F], [F, F, T]]),
    ],
)
def test_players_speak_at_once_or_in_the_order_in_which_they_are_named(settings, table):
    protocol = dcg.Protocol(CHAT, **settings)
    np.testing.assert_array_equal(protocol.speaking(PLAYERS), table)
    np.testing.assert_array_equal(protocol.hears(PLAYERS), np.ones((3, 3)))
    private = dcg.Protocol(CHAT, private=True, **settings)
    np.testing.assert_array_equal(private.speaking(PLAYERS), table)
    np.testing.assert_array_equal(private.hears(PLAYERS), np.eye(3))
    most = np.sum(table, axis=0).max()
    if settings.get("speakers") or not settings.get("in_turn"):
        assert private.bits == protocol.bits == most * CHAT.bits
    else:
        assert protocol.bits >= most * CHAT.bits  # it does not know how many players take turns


def test_whoever_is_named_twice_has_two_turns():
    protocol = dcg.Protocol(CHAT, speakers=("a", "b", "a"), in_turn=True, turns=3)
    assert protocol.speaking(PLAYERS)[:, 0].sum() == 2
    assert protocol.bits == 2 * CHAT.bits


def test_silence_is_no_turns():
    silence = dcg.Silence()
    assert silence.speaking(PLAYERS).shape == (0, 3) and silence.bits == 0 and silence.sharp() is silence
    np.testing.assert_array_equal(silence.hears(PLAYERS), np.eye(3))
    assert heard_size(silence, PLAYERS) == 0
    assert heard_size(dcg.Protocol(CHAT, turns=3), PLAYERS) == 3 * 3 * CHAT.heard


def test_a_protocol_is_read_from_a_language_or_from_nothing():
    assert isinstance(as_protocol(None), dcg.Silence)
    once = as_protocol(CHAT)
    assert isinstance(once, dcg.Protocol) and once.language is CHAT
    np.testing.assert_array_equal(once.speaking(PLAYERS), [[T, T, T]])
    protocol = dcg.Protocol(CHAT, turns=2)
    assert as_protocol(protocol) is protocol
    sharp = protocol.sharp()
    assert sharp.turns == 2 and not sharp.language.likely
    for bad in ("chat", 3, dcg.GaussianNoise()):
        with pytest.raises(dcg.InputError, match=r"^protocol: "):
            as_protocol(bad)


def test_somebody_must_speak_and_be_a_player():
    with pytest.raises(dcg.InputError, match=r"^speakers: \(\)"):
        dcg.Protocol(CHAT, speakers=())
    with pytest.raises(dcg.InputError, match=r"^speakers: no player `d`"):
        dcg.Protocol(CHAT, speakers=("a", "d")).speaking(PLAYERS)


def labelled(turns, size=4):
    """Messages whose numbers say who spoke and when: 10 (turn + 1) + player + 1."""
    label = 10 * (np.arange(turns)[:, None] + 1) + np.arange(3) + 1
    return [jnp.asarray(np.repeat(row[:, None], size, axis=1), float) for row in label]


def slots(heard, turns, size=4):
    """(listener, place of the speaker, turn), each message by its label."""
    rows = np.asarray(heard).reshape(3, 3, turns, size)
    assert np.all(rows == rows[..., :1])
    return rows[..., 0].tolist()


def test_players_remember_their_own_words_first_then_those_after_them():
    protocol = dcg.Protocol(CHAT, turns=2)
    heard = memory(labelled(2), protocol, protocol.hears(PLAYERS))
    assert slots(heard, 2) == [
        [[11, 21], [12, 22], [13, 23]],
        [[12, 22], [13, 23], [11, 21]],
        [[13, 23], [11, 21], [12, 22]],
    ]


def test_turns_to_come_are_blank_and_so_are_the_private_words_of_others():
    protocol = dcg.Protocol(CHAT, turns=2, private=True)
    hears = protocol.hears(PLAYERS)
    nothing = [0, 0]
    assert slots(memory(labelled(2), protocol, hears), 2) == [[[11 + i, 21 + i], nothing, nothing] for i in range(3)]
    public = dcg.Protocol(CHAT, turns=2)
    first = slots(memory(labelled(1), public, public.hears(PLAYERS)), 2)
    assert first[1] == [[12, 0], [13, 0], [11, 0]]
    before = memory([], public, public.hears(PLAYERS))
    assert before.shape == (3, 24) and np.all(np.asarray(before) == 0)


class Parrots(AbstractTalkers):
    """Players whose logits are what they know plus all that they have heard."""

    def raw(self, known, heard, turn):
        return known + jnp.sum(heard, axis=1, keepdims=True) + turn

    def numbers(self, known, heard=None):
        return heard

    def assemble(self, numbers):
        return numbers


def talk(protocol, known=None):
    known = jax.random.normal(KEY, (3, CHAT.raw)) if known is None else known
    return jax.jit(lambda k: converse(Parrots(), protocol, PLAYERS, known, k))(KEY)


@pytest.mark.parametrize("private", (False, True))
def test_only_those_who_speak_are_heard_and_pay(private):
    protocol = dcg.Protocol(CHAT, speakers=("c", "a"), in_turn=True, turns=3, private=private)
    said, heard = talk(protocol)
    on = protocol.speaking(PLAYERS)
    assert np.all(np.asarray(said.received)[~on] == 0) and np.all(np.asarray(said.received)[on].sum(axis=1) >= 1)
    for name in ("nats", "length", "log_prob", "entropy", "penalty", "charge", "length_charge"):
        assert np.all(np.asarray(getattr(said, name))[~on] == 0)
    for name in ("nats", "log_prob", "entropy", "charge"):
        assert np.all(np.asarray(getattr(said, name))[on] != 0)
    np.testing.assert_allclose(said.charge, 0.5 * said.nats + 0.1 * said.length, atol=CLOSED)
    np.testing.assert_allclose(said.length_charge, 0.1 * said.length, atol=CLOSED)
    np.testing.assert_array_equal(heard, memory(list(said.received), protocol, protocol.hears(PLAYERS)))


@pytest.mark.slow
def test_what_is_said_later_answers_what_was_said_before():
    said, heard = talk(dcg.Protocol(CHAT, turns=2))
    known = jax.random.normal(KEY, (3, CHAT.raw))
    np.testing.assert_array_equal(said.raw[0], known)
    tokens = np.asarray(said.received[0]).sum()
    np.testing.assert_allclose(said.raw[1], known + tokens + 1, atol=CLOSED)
    alone, _ = talk(dcg.Protocol(CHAT, turns=2, private=True))
    own = np.asarray(alone.received[0]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(alone.raw[1], known + own + 1, atol=CLOSED)
    assert heard.shape == (3, 3 * 2 * CHAT.heard)


def test_an_infinite_cost_of_those_who_are_silent_does_not_spoil_the_talk():
    spoken = dcg.Protocol(dcg.SpokenCurve(jnp.linspace(0.0, 1.0, 4)), speakers=("b",))
    said, _ = talk(spoken)
    np.testing.assert_array_equal(said.charge, 0)
    np.testing.assert_array_equal(said.nats, [[0, np.inf, 0]])
    np.testing.assert_array_equal(said.log_prob, 0)


def test_a_game_in_silence_is_the_game_without_a_protocol():
    bidders = dcg.Bidders(dcg.BidAgent(key=KEY), dcg.BidAgent(key=jax.random.key(1)))
    keys = jax.random.split(KEY, 5)

    @eqx.filter_jit
    def played(protocol):
        return jax.vmap(lambda k: dcg.play(GAME, bidders, protocol, key=k))(keys)

    silent, plain = played(dcg.Silence()), played(None)
    assert silent.talk is None and plain.talk is None
    for one, other in zip(jax.tree.leaves(silent), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(one, other)
    assert silent.payoffs.shape == (5, 2)
    expected = jax.jit(jax.vmap(lambda t: GAME.payoffs(t, GAME.outcome(GAME.reports(bidders, t)))))(plain.types)
    np.testing.assert_allclose(plain.payoffs, expected, atol=CLOSED)


@pytest.mark.slow
def test_plays_with_talk_are_the_same_one_by_one_and_mapped():
    protocol = dcg.Protocol(CHAT, turns=2, in_turn=True)
    population, keys = bargainers(protocol), jax.random.split(KEY, 3)
    mapped = jax.jit(jax.vmap(lambda k: dcg.play(GAME, population, protocol, key=k)))(keys)
    single = jax.jit(lambda k: dcg.play(GAME, population, protocol, key=k))
    for i, key in enumerate(keys):
        for one, all_ in zip(jax.tree.leaves(single(key)), jax.tree.leaves(mapped), strict=True):
            np.testing.assert_allclose(one, all_[i], atol=CLOSED)
    np.testing.assert_allclose(mapped.welfare, mapped.payoffs.sum(axis=1), atol=CLOSED)  # charges are kept apart
    assert np.all(np.asarray(mapped.talk.charge).sum(axis=(1, 2)) > 0)


@pytest.mark.slow
def test_what_the_channel_lets_through_can_be_replaced():
    protocol = dcg.Protocol(CHAT)
    population = bargainers(protocol)

    def deaf(turn, raw, keys):
        heard, info = jax.vmap(CHAT)(raw, keys)
        return jnp.zeros_like(heard), info

    episode = jax.jit(lambda k: dcg.play(GAME, population, protocol, key=k, hear=deaf))(KEY)
    np.testing.assert_array_equal(episode.talk.received, 0)
    blank = jnp.zeros((2, heard_size(protocol, GAME.players)))
    numbers = population.numbers(GAME.known(episode.types), blank)
    np.testing.assert_allclose(episode.reports.bids, numbers[0], atol=CLOSED)
    np.testing.assert_allclose(episode.reports.asks, numbers[1], atol=CLOSED)
