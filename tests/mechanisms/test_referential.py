"""The referential games, played by hand-written senders and receivers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms import Discrimination, Reconstruction

CLOSED = 1e-12  # logarithms of small fractions, summed, in x64
SURE = 50.0  # logits this far apart err by e^-50
EPISODES = 400
LEVEL_ERRORS = 4.5  # binomial standard errors: a chance of less than 1e-5
KEYS = jax.random.split(jax.random.key(0), EPISODES)
CODE = dcg.Chat(6, 3)  # five words and a STOP that is never said


def shout(known):
    """A logit for each word: attribute t of the object is word 1 + its value, said for sure."""
    return jnp.pad(SURE * known.reshape(3, 5), ((0, 0), (1, 0))).ravel()


def values(heard):
    return heard.reshape(3, 6)[:, 1:]


def described(seen, heard):
    del seen
    return SURE * values(heard).ravel()


def found(seen, heard):
    return SURE * seen @ values(heard).ravel()


def deaf_describer(seen, heard):
    del seen, heard
    return jnp.zeros(15)


def deaf_finder(seen, heard):
    del heard
    return jnp.zeros(seen.shape[0])


def episodes(game, receiver, language=CODE):
    pair = dcg.SenderReceiver(shout, receiver, language.heard)
    protocol = dcg.Protocol(language, speakers=("sender",))
    return jax.jit(jax.vmap(lambda k: dcg.play(game, pair, protocol, key=k)))(KEYS)


@pytest.mark.parametrize(("game", "receiver"), [(Reconstruction(), described), (Discrimination(), found)])
def test_a_receiver_who_understands_is_always_right(game, receiver):
    played = episodes(game, receiver)
    np.testing.assert_allclose(played.payoffs, 0, atol=CLOSED)
    np.testing.assert_array_equal(played.welfare, 1)
    np.testing.assert_array_equal(played.first_best, 1)
    assert np.all(np.asarray(played.talk.length)[:, 0, 0] == 3)


@pytest.mark.parametrize(
    ("game", "receiver", "worth", "chance"),
    [
        (Reconstruction(), deaf_describer, 3 * np.log(1 / 5), 1 / 125),
        (Discrimination(), deaf_finder, np.log(1 / 8), 1 / 8),
        (Discrimination(candidates=3), deaf_finder, np.log(1 / 3), 1 / 3),
    ],
)
def test_a_deaf_receiver_guesses(game, receiver, worth, chance):
    played = episodes(game, receiver)
    np.testing.assert_allclose(played.payoffs, worth, atol=CLOSED)
    error = np.sqrt(chance * (1 - chance) / EPISODES)
    assert float(played.welfare.mean()) == pytest.approx(chance, abs=LEVEL_ERRORS * error)


def test_a_receiver_who_hears_of_one_attribute_knows_the_rest_as_little_as_before():
    def first_only(seen, heard):
        return described(seen, heard).at[5:].set(0)

    played = episodes(Reconstruction(), first_only)
    np.testing.assert_allclose(played.payoffs, 2 * np.log(1 / 5), atol=CLOSED)


@pytest.mark.parametrize(("attributes", "count", "candidates"), [(3, 5, 8), (2, 2, 4), (1, 3, 2)])
def test_candidates_are_distinct_and_the_target_is_anywhere_among_them(attributes, count, candidates):
    game = Discrimination(attributes, count, candidates)
    types = jax.jit(jax.vmap(game.sample_types))(KEYS)
    objects = np.asarray(types.candidates)
    assert objects.shape == (EPISODES, candidates, attributes) and objects.min() == 0 and objects.max() == count - 1
    codes = objects @ count ** np.arange(attributes)
    assert all(len(set(row)) == candidates for row in codes)
    shares = np.bincount(types.target, minlength=candidates) / EPISODES
    error = np.sqrt((1 / candidates) * (1 - 1 / candidates) / EPISODES)
    np.testing.assert_allclose(shares, 1 / candidates, atol=LEVEL_ERRORS * error)
    assert len(np.unique(codes)) == count**attributes == len(game.objects)
    seen = jax.vmap(game.known)(types)
    aim = objects[np.arange(EPISODES), types.target]
    rows = np.asarray(seen.sender).reshape(EPISODES, attributes, count)
    np.testing.assert_array_equal(rows, np.eye(count)[aim])
    np.testing.assert_array_equal(np.asarray(seen.receiver)[np.arange(EPISODES), types.target], seen.sender)


def test_attributes_are_drawn_evenly_in_reconstruction():
    game = Reconstruction(2, 3)
    types = jax.jit(jax.vmap(game.sample_types))(KEYS)
    pairs = np.asarray(types.candidates)[:, 0] @ [3, 1]
    error = np.sqrt((1 / 9) * (8 / 9) / EPISODES)
    np.testing.assert_allclose(np.bincount(pairs, minlength=9) / EPISODES, 1 / 9, atol=LEVEL_ERRORS * error)


@pytest.mark.parametrize(
    ("kind", "given"),
    [(k, {f: bad}) for k in (Reconstruction, Discrimination) for f, bad in (("attributes", 0), ("values", 1))]
    + [(Discrimination, {"candidates": 1}), (Discrimination, {"candidates": 126})],
)
def test_bad_input_is_refused_by_name(kind, given):
    with pytest.raises(dcg.InputError, match=f"^{next(iter(given))}: "):
        kind(**given)
