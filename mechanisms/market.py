r"""What every market of this folder shares: the traders, the price-taking outside, welfare and the Walrasian first best.

Trader i values q units at theta_i q - c_i q^2 / 2 and knows theta_i. A price-taking outside side demands b (r - p) (it
sells where p > r); its surplus is r x - x^2 / 2b = b (r^2 - p^2) / 2 before it pays. S units are on offer, which have no
other use. The Walrasian price solves sum_i (theta_i - p) / c_i + b (r - p) = S.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, require_finite, require_positive
from dcg_econ.mechanism import AbstractMechanism
from dcg_econ.priors import AbstractPrior

GRID = 65  # reports at which a best deviation is looked for before the search is refined


class MarketTypes(NamedTuple):
    """The traders' private values (N,), in money per unit, and the quantity on offer ()."""

    values: Array
    supply: Array


def with_own_value(own: MarketTypes, player: Array | int, others: MarketTypes) -> MarketTypes:
    """`others`, but for `player`, who has its value in `own`."""
    mine = jnp.arange(own.values.shape[0]) == player
    return others._replace(values=jnp.where(mine, own.values, others.values))


class MarketOutcome(NamedTuple):
    """The clearing price (), the traders' quantities (N,), the outside's quantity (), and whether a price was found."""

    price: Array
    quantities: Array
    outside_quantity: Array
    cleared: Array


class AbstractExchange(AbstractMechanism):
    """N parties with private values, a price-taking outside and a supply; subclasses say whose values come from where,
    and what the parties may report."""

    curvature: eqx.AbstractVar[Array]
    supply: eqx.AbstractVar[AbstractPrior]
    outside_slope: eqx.AbstractVar[Array]
    outside_price: eqx.AbstractVar[Array]

    @abstractmethod
    def sample_values(self, key: Array) -> Float[Array, " N"]:
        """One independent draw of every party's value."""

    @abstractmethod
    def value_moments(self) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        """The mean and the standard deviation of every party's value."""

    def __check_init__(self):
        if self.curvature.ndim == 0:
            raise InputError("curvature", "a single number", "give one for each trader, e.g. jnp.ones(5)")
        if self.curvature.ndim > 1 or self.curvature.shape[0] == 0:
            raise InputError("curvature", f"shape {self.curvature.shape}", "give (N,); for many markets use jax.vmap")
        for field in ("outside_slope", "outside_price"):
            if getattr(self, field).ndim > 0:
                raise InputError(field, f"shape {getattr(self, field).shape}", "give one number")
        if jnp.shape(self.supply.mean()) != ():
            raise InputError("supply", f"shape {jnp.shape(self.supply.mean())}", "give a number or a prior of one")
        require_positive("curvature", self.curvature)
        require_positive("outside_slope", self.outside_slope, strict=False)
        require_finite("outside_price", self.outside_price)

    @property
    def continuous(self):
        return True

    def sample_types(self, key):
        value_key, supply_key = jax.random.split(key)
        return MarketTypes(self.sample_values(value_key), self.supply.sample(supply_key, ()))

    def cubature(self):
        """2(N+1) equally weighted nodes, mean +- sqrt(N+1) standard deviations along each axis (Stroud 1957).

        They reproduce every first and second moment, hence integrate quadratics exactly; some lie outside the support.
        """
        n = self.curvature.shape[-1]
        mean, std = self.value_moments()
        mean, std = jnp.append(mean, self.supply.mean()), jnp.append(std, self.supply.std())
        steps = np.sqrt(n + 1) * jnp.diag(std)
        nodes = jnp.concatenate([mean + steps, mean - steps])
        return MarketTypes(nodes[:, :n], nodes[:, n]), jnp.full(2 * n + 2, 1 / (2 * n + 2), mean.dtype)

    def situations(self, profile):
        del profile
        return self.cubature()

    def expectations(self, profile):
        types, weights = self.cubature()

        def at_node(node):
            outcome = self.outcome(self.reports(profile, node))
            return self.payoffs(node, outcome), self.welfare(node, outcome)

        payoffs, welfare = jax.vmap(at_node)(types)
        return weights @ payoffs, weights @ welfare

    def expected_first_best(self):
        types, weights = self.cubature()
        return weights @ jax.vmap(self.first_best)(types)

    def bind(self, profile):
        return profile

    def prepared(self, profile):
        return profile

    def settled(self, outcome):
        return outcome.cleared

    def payoffs(self, types, outcome):
        q = outcome.quantities
        return (types.values - outcome.price) * q - 0.5 * self.curvature * q**2

    def welfare(self, types, outcome):
        q = outcome.quantities
        traders = jnp.sum(types.values * q - 0.5 * self.curvature * q**2)
        return traders + 0.5 * self.outside_slope * (self.outside_price**2 - outcome.price**2)

    def first_best(self, types):
        p = self.walras_price(types.values, types.supply)
        traders = jnp.sum((types.values**2 - p**2) / (2 * self.curvature))
        return traders + 0.5 * self.outside_slope * (self.outside_price**2 - p**2)

    def walras_price(self, values: Array, supply: Array) -> Array:
        """The competitive price at these values and this supply."""
        demand = jnp.sum(values / self.curvature) + self.outside_slope * self.outside_price - supply
        return demand / (jnp.sum(1 / self.curvature) + self.outside_slope)


class AbstractMarket(AbstractExchange):
    """N traders whose values come from one prior (with arrays for parameters: one each)."""

    values: eqx.AbstractVar[AbstractPrior]

    def __check_init__(self):
        n = jnp.size(self.curvature)
        if jnp.shape(self.values.mean()) not in ((), (n,)):
            raise InputError("values", f"shape {jnp.shape(self.values.mean())}", f"give one prior, or arrays of {n}")

    @property
    def players(self):
        return tuple(f"trader {i + 1}" for i in range(self.curvature.shape[-1]))

    def sample_values(self, key):
        return self.values.sample(key, self.curvature.shape[-1:])

    def value_moments(self):
        n = self.curvature.shape[-1:]
        return jnp.broadcast_to(self.values.mean(), n), jnp.broadcast_to(self.values.std(), n)
