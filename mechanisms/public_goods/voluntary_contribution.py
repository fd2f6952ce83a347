r"""Voluntary contributions: everybody pays what it likes, and the good is what the sum buys.

Player i gives g_i between 0 and its endowment w_i, C(Y) = sum_j g_j, and u_i = u_i(Y, w_i - g_i). With W_i the marginal
willingness to pay, the conditions are complementary,

    0 < g_i < w_i:  W_i(Y, w_i - g_i) = C'(Y),     g_i = 0:  W_i <= C'(Y),     g_i = w_i:  W_i >= C'(Y).           (1)

Each g_i that meets (1) depends on the others through Y only and falls with it, so the equilibrium total is unique: where the
sum of these replies crosses the total itself, which is where `solve` starts. With Cobb-Douglas utility, n equal players and
C(Y) = Y the total is n a w / (n (1 - a) + a), against n a w in first best, and redistribution among contributors changes
nothing while nobody loses more than its contribution. Quasi-linear players have W_i(Y): only the keenest give short of the
bounds, and where several are equally keen the total is determined and its split is not. With linear preferences and C(Y) =
c Y everybody gives nothing for mpcr < c, and all for mpcr > c; first best is nothing for n mpcr < c and all above.

Source: Bergstrom, Blume and Varian (1986); the replies to the total are those of Cornes and Hartley (2007).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.mechanisms.public_goods.costs import AbstractCost, QuadraticCost, cost
from dcg_econ.mechanisms.public_goods.numbers import AbstractNumberInstitution
from dcg_econ.mechanisms.public_goods.preferences import AbstractPreferences, LinearPreferences
from dcg_econ.mechanisms.public_goods.public_good import PublicOutcome
from dcg_econ.priors import number

_HALVINGS = 60
_AROUND = 1e-9  # of the total: compiled twice, the same reply rounds differently


class VoluntaryContribution(AbstractNumberInstitution):
    """N players with `preferences`, an `endowment` in money (one number, or one each), and the good's `cost`.

    Errors: an endowment of zero; linear preferences whose mpcr equals marginal cost (every contribution is a best reply)
    or 1/n of it (every level is a first best).
    """

    preferences: AbstractPreferences
    endowment: Array = eqx.field(converter=number("endowment"), default=1.0)
    cost: AbstractCost = eqx.field(converter=cost, default=1.0)

    def __check_init__(self):
        if is_concrete(self.endowment) and not bool(jnp.all(self.endowment > 0)):
            raise InputError("endowment", "zero: there is nothing to give", "give every player money, above zero")
        if isinstance(self.preferences, LinearPreferences) and is_concrete(self.preferences, self.cost):
            _check_return(self.preferences, self.cost)

    @property
    def continuous(self):
        return True

    @property
    def excludable(self):
        return False

    def most(self):
        return self.cost.bought(jnp.sum(self.endowments))

    def bounds(self):
        return jnp.zeros_like(self.endowments), self.endowments

    def quadratic(self):
        return isinstance(self.cost, QuadraticCost) and is_concrete(self.cost.slope) and float(self.cost.slope) == 0

    def provide(self, messages):
        level = self.cost.bought(jnp.sum(messages))
        return PublicOutcome(jnp.broadcast_to(level, messages.shape), messages, level, jnp.isfinite(level))

    def start(self):
        types, zero = self.preferences.at(jnp.zeros(())), jnp.zeros((), jnp.result_type(float))

        def replies(total):
            level = self.cost.bought(total)
            kept = self.preferences.kept(types, jnp.broadcast_to(level, (types.shape[0],)), self.cost.marginal(level))
            return jnp.clip(self.endowments - kept, 0.0, self.endowments)

        def halve(_, ends):
            low, high = ends
            middle = 0.5 * (low + high)
            more = jnp.sum(replies(middle)) > middle
            return jnp.where(more, middle, low), jnp.where(more, high, middle)

        low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (zero, jnp.sum(self.endowments)))
        # Between the two ends replies of equally keen players jump: they share what is missing.
        above, below = replies(low * (1 - _AROUND)), replies(high * (1 + _AROUND))
        jump = jnp.sum(above) - jnp.sum(below)
        share = jnp.where(jump > 0, (high - jnp.sum(below)) / jnp.where(jump > 0, jump, 1.0), 0.0)
        given = below + jnp.clip(share, 0.0, 1.0) * (above - below)
        near = 1e-9 * self.endowments
        given = jnp.where(given < near, 0.0, given)
        return jnp.where(given > self.endowments - near, self.endowments, given)

    def no_equilibrium(self):
        return (
            "no equilibrium was found: check that preferences are concave and the cost convex, or start nearer with "
            "`strategies=dcg.FixedMessages(...)`"
        )

    def selection(self, profile):
        del profile
        return "the total is the same in every equilibrium; equally keen quasi-linear contributors share it evenly"


def _check_return(preferences: LinearPreferences, cost: AbstractCost) -> None:
    """Refuses the two returns at which a linear game has nothing to say."""
    if not (isinstance(cost, QuadraticCost) and float(cost.slope) == 0 and preferences.certain):
        return
    price, n = float(cost.price), preferences.count
    returns = np.broadcast_to(np.asarray(preferences.mpcr.mean()), (n,))
    if np.any(np.isclose(returns, price, rtol=1e-12, atol=0)):
        raise InputError(
            "preferences.mpcr",
            f"a player's return equals the marginal cost, {price:g}: whatever it gives is a best reply, and there is a "
            "continuum of equilibria",
            "take it below (nobody gives) or above (all give)",
        )
    if np.isclose(returns.sum(), price, rtol=1e-12, atol=0):
        raise InputError(
            "preferences.mpcr",
            f"the returns sum to the marginal cost, {price:g}: every level is a first best, and efficiency says nothing",
            "take it below 1/n (nothing is best) or above (all is best)",
        )
