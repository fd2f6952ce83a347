"""How the gradient of an objective is estimated: in the numbers of reports, and in the raw numbers of messages.

What is differentiated is the sum over players j of w_ij (payoff_j - what its messages cost), for each player i in its own
numbers only, everything downstream of them responding. Where something is drawn (a symbol, a noisy signal), an estimator
says what is heard while it is differentiated, and what the log-probability of what was drawn is multiplied with.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.learning.objectives import AbstractObjective, Selfish
from dcg_econ.learning.protocol import AbstractProtocol, Protocol
from dcg_econ.learning.talk import Hear, through
from dcg_econ.mechanism import AbstractGame
from dcg_econ.messages.language import AbstractLanguage


class Drawn(NamedTuple):
    """What a batch of E episodes came to: payoffs net of the cost of messages, but for what length costs (E, N); what length
    costs (E, N); log-probabilities of all messages (E,); what players know (E, c); weights (rows, N) of the objective."""

    payoffs: Array
    length_charges: Array
    log_probs: Array
    context: Array
    weights: Array

    def rewards(self) -> Float[Array, "rows E 2"]:
        """What every row of the objective gets: from payoffs, and from length."""
        return jnp.stack([self.weights @ self.payoffs.T, -self.weights @ self.length_charges.T], axis=-1)


class Credit(NamedTuple):
    """What derivatives are multiplied with: of the payoffs of each episode (E,), and of its log-probability (rows, E)."""

    payoffs: Array
    log_probs: Array


class AbstractEstimator(eqx.Module):
    """One switch: the gradient estimator, with game, nets, data and seeds held."""

    @abstractmethod
    def check(self, game: AbstractGame, objective: AbstractObjective, protocol: AbstractProtocol, batch: int) -> None:
        """Raises `InputError` where it would estimate the wrong gradient."""

    @abstractmethod
    def setting(self, game: AbstractGame, profile: Any) -> Any:
        """What the episodes of one step share, made once from the profile that is being played."""

    @abstractmethod
    def payoffs(self, game: AbstractGame, setting: Any, actions: Any, types: Any, outcome: Any) -> Float[Array, " N"]:
        """The players' payoffs from `actions`, whose `outcome` is at hand, as a function that may be differentiated."""

    @abstractmethod
    def branches(self, protocol: AbstractProtocol, players: tuple[str, ...]) -> np.ndarray | None:
        """Numbers of the words (C, T, N) of every course that talk can take, each played; None plays one course as drawn."""

    @abstractmethod
    def hear(self, language: AbstractLanguage, step: Array, branch: Array | None) -> Hear:
        """How messages come through at a step of training, on one of the `branches`."""

    @abstractmethod
    def begin(self, key: Array, drawn: Drawn) -> Any:
        """What the estimator remembers, before anything was played; `drawn` shows the shapes."""

    @abstractmethod
    def credit(self, memory: Any, drawn: Drawn) -> tuple[Credit, Any]:
        """What derivatives are multiplied with, and what the estimator remembers from now on."""

    @abstractmethod
    def bonus(self) -> Float[Array, ""]:
        """Payoff units per nat of entropy of a player's own messages."""


class AbstractUncredited(AbstractEstimator):
    """Nothing drawn is credited with anything: derivatives pass through what is heard."""

    def branches(self, protocol, players):
        del protocol, players

    def begin(self, key, drawn):
        del key, drawn

    def credit(self, memory, drawn):
        rows, episodes = drawn.weights.shape[0], drawn.payoffs.shape[0]
        return Credit(jnp.ones(episodes), jnp.zeros((rows, episodes))), memory

    def bonus(self):
        return jnp.zeros(())


class Pathwise(AbstractUncredited):
    """Derivatives through messages, channels, reports, clearing price and payoffs: g_i = sum_j w_ij du_j / dx_i.

    Row i of the result is the derivative in x_i with every other player's policy held but its inputs free, so what a player
    learns from is its own payoff and nobody else's parameters move for it. It needs payoffs that are continuous in the
    reports, and channels that are functions of noise: where either jumps, the derivative of a play misses what happens there.
    """

    def check(self, game, objective, protocol, batch):
        del objective, batch
        require_continuous(game, protocol)
        if isinstance(protocol, Protocol) and not protocol.language.pathwise:
            raise InputError(
                "estimator",
                f"Pathwise has no derivative through a {type(protocol.language).__name__}",
                "give dcg.ScoreFunction(), dcg.Relaxed(), or for few words dcg.Enumerated()",
            )

    def setting(self, game, profile):
        return None

    def payoffs(self, game, setting, actions, types, outcome):
        del setting, actions
        return game.payoffs(types, outcome)

    def hear(self, language, step, branch):
        del step, branch
        return through(language)


class Interim(AbstractUncredited):
    """Derivatives of interim payoffs: what a player does not know is integrated out before it is differentiated.

    For mechanisms whose payoffs jump (who trades), but whose expectations over the others' types do not. The others'
    present strategies are held. Exact for the player's own payoff, hence for selfish objectives only; and for reports
    that nothing was said before, because talk tells about types.
    """

    def check(self, game, objective, protocol, batch):
        del game, batch
        if isinstance(protocol, Protocol):
            raise InputError(
                "estimator", "Interim knows the prior only, and talk tells about types", "give dcg.Pathwise()"
            )
        if not isinstance(objective, Selfish):
            raise InputError(
                "objective",
                f"{type(objective).__name__} needs the others' payoffs, and Interim knows the player's own",
                "give dcg.Selfish()",
            )

    def setting(self, game, profile):
        return game.prepared(profile)

    def payoffs(self, game, setting, actions, types, outcome):
        del outcome

        def of(player):
            report = game.own_report(lambda _: actions, player, types)
            return game.interim_payoff(setting, player, types, report)

        return jax.vmap(of)(jnp.arange(len(game.players)))

    def hear(self, language, step, branch):
        del step, branch
        return through(language)


def default_estimator(game: AbstractGame, protocol: AbstractProtocol | None = None) -> AbstractEstimator:
    """Pathwise where payoffs are continuous in the reports, else interim; by the score function where symbols are drawn."""
    if isinstance(protocol, Protocol) and not protocol.language.pathwise and protocol.language.likely:
        from dcg_econ.learning.score import ScoreFunction

        return ScoreFunction()
    return Pathwise() if game.continuous or isinstance(protocol, Protocol) else Interim()


def played_payoffs(game: AbstractGame, actions: Any, types: Any) -> Float[Array, " N"]:
    """The payoffs of one play."""
    return game.payoffs(types, game.outcome(game.handed_in(actions, types)))


def require_continuous(game: AbstractGame, protocol: AbstractProtocol) -> None:
    """Refuses payoffs that jump in the reports."""
    if game.continuous:
        return
    remedy = "give dcg.Interim(), or leave the estimator to the mechanism"
    if isinstance(protocol, Protocol):
        remedy = (
            "train on a softened game, SoftAuction(auction, width=0.02), and judge the result on the auction itself"
        )
    raise InputError(
        "estimator", f"derivatives of a play do not see who trades: payoffs of a {type(game).__name__} jump", remedy
    )
