"""Vectors said as words of a codebook: a trained quantiser, and one fitted afterwards to see how many words are used.

A trained codebook follows the messages by its penalty, and messages commit to it (van den Oord, Vinyals and Kavukcuoglu 2017):

    penalty = ||sg(z) - e||^2 + commitment ||z - sg(e)||^2,   e the word nearest to z          (1)

One fitted post hoc measures and does not train: k-means on some messages, the score of others said in its words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import entr
from jaxtyping import Array, Float, Int

from dcg_econ._errors import InputError, is_concrete, require_finite
from dcg_econ.channels.base import AbstractChannel, Info
from dcg_econ.priors import number

RESTARTS = 4  # k-means finds local optima: the best of so many
PASSES = 50


class VectorQuantiser(AbstractChannel):
    """Messages (..., d) are received as the nearest of K words, straight through to the message, hence biased.

    Cost: log K nats a vector (a sure choice against a uniform prior), summed over vectors, as is the penalty (1), which
    alone moves the codebook. Length: the vectors. `codebook` (K, d); `commitment` of training.
    """

    codebook: Float[Array, "K d"]
    commitment: Array = eqx.field(converter=number("commitment"), default=0.25)

    @property
    def pathwise(self):
        return False

    @property
    def likely(self):
        return False

    def codes(self, message: Float[Array, "*batch d"]) -> Int[Array, "*batch"]:
        """The number of the nearest word, the first of equals; from 0."""
        return _nearest(self.codebook, message)

    def __call__(self, message, key):
        del key
        return _passed(message, self.codebook[self.codes(message)], self.codebook.shape[0], self.commitment)


class ProductQuantiser(AbstractChannel):
    """Messages (..., L, d), each position quantised by its own codebook, as `VectorQuantiser` does; codebooks (L, K, d)."""

    codebooks: Float[Array, "L K d"]
    commitment: Array = eqx.field(converter=number("commitment"), default=0.25)

    @property
    def pathwise(self):
        return False

    @property
    def likely(self):
        return False

    def codes(self, message: Float[Array, "*batch L d"]) -> Int[Array, "*batch L"]:
        """The number of the nearest word of each position's codebook, the first of equals; from 0."""
        return jax.vmap(_nearest, in_axes=(0, -2), out_axes=-1)(self.codebooks, message)

    def __call__(self, message, key):
        del key
        words = self.codebooks[jnp.arange(self.codebooks.shape[0]), self.codes(message)]
        return _passed(message, words, self.codebooks.shape[1], self.commitment)


class Usage(eqx.Module):
    """How a codebook is used: `perplexity` (), exp of the entropy of word frequencies, 1 to K; `dead` (), share never used."""

    perplexity: Float[Array, ""]
    dead: Float[Array, ""]


def usage(codes: Int[Array, "*said"], words: int) -> Usage:
    """How `words` words are used over all `codes` said; `InputError` where a code is none of theirs or none was said."""
    if codes.size == 0:
        raise InputError("codes", "nothing was said", "give the codes of one message or more")
    if is_concrete(codes) and (np.min(codes) < 0 or np.max(codes) >= words):
        raise InputError("codes", f"found one outside 0..{words - 1}", "give the number of words in the codebook")
    shares = jnp.bincount(codes.ravel(), length=words) / codes.size
    return Usage(jnp.exp(jnp.sum(entr(shares))), jnp.mean(shares == 0))


def fit_codebook(messages: Float[Array, "n d"], words: int, key: Array) -> VectorQuantiser:
    """k-means (k-means++ starts, the best of several) on messages; their own distinct values where these are enough.

    Words beyond the distinct messages repeat the last one and stay dead. `InputError` where messages are fewer than words.
    """
    _require_enough(messages, words)
    return VectorQuantiser(jnp.asarray(_centroids(np.asarray(messages), words, _generator(key)), messages.dtype))


def fit_codebooks(messages: Float[Array, "n L d"], words: int, key: Array) -> ProductQuantiser:
    """`fit_codebook` at each of L positions, `words` words each."""
    _require_enough(messages, words)
    rng = _generator(key)
    books = [_centroids(position, words, rng) for position in np.moveaxis(np.asarray(messages), 1, 0)]
    return ProductQuantiser(jnp.asarray(np.stack(books), messages.dtype))


def quantised_scores(
    score: Callable[[Array], float],
    training_messages: Float[Array, "n ..."],
    held_out_messages: Float[Array, "m ..."],
    words: Sequence[int],
    key: Array,
) -> list[tuple[int, float]]:
    """The codes-against-payoff curve: (words, score of held-out messages received in so many words).

    Codebooks are fitted on `training_messages`, (n, d), or (n, L, d) for one a position; `score` takes what is received, of
    the shape of `held_out_messages`. `InputError` as for `fit_codebook`, before anything is fitted.
    """
    for count in words:
        _require_enough(training_messages, count)
    if training_messages.ndim not in (2, 3):
        raise InputError("training_messages", f"{training_messages.ndim} axes", "give messages (n, d) or (n, L, d)")
    fit = fit_codebook if training_messages.ndim == 2 else fit_codebooks
    curve = []
    for count in words:
        quantiser = fit(training_messages, count, jax.random.fold_in(key, count))
        curve.append((int(count), float(score(quantiser(held_out_messages, key)[0]))))
    return curve


@jax.jit  # fused, so that the distances to all words are never stored
def _nearest(codebook, message):
    return jnp.argmin(jnp.sum((message[..., None, :] - codebook) ** 2, -1), -1)


def _passed(message, words, count, commitment):
    """The words, with the message's derivative, and the facts."""
    vectors = jnp.asarray(message.size // message.shape[-1], message.dtype)
    follow = jnp.sum((lax.stop_gradient(message) - words) ** 2)
    commit = jnp.sum((message - lax.stop_gradient(words)) ** 2)
    received = lax.stop_gradient(words) + (message - lax.stop_gradient(message))
    nats = vectors * jnp.log(jnp.asarray(count, message.dtype))
    return received, Info(nats, vectors, None, None, follow + commitment * commit)


def _centroids(points, words, rng):
    from scipy.cluster.vq import kmeans2, vq  # a fifth of a second, which those who never quantise need not wait

    distinct = np.unique(points, axis=0)
    if len(distinct) <= words:
        return np.concatenate([distinct, np.repeat(distinct[-1:], words - len(distinct), 0)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)  # then it is a dead word
        books = [kmeans2(points, words, PASSES, minit="++", seed=rng)[0] for _ in range(RESTARTS)]
    return min(books, key=lambda book: np.sum(vq(points, book)[1] ** 2))


def _generator(key):
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _require_enough(messages, words):
    if words < 1:
        raise InputError("words", f"found {words}", "give one word or more")
    if messages.shape[0] < words:
        raise InputError(
            "words", f"{words} for {messages.shape[0]} training messages", "give more messages or fewer words"
        )
    require_finite("messages", messages)
