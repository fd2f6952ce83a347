r"""Institutions whose report is one number: how they are solved, and what deviations earn.

Player i says m_i, between bounds where there are any, and the institution makes levels and taxes of all numbers. With types
of which only the first private number is uncertain, quadratic utility and an institution that is quadratic in the numbers,
the interim payoff of m_i depends on the others' strategies through means and variances only, and is computed exactly from
2N nodes m_j = E m_j +- sqrt(N) sd(m_j) (Stroud 1957); with certain types there is one node. Where payoffs are not quadratic
(voluntary contributions at a convex cost, serial shares) learned messages can still be played, and their regret is then an
approximation that knows two moments of the others' messages. First-order conditions with
multipliers, in the latent number l_i that is cut to m_i at the bounds (Robinson 1992),

    E[d u_i / d m_i] (m_i) - kappa_i (l_i - m_i) = 0,     m_i = min(max(l_i, low_i), high_i),                   (1)

kappa_i = -d^2 u_i / d m_i^2 (1 where that is zero): inside the bounds the condition is the usual one, and at a bound the
distance l_i - m_i is the marginal payoff of leaving it over kappa_i, of the sign that complementarity asks for.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.frozen import Frozen
from dcg_econ.agents.number_messages import AbstractNumberMessages, AffineMessages, FixedMessages
from dcg_econ.mechanisms.public_goods.preferences import QuadraticPreferences
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood, PublicOutcome
from dcg_econ.priors import AbstractBoundedPrior

GRID = 65  # reports at which a best deviation is looked for before the search is refined
_PIECE_NODES = 24  # a stretch of types over which a cut message is integrated


class Believed(eqx.Module):
    """A profile with what an opponent believes of it: nodes (m, N) of all messages and their weights (m,)."""

    profile: Any
    nodes: Array
    weights: Array

    def __call__(self, known: Any) -> Any:
        return self.profile(known)


class AbstractNumberInstitution(AbstractPublicGood):
    """Reports are numbers (N,); subclasses say what is made of them."""

    @abstractmethod
    def provide(self, messages: Float[Array, " N"]) -> PublicOutcome:
        """The outcome of the messages, whether or not they are within bounds."""

    @abstractmethod
    def start(self) -> Float[Array, " N"]:
        """Messages at mean types from which (1) is solved."""

    @abstractmethod
    def quadratic(self) -> bool:
        """Whether payoffs are quadratic in the messages, for quadratic utility."""

    def handed_in(self, actions, types):
        del types
        return actions

    def said(self, numbers, types):
        del types
        return numbers

    def outcome(self, reports):
        low, high = self.bounds()
        slack = 1e-9 * (1 + jnp.abs(reports))
        inside = jnp.all((reports >= low - slack) & (reports <= high + slack))
        outcome = self.provide(reports)
        return outcome._replace(found=outcome.found & inside)

    def situations(self, profile):
        del profile
        return self.preferences.own_nodes()

    def initial_profile(self):
        self.require_tractable()
        return _start(self)

    def bind(self, profile):
        if not isinstance(profile, AbstractNumberMessages):
            return profile
        return eqx.tree_at(lambda p: p.bounds, profile, Frozen(self.bounds()))

    def require_tractable(self) -> None:
        """Raises `InputError` where beliefs would need more than means and variances."""
        if self.preferences.certain:
            return
        quadratic = isinstance(self.preferences, QuadraticPreferences) and self.preferences.one_number
        if not (quadratic and self.quadratic()):
            raise InputError(
                "preferences",
                "private types here have no equilibrium in closed form (known are: private intercepts of quadratic "
                "preferences, with payoffs quadratic in the messages)",
                "give numbers in place of priors, or train learned agents (dcg.train)",
            )

    def residuals(self, own: AbstractNumberMessages, others: AbstractNumberMessages):
        nodes, weights = self.beliefs(others)
        players = jnp.arange(self.preferences.count)

        def condition(deviation):
            types = self.preferences.at(deviation)
            latent = own.uncut(types)
            said = own.cut(latent)

            def at(i):
                slope = self.marginal(nodes, weights, i, types, said[i])
                steep = jax.lax.stop_gradient(self.steepness(nodes, weights, i, types, said[i]))
                return slope - steep * (latent[i] - said[i])  # (1)

            return jax.vmap(at)(players)

        return jax.vmap(condition, out_axes=1)(jnp.asarray(own.collocation(), nodes.dtype))

    def marginal(self, nodes, weights, player, types, message):
        """The derivative of `expected` in the message."""
        return jax.grad(lambda m: self.expected(nodes, weights, player, types, m))(message)

    def steepness(self, nodes, weights, player, types, message):
        """kappa of (1)."""
        bend = jax.grad(lambda m: self.marginal(nodes, weights, player, types, m))(message)
        return jnp.where(bend < 0, -bend, 1.0)

    def expected(self, nodes, weights, player, types, message):
        """The player's payoff from a message, over beliefs about the others' messages."""

        def at(node):
            return self.payoffs(types, self.provide(node.at[player].set(message)))[player]

        return weights @ jax.vmap(at)(nodes)

    def beliefs(self, profile: Any) -> tuple[Float[Array, "m N"], Float[Array, " m"]]:
        """Nodes of all players' messages with the means and the variances that `profile` gives them."""
        if isinstance(profile, Believed):
            return profile.nodes, profile.weights
        n = self.preferences.count
        if self.preferences.certain:
            return profile(self.preferences.at(jnp.zeros(())))[None], jnp.ones(1)
        mean, std = self._moments(profile)
        steps = np.sqrt(n) * jnp.diag(std)
        return jnp.concatenate([mean + steps, mean - steps]), jnp.full(2 * n, 1 / (2 * n))

    def _own_nodes(self, profile) -> tuple[Float[Array, "q N k"], Float[Array, "q N"]]:
        """Nodes and weights of each player's own type, between the kinks of messages that are cut."""
        first, *_ = self.preferences.private.values()
        cuts = isinstance(profile, AffineMessages) and isinstance(first, AbstractBoundedPrior)
        if cuts and self.preferences.one_number:
            return _pieces(first, profile, self.preferences)
        types, weights = self.preferences.own_nodes()
        return types, jnp.broadcast_to(weights[:, None], types.shape[:2])

    def _moments(self, profile) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        types, weights = self._own_nodes(profile)
        messages = jax.vmap(profile)(types)
        mean = jnp.sum(weights * messages, axis=0)
        variance = jnp.sum(weights * (messages - mean) ** 2, axis=0)
        positive = variance > 0
        return mean, jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)

    def prepared(self, profile):
        return Believed(profile, *self.beliefs(profile))

    def expectations(self, profile):
        believed = self.prepared(profile)
        types, weights = self._own_nodes(profile)
        players = jnp.arange(self.preferences.count)

        def at_node(node):
            said = believed(node)
            own = lambda i: self.expected(believed.nodes, believed.weights, i, node, said[i])  # noqa: E731
            return jax.vmap(own)(players)

        payoffs = jnp.sum(weights * jax.vmap(at_node)(types), axis=0)
        surplus = believed.weights @ jax.vmap(lambda m: self.budget_surplus(self.provide(m)))(believed.nodes)
        return payoffs, jnp.sum(payoffs) + surplus

    def facing(self, profile, player, types):
        nodes, weights = self.beliefs(profile)
        return lambda message: self.expected(nodes, weights, player, types, message)

    def own_report(self, profile, player, types):
        return profile(types)[player]

    def report_grid(self, profile, player, types):
        nodes, weights = self.beliefs(profile)
        own = self.own_report(profile, player, types)
        slope = self.marginal(nodes, weights, player, types, own)
        width = 4 * jnp.abs(slope / self.steepness(nodes, weights, player, types, own)) + 1 + jnp.abs(own)
        low, high = (bound[player] for bound in self.bounds())
        low = jnp.where(jnp.isfinite(low), low, own - width)
        return jnp.linspace(low, jnp.where(jnp.isfinite(high), high, own + width), GRID)

    def admissible(self, profile):
        del profile
        return self.preferences.concave()


@eqx.filter_jit
def _start(game: AbstractNumberInstitution) -> AbstractNumberMessages:
    """Messages at mean types, beyond a bound as far as its multiplier says."""
    types, said = game.preferences.at(jnp.zeros(())), game.start()
    nodes, weights = said[None], jnp.ones(1)

    def at(i):
        slope = game.marginal(nodes, weights, i, types, said[i])
        steep = game.steepness(nodes, weights, i, types, said[i])
        cross = jax.grad(lambda a: game.marginal(nodes, weights, i, types.at[i, 0].set(a), said[i]))(types[i, 0])
        return slope / steep, cross / steep

    away, weight = jax.vmap(at)(jnp.arange(types.shape[0]))
    low, high = game.bounds()
    latent = said + jnp.where((said <= low) & (away < 0) | (said >= high) & (away > 0), away, 0.0)
    if game.preferences.certain:
        return FixedMessages(latent, Frozen((low, high)))
    # The weight is the slope of a reply in the own type, everything else held: a start that Newton likes.
    return AffineMessages(latent - weight * types[:, 0], weight, Frozen((low, high)))


def _pieces(first: AbstractBoundedPrior, profile: AffineMessages, preferences) -> tuple[Array, Array]:
    """Types (q, N, k) and weights (q, N): Gauss-Legendre between the types at which a player's message meets a bound."""
    n = preferences.count
    low, high = (jnp.broadcast_to(end, (n,)) for end in first.support())
    weight = jnp.broadcast_to(jnp.asarray(profile.weight), (n,))
    safe = jnp.where(weight == 0, 1.0, weight)
    kinks = [jnp.where(weight == 0, low, (bound - profile.intercept) / safe) for bound in profile.bounds.value]
    kinks = [jnp.where(jnp.isfinite(kink), jnp.clip(kink, low, high), low) for kink in kinks]
    knots = jnp.concatenate([jnp.broadcast_to(first.knots().T, (n, first.knots().shape[0])).T, jnp.stack(kinks)])
    edges = jnp.sort(knots, axis=0)
    points, shares = np.polynomial.legendre.leggauss(_PIECE_NODES)
    half = 0.5 * jnp.diff(edges, axis=0)[:, None]
    values = edges[:-1, None] + half * (1 + points[:, None])
    values, weights = values.reshape(-1, n), (half * shares[:, None]).reshape(-1, n)
    weights = weights * jax.vmap(first.density)(values)
    types = jnp.broadcast_to(preferences.at(jnp.zeros(())), (values.shape[0], n, len(preferences.private)))
    return types.at[:, :, 0].set(values), weights / jnp.sum(weights, axis=0)
