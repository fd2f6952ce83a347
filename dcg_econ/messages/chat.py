"""Discrete chat: up to L tokens from a vocabulary of V, the first of which is STOP."""

from __future__ import annotations

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.channels.base import Info
from dcg_econ.channels.categorical import AbstractSymbols, Categorical, Greedy, GumbelSoftmax
from dcg_econ.messages.language import MOST_WORDS, AbstractWords, require_count, require_price
from dcg_econ.priors import number

STOP = 0


class Chat(AbstractWords):
    """At most `length` tokens of `vocabulary` symbols; symbol 0 is STOP, after which nothing is said (or charged).

    Raw numbers: logits (L, V), independent given what the speaker knows. Heard: one-hot rows (L, V), zero after STOP. The cost
    is KL(law || uniform over symbols) of the tokens that are said, in nats; the length counts tokens but for STOP.
    A single token out of V is a message of log2 V bits: with `length=1`, STOP is a word like any other.
    """

    vocabulary: int = eqx.field(static=True, default=2)
    length: int = eqx.field(static=True, default=1)
    price: Array = eqx.field(converter=number("price"), default=0.0)
    length_price: Array = eqx.field(converter=number("length_price"), default=0.0)
    symbols: AbstractSymbols = eqx.field(default_factory=Categorical)

    def __check_init__(self):
        require_count("vocabulary", self.vocabulary)
        require_count("length", self.length)
        require_price(self)

    @property
    def raw(self):
        return self.length * self.vocabulary

    @property
    def constant(self):
        return 0

    @property
    def heard(self):
        return self.length * self.vocabulary

    @property
    def messages(self) -> int:
        """How many different messages there are."""
        content = self.vocabulary - 1
        return sum(content**n for n in range(self.length)) + content**self.length

    @property
    def bits(self):
        return math.log2(self.messages)

    @property
    def pathwise(self):
        return self.symbols.pathwise

    @property
    def likely(self):
        return self.symbols.likely

    def __call__(self, message, key):
        logits = message.reshape(self.length, self.vocabulary)
        tokens, _ = jax.vmap(self.symbols)(logits, jax.random.split(key, self.length))
        heard = (tokens * _said(tokens)[:, None]).ravel()
        info = self.facts(message, heard)
        return heard, info if self.likely else eqx.tree_at(lambda i: i.log_prob, info, None)

    def facts(self, raw, heard):
        logs = jax.nn.log_softmax(raw.reshape(self.length, self.vocabulary))
        tokens = heard.reshape(self.length, self.vocabulary)
        said = jnp.sum(tokens, axis=1)
        certain = isinstance(self.symbols, Greedy)  # then the law is of one word, whatever the logits
        entropies = jnp.zeros_like(said) if certain else -jnp.sum(jnp.exp(logs) * logs, axis=1)
        return Info(
            nats=jnp.sum(said * (np.log(self.vocabulary) - entropies)),
            length=jnp.sum(said - tokens[:, STOP]),
            log_prob=jnp.sum(jax.lax.stop_gradient(tokens) * logs),
            entropy=jnp.sum(said * entropies),
            penalty=jnp.zeros((), raw.dtype),
        )

    def words(self):
        return jnp.asarray(_words(self.vocabulary, self.length), jnp.result_type(float))

    def log_probs(self, raw):
        logs = jax.nn.log_softmax(raw.reshape(self.length, self.vocabulary))
        return self.words() @ logs.ravel()

    def relaxed(self, temperature, straight_through):
        return eqx.tree_at(lambda c: c.symbols, self, GumbelSoftmax(temperature, straight_through))

    def sharp(self):
        return eqx.tree_at(lambda c: c.symbols, self, Greedy())

    def tokens(self, heard: Float[Array, "... H"]) -> np.ndarray:
        """The symbols' numbers (..., L) of messages that were heard; STOP from the end on."""
        rows = np.asarray(heard).reshape(*np.shape(heard)[:-1], self.length, self.vocabulary)
        return np.where(rows.sum(-1) > 0, rows.argmax(-1), STOP)

    def text(self, heard):
        tokens = self.tokens(heard)
        if self.length == 1:
            return _letters(int(tokens[0]))
        end = next((t for t, token in enumerate(tokens) if token == STOP), self.length)
        return " ".join(_letters(int(token) - 1) for token in tokens[:end]) + (" ." if end < self.length else "")


def _said(tokens: Float[Array, "L V"]) -> Float[Array, " L"]:
    """How far each token is said at all: no STOP came before it."""
    going = jnp.cumprod(1 - tokens[:, STOP])
    return jnp.concatenate([jnp.ones_like(going[:1]), going[:-1]])


def _words(vocabulary: int, length: int) -> np.ndarray:
    count = Chat(vocabulary, length).messages
    if count > MOST_WORDS:
        raise InputError(
            "vocabulary", f"{count:,} different messages", f"list at most {MOST_WORDS:,}: use fewer symbols or tokens"
        )
    sequences = sorted({_cut(s) for s in itertools.product(range(vocabulary), repeat=length)})
    words = np.zeros((len(sequences), length, vocabulary))
    for row, sequence in enumerate(sequences):
        words[row, np.arange(len(sequence)), sequence] = 1
    return words.reshape(len(sequences), -1)


def _cut(sequence: tuple[int, ...]) -> tuple[int, ...]:
    return sequence[: sequence.index(STOP) + 1] if STOP in sequence else sequence


def _letters(n: int) -> str:
    """a ... z, aa, ab ..."""
    text = ""
    n += 1
    while n > 0:
        n, digit = divmod(n - 1, 26)
        text = chr(ord("a") + digit) + text
    return text


class Choice(AbstractWords):
    """One of `options`, with a prior that is learned along: half of the raw numbers are the prior's logits.

    The cost is KL(law || prior). Its average is the mutual information plus KL(marginal || prior), least where the prior is
    the marginal: speakers whose prior numbers do not depend on what they know pay for mutual information in the end.
    """

    options: int = eqx.field(static=True, default=2)
    price: Array = eqx.field(converter=number("price"), default=0.0)
    length_price: Array = eqx.field(converter=number("length_price"), default=0.0)
    symbols: AbstractSymbols = eqx.field(default_factory=Categorical)

    def __check_init__(self):
        require_count("options", self.options)
        require_price(self)

    @property
    def raw(self):
        return 2 * self.options

    @property
    def constant(self):
        return self.options

    @property
    def heard(self):
        return self.options

    @property
    def bits(self):
        return math.log2(self.options)

    @property
    def pathwise(self):
        return self.symbols.pathwise

    @property
    def likely(self):
        return self.symbols.likely

    def __call__(self, message, key):
        heard, _ = self.symbols(message[: self.options], key)
        info = self.facts(message, heard)
        return heard, info if self.likely else eqx.tree_at(lambda i: i.log_prob, info, None)

    def facts(self, raw, heard):
        logs, prior = jax.nn.log_softmax(raw.reshape(2, self.options))
        zero = jnp.zeros((), raw.dtype)
        return Info(
            nats=jnp.sum(jnp.exp(logs) * (logs - prior)),
            length=zero + 1,
            log_prob=jnp.sum(jax.lax.stop_gradient(heard) * logs),
            entropy=-jnp.sum(jnp.exp(logs) * logs),
            penalty=zero,
        )

    def words(self):
        return jnp.eye(self.options)

    def log_probs(self, raw):
        return jax.nn.log_softmax(raw[: self.options])

    def relaxed(self, temperature, straight_through):
        return eqx.tree_at(lambda c: c.symbols, self, GumbelSoftmax(temperature, straight_through))

    def sharp(self):
        return self  # stochastic choice is what inattention comes to

    def text(self, heard):
        return _letters(int(np.argmax(np.asarray(heard))))
