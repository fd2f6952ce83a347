"""Whether a message says something, and whether anybody listens (Lowe et al. 2019).

Positive signalling: messages depend on types, I(message; type) > 0. Speaker consistency: on the speaker's own action. Positive
listening: what is done depends on the message. Causal influence of communication, messages m set by hand:

    CIC = sum_m p(m) sum_a p(a | do m) log(p(a | do m) / p(a)),   p(a) = sum_m p(m) p(a | do m)          (1)

which is zero for a receiver that is deaf and the messages' entropy for one that repeats them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import rel_entr
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.diagnostics.topographic import cut

LAW = 1e-4  # how far from one a law's sum may be: rounding of float32 softmaxes, and no more


class Information(NamedTuple):
    """Mutual information of samples: `nats`, by frequencies, so too high by about (rows-1)(columns-1)/2n; `null_nats`, its mean
    where one side is shuffled, the same bias without the information; `p_value`, of as much or more there.
    """

    nats: float
    null_nats: float
    p_value: float

    @property
    def bits(self) -> float:
        """`nats` in bits."""
        return self.nats / math.log(2)

    @property
    def net_nats(self) -> float:
        """`nats` less the bias, cut at zero: to be quoted where samples are few."""
        return max(self.nats - self.null_nats, 0.0)


def mutual_information(joint: Float[Array, "M T"]) -> Float[Array, ""]:
    """I(row; column) in nats of a joint table, of probabilities or counts; `InputError` where negative or all zero."""
    require_positive("joint", joint, strict=False)
    total = jnp.sum(joint)
    if is_concrete(total) and float(total) == 0:
        raise InputError("joint", "all zero", "give probabilities or counts")
    law = joint / total
    return jnp.sum(rel_entr(law, jnp.sum(law, 1, keepdims=True) * jnp.sum(law, 0, keepdims=True)))


def positive_signalling(
    messages: Array | np.ndarray,
    types: Array | np.ndarray,
    stop: int | None = None,
    permutations: int = 199,
    seed: int = 0,
) -> Information:
    """I(message; type) of n samples, each row of either one value: messages (n,) or (n, L), types (n,) or (n, A), discrete.

    With `stop`, what follows the first one in tokens (n, L) does not count. `InputError` where they are unpaired or none.
    """
    messages, types = np.asarray(messages), np.asarray(types)
    if len(messages) != len(types) or len(messages) == 0:
        raise InputError("messages", f"{len(messages)} for {len(types)} types", "give one or more of each, paired")
    rows, columns = _numbered(messages if stop is None else cut(messages, stop)), _numbered(types)
    found = _plug_in(rows, columns)
    rng = np.random.default_rng(seed)
    null = np.array([_plug_in(rows, rng.permutation(columns)) for _ in range(permutations)])
    rounding = len(rows) * np.finfo(float).eps
    p_value = (1 + np.sum(null >= found - rounding)) / (1 + permutations)
    return Information(found, float(np.mean(null)) if permutations else math.nan, float(p_value))


def speaker_consistency(
    messages: Array | np.ndarray,
    actions: Array | np.ndarray,
    stop: int | None = None,
    permutations: int = 199,
    seed: int = 0,
) -> Information:
    """I(message; the speaker's own action) of n samples, as `positive_signalling`."""
    return positive_signalling(messages, actions, stop, permutations, seed)


def positive_listening(heard: Float[Array, "*n A"], silence: Float[Array, "*n A"]) -> Float[Array, ""]:
    """Mean total variation, 0 to 1, between what is done on the message, pi(a | o, m), and on silence; (..., A) laws.

    `InputError` where they are no laws.
    """
    _require_laws("heard", heard)
    _require_laws("silence", silence)
    return jnp.mean(jnp.sum(jnp.abs(heard - silence), -1)) / 2


def causal_influence(messages: Float[Array, " M"], actions: Float[Array, "M A"]) -> Float[Array, ""]:
    """CIC (1) in nats, from p(m) (M,) and p(a | do m) (M, A), of one situation; from 0 to the messages' entropy.

    `InputError` where they are no laws. Average over situations, for which `jax.vmap` serves.
    """
    _require_laws("messages", messages)
    _require_laws("actions", actions)
    marginal = messages @ actions  # a sum over messages, no average
    told = jnp.sum(rel_entr(actions, jnp.where(messages[:, None] > 0, marginal, 1)), -1)
    return messages @ told


def _require_laws(field, laws):
    require_positive(field, laws, strict=False)
    if is_concrete(laws) and np.any(np.abs(np.sum(np.asarray(laws), -1) - 1) > LAW):
        raise InputError(field, "does not sum to one", "give probabilities, such as jax.nn.softmax(logits)")


def _numbered(things):
    """Each distinct row by a number."""
    return np.unique(things.reshape(len(things), -1), axis=0, return_inverse=True)[1].ravel()


def _plug_in(rows, columns):
    """Mutual information by frequencies, nats."""
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    law = counts / len(rows)
    apart = law.sum(1, keepdims=True) * law.sum(0, keepdims=True)
    seen = law > 0
    return max(float(np.sum(law[seen] * np.log(law[seen] / apart[seen]))), 0.0)
