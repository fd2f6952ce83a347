"""What a language learned with continuous messages is worth in symbols: codebooks made afterwards, and what they say.

Codebooks are fitted by k-means on messages of training objects, as they come through; scored are other episodes, in which the
listener hears the codeword nearest to what the speaker would have said, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pandas as pd

from dcg_econ.channels.quantiser import fit_codebook, fit_codebooks
from dcg_econ.experiments.referential import STEPS, protocol_of
from dcg_econ.learning import play
from dcg_econ.mechanisms.referential import AbstractReferential
from dcg_econ.messages import Continuous

TRAINING, HELD_OUT = 4096, 4000  # messages


def quantised(
    game: AbstractReferential, population: Any, language: Continuous, words: Sequence[int], key: jax.Array
) -> pd.DataFrame:
    """Accuracy in so many bits: one row for each number of words, of a codebook for the whole message ("whole") and of one
    for each of four positions ("by position", words each)."""
    protocol = protocol_of(language)
    first, second, third = jax.random.split(key, 3)

    @jax.jit
    @jax.vmap
    def heard(key):
        talk = play(game, population, protocol, key=key).talk
        assert talk is not None  # the protocol is not silence
        return talk.received[0, 0]

    training = heard(jax.random.split(first, TRAINING))
    rows = []
    for count in words:
        whole = fit_codebook(training, count, third)
        parts = fit_codebooks(training.reshape(TRAINING, STEPS, -1), count, third)
        for kind, quantiser, bits in (
            ("whole", whole, jnp.log2(count)),
            ("by position", parts, STEPS * jnp.log2(count)),
        ):
            keys = jax.random.split(second, HELD_OUT)
            score = _accuracy(game, population, language, quantiser, keys, kind == "by position")
            rows.append({"codebook": kind, "words": count, "bits": float(bits), "accuracy": float(score)})
    return pd.DataFrame(rows)


@eqx.filter_jit
def _accuracy(game, population, language, quantiser, keys, by_position):
    def hear(turn, raw, keys):
        signal, _ = jax.vmap(language.through.law)(raw)
        shape = (STEPS, -1) if by_position else (-1,)
        words, _ = jax.vmap(lambda x, k: quantiser(x.reshape(shape), k))(signal, keys)
        _, info = jax.vmap(language)(raw, keys)
        return words.reshape(signal.shape), info

    protocol = protocol_of(language)
    return jnp.mean(jax.vmap(lambda k: play(game, population, protocol, key=k, hear=hear).welfare)(keys))
