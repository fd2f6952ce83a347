"""Farrell and Gibbons (1989): both say whether they are keen, then make sealed offers; values and costs uniform on [0, 1]."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, optimize

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction

jax.config.update("jax_enable_x64", True)
AUCTION = DoubleAuction(k=0.5)
COSTS, BIDS = 10_000, jnp.linspace(0, 1, 101)  # a buyer takes expectations over these many costs, and tries these bids


@jax.jit
@jnp.vectorize
def clear(bid, ask):
    """Whether the bid buys at the ask, and the price."""
    types = AUCTION.sample_types(jax.random.key(0))
    offers = AUCTION.known(types)._replace(buyers=bid[None], sellers=ask[None])
    outcome = AUCTION.outcome(AUCTION.handed_in(offers, types))
    return outcome.bought[0], outcome.price


def says(y, keen, values):
    """Of buyers who say so: payoffs, chances of trade, chances of trade with v - c < 1/4, and payoffs with their best bids."""
    values, (low, high) = jnp.atleast_1d(values), (1 - y, 1.0) if keen else (0.0, y)
    linear = dcg.solve(DoubleAuction(values=dcg.Uniform(low, high), costs=dcg.Uniform(low, high))).strategies
    # Linear offers, but nobody asks less than every bid or bids more than every ask; two who are keen meet at 1/2.
    ends, total = (linear.report(0, y), 2.0) if keen else (-1.0, linear.report(1, 1 - y)), 0.0
    for first, last, *limits in [(0, 1 - y, 0.5, 0.5), (1 - y, 1, *ends)] if keen else [(0, 1 - y, *ends)]:
        costs = first + (last - first) * (jnp.arange(COSTS) + 0.5) / COSTS
        bids, asks = (jnp.clip(linear.report(side, types), *limits) for side, types in enumerate((values, costs)))
        bought, price = clear(jnp.append(bids, BIDS)[:, None], asks)
        best = jnp.max(values[:, None] * bought.mean(1) - (bought * price).mean(1), axis=1)
        bought, price, small = bought[: len(bids)], price[: len(bids)], values[:, None] - costs < 0.25
        each = jnp.stack([bought * (values[:, None] - price), bought, bought * small]).mean(-1)
        total += (last - first) * jnp.append(each, best[None], axis=0)
    return total


def replicate():
    y = optimize.brentq(lambda y: says(y, True, y)[0, 0] - says(y, False, y)[0, 0], 0.6, 0.9)
    # Without talk the value v has (v - 1/4)^2/2 in the linear equilibrium.
    last = optimize.brentq(lambda v: says(y, False, v)[0, 0] - (v - 0.25) ** 2 / 2, 0.45, 0.75)
    points, weights = np.polynomial.legendre.leggauss(8)
    edges = np.array([0, y / 4, 0.25, 1 - 3 * y / 4, 1.25 - y, y, 1])  # between which all chances are linear
    half = np.diff(edges)[:, None] / 2
    values, weights = jnp.array((edges[:-1, None] + half * (1 + points)).ravel()), (half * weights).ravel()
    talk, other = (jnp.where(values < y, says(y, keen, values), says(y, not keen, values)) for keen in (False, True))
    found = {"keen": y, "trade": weights @ talk[1], "gains": 2 * weights @ talk[0]}  # sellers have as much as buyers
    deviation = jnp.max(jnp.maximum(talk[3], other[3]) - talk[0])
    return found | {"small_gains": weights @ talk[2], "last": last, "deviation": deviation}


def independent():
    """From the rule of trade alone: payoffs are integrals of the chance of trade, and the budget balances at one y."""

    def expect(weight, y, gap, up_to=1.0):
        """Its expectation over pairs whose v - c is `gap` at least, and which trade where that is enough."""
        kinks = np.clip([gap, gap + 1 - y, y], 0, up_to)
        of = lambda v: weight(v) * np.clip(v - gap, 0, 1 if v >= y else 1 - y)  # noqa: E731
        return integrate.quad(of, 0, up_to, points=kinks)[0]

    y = optimize.brentq(lambda y: expect(lambda v: 4 * v - 3, y, y / 4), 0.6, 0.9)  # E (2 (v - c) - 1), c mirrored
    trade, gains = (expect(weight, y, y / 4) for weight in (lambda v: 1.0, lambda v: 2 * v - 1))
    last = optimize.brentq(lambda v: expect(lambda u: 1.0, y, y / 4, v) - (v - 0.25) ** 2 / 2, 0.45, 0.75)
    small = trade - expect(lambda v: 1.0, y, 0.25)
    return {"keen": y, "trade": trade, "gains": gains, "small_gains": small, "last": last}
