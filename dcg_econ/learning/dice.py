r"""DiCE: expected payoffs whose derivatives of every order are unbiased from samples (Foerster et al. 2018).

    magic_box(l) = exp(l - stop(l))                                                                      (1)
    payoff_i magic_box(l) + (1 - magic_box(l)) baseline                                                  (2)

with l the log-probability of everything that was said. (1) is one, and each derivative brings down the score.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.learning.episode import said_and_reported
from dcg_econ.learning.estimators import AbstractEstimator, played_payoffs
from dcg_econ.learning.objectives import Joint
from dcg_econ.learning.protocol import AbstractProtocol, Protocol, as_protocol
from dcg_econ.learning.score import Enumerated, ScoreFunction
from dcg_econ.learning.talk import converse
from dcg_econ.mechanism import AbstractGame


def magic_box(log_prob: Array) -> Array:
    """(1): one, with the derivatives of the probability over the probability."""
    return jnp.exp(log_prob - jax.lax.stop_gradient(log_prob))


def dice(game: AbstractGame, agents: Any, protocol: Any, types: Any, keys: Array) -> Float[Array, " N"]:
    """Mean payoffs, net of the cost of messages, of plays at `types` (B, ...) with `keys` (B,), as a function of agents.

    The value is a plain mean. Its derivatives in the agents, of any order, are unbiased for those of the expectation; the
    baseline is the mean of the other plays. Needs a language with log-probabilities and two plays or more.
    """
    protocol = as_protocol(protocol)
    ScoreFunction().check(game, Joint(), protocol, keys.shape[0])
    payoffs, log_probs = jax.vmap(lambda t, k: _played(game, agents, protocol, ScoreFunction(), t, k, None))(
        types, keys
    )
    box = magic_box(log_probs)[:, None]
    baseline = jax.lax.stop_gradient((jnp.sum(payoffs, axis=0) - payoffs) / (keys.shape[0] - 1))
    return jnp.mean(box * payoffs + (1 - box) * baseline, axis=0)


def enumerated_payoffs(game: AbstractGame, agents: Any, protocol: Any, types: Any) -> Float[Array, " N"]:
    """Expected payoffs at one draw of `types`, net of the cost of messages: the sum over every course that talk can take."""
    protocol, exact = as_protocol(protocol), Enumerated()
    exact.check(game, Joint(), protocol, 1)
    branches = jnp.asarray(exact.branches(protocol, game.players))
    key = jax.random.key(0)  # nothing is drawn
    payoffs, log_probs = jax.vmap(lambda b: _played(game, agents, protocol, exact, types, key, b))(branches)
    return jnp.exp(log_probs) @ payoffs


def _played(
    game: AbstractGame,
    agents: Any,
    protocol: AbstractProtocol,
    estimator: AbstractEstimator,
    types: Any,
    key: Array,
    branch: Array | None,
) -> tuple[Array, Array]:
    """Net payoffs (N,) and the log-probability of what was said."""
    if not isinstance(protocol, Protocol):
        _, reports = said_and_reported(game, agents, protocol, types, key)
        return game.payoffs(types, game.outcome(reports)), jnp.zeros(())
    hear = estimator.hear(protocol.language, jnp.zeros(()), branch)
    known = game.known(types)
    talk, heard = converse(agents, protocol, game.players, known, key, hear)
    assert talk is not None  # the protocol is not silence
    actions = agents.assemble(agents.numbers(known, heard))
    return played_payoffs(game, actions, types) - jnp.sum(talk.charge, axis=0), jnp.sum(talk.log_prob)
