"""Farrell and Gibbons (1989): both say whether they are keen, then make sealed offers; values and costs uniform on [0, 1]."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction

jax.config.update("jax_enable_x64", True)
AUCTION, COSTS = DoubleAuction(k=0.5), 50_000  # costs, evenly spaced, over which a buyer takes expectations


@jax.jit
def clear(bids, asks):
    """Whether each bid buys at each ask, and the price."""
    types = AUCTION.sample_types(jax.random.key(0))

    def at(bid, ask):
        offers = AUCTION.known(types)._replace(buyers=bid[None], sellers=ask[None])
        outcome = AUCTION.outcome(AUCTION.handed_in(offers, types))
        return outcome.bought[0], outcome.price

    return jax.vmap(lambda bid: jax.vmap(lambda ask: at(bid, ask))(asks))(bids)


def talks(values, y, keen, n):
    """For each kind of seller a buyer who says so may trade with: its chance, n costs of it, these values' bids, its asks."""
    low, high = (1 - y, 1.0) if keen else (0.0, y)
    linear = dcg.solve(DoubleAuction(values=dcg.Uniform(low, high), costs=dcg.Uniform(low, high))).strategies
    # Nobody asks less than all bid, or bids more than all ask. Two who are keen meet at 1/2.
    ends = (linear.report(0, y), 2.0) if keen else (-1.0, linear.report(1, 1 - y))
    for (start, end), limits in [((0.0, 1 - y), (0.5, 0.5)), ((1 - y, 1.0), ends)] if keen else [((0.0, 1 - y), ends)]:
        costs = start + (end - start) * (jnp.arange(n) + 0.5) / n
        yield end - start, costs, *(jnp.clip(linear.report(s, t), *limits) for s, t in enumerate((values, costs)))


def follow(values, y, keen):
    """Payoffs of buyers who say so and bid as they should; their chances of trade; those of trade with v - c < 1/4."""
    total = 0.0
    for chance, costs, bids, asks in talks(values, y, keen, COSTS):
        bought, price = clear(bids, asks)
        small = values[:, None] - costs < 0.25
        total += chance * jnp.stack([bought * (values[:, None] - price), bought, bought * small]).mean(-1)
    return total


def deviate(values, y, keen):
    """The most they can have by saying so, with the best bid of a grid for every answer."""
    total = 0.0
    for chance, _, bids, asks in talks(values, y, keen, 1000):
        bought, price = clear(jnp.concatenate([bids, jnp.linspace(0, 1, 401)]), asks)
        total += chance * jnp.max(values[:, None] * bought.mean(1) - (bought * price).mean(1), axis=1)
    return total


def replicate():
    def indifferent(y):
        return float(jnp.subtract(*(follow(jnp.array([y]), y, keen)[0, 0] for keen in (True, False))))

    y = brentq(indifferent, 0.6, 0.9, xtol=1e-9)
    points, weights = np.polynomial.legendre.leggauss(8)
    edges = np.array([0, y / 4, 1 - 3 * y / 4, y, 1])  # between which chances of trade are linear
    half = np.diff(edges)[:, None] / 2
    values, weights = jnp.array((edges[:-1, None] + half * (1 + points)).ravel()), (half * weights).ravel()
    talk = jnp.where(values < y, follow(values, y, False), follow(values, y, True))
    silent = dcg.solve(AUCTION).strategies
    asks = silent.report(1, (jnp.arange(COSTS) + 0.5) / COSTS)

    def better(value):
        bought, price = clear(silent.report(0, jnp.array([value])), asks)
        return float(follow(jnp.array([value]), y, False)[0, 0] - jnp.mean(bought * (value - price)))

    best = jnp.maximum(deviate(values, y, True), deviate(values, y, False))
    found = {"keen": y, "trade": weights @ talk[1], "gains": 2 * weights @ talk[0]}  # sellers have as much as buyers
    found |= {"small_gains": weights @ talk[2], "last_to_prefer_talk": brentq(better, 0.45, 0.75, xtol=1e-9)}
    return found | {"deviation": jnp.max(best - talk[0])}


def independent():
    """From the rule of trade alone: payoffs are integrals of the chance of trade, and the budget balances at one y."""

    def costs(v, y, gap):
        """The chance of a cost that is lower than v by `gap` at least and trades where that is enough."""
        return np.clip(v - gap, 0, 1) if v >= y else np.clip(v - gap, 0, 1 - y)

    def expect(weight, y, gap, up_to=1.0):
        cuts = np.clip([0, gap, gap + 1 - y, y, up_to], 0, up_to)
        return sum(
            quad(lambda v: weight(v) * costs(v, y, gap), a, b)[0] for a, b in zip(cuts[:-1], cuts[1:], strict=True)
        )

    # E (2 (v - c) - 1) over the pairs that trade is nil; costs are the values mirrored.
    y = brentq(lambda y: expect(lambda v: 4 * v - 3, y, y / 4), 0.6, 0.9, xtol=1e-14)
    trade, gains = (expect(weight, y, y / 4) for weight in (lambda v: 1.0, lambda v: 2 * v - 1))
    last = brentq(lambda v: expect(lambda u: 1.0, y, y / 4, v) - (v - 0.25) ** 2 / 2, 0.45, 0.75)
    small = trade - expect(lambda v: 1.0, y, 0.25)
    return {"keen": y, "trade": trade, "gains": gains, "small_gains": small, "last_to_prefer_talk": last}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
