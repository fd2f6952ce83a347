"""Chatterjee and Samuelson (1983): sealed offers, values and costs uniform on [0, 1], price halfway between bid and ask."""

import jax
import jax.numpy as jnp
from scipy.integrate import dblquad

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction

PLAYS = 200_000

jax.config.update("jax_enable_x64", True)


def replicate():
    auction = DoubleAuction(k=0.5)
    eq = dcg.solve(auction)
    (buyer_constant, seller_constant), (buyer_slope, seller_slope) = eq.strategies.intercept, eq.strategies.slope
    types = jax.vmap(auction.sample_types)(jax.random.split(jax.random.key(1), PLAYS))

    def traded(types):
        reports = auction.handed_in(eq.strategies(auction.known(types)), types)
        return auction.outcome(reports).bought[0]

    return {
        "buyer_slope": buyer_slope,
        "buyer_constant": buyer_constant,
        "seller_slope": seller_slope,
        "seller_constant": seller_constant,
        "surplus": eq.welfare,
        "trade": jnp.mean(jax.vmap(traded)(types)),
        "regret": eq.regret,
    }


def independent():
    """Integrals over the pairs that trade, v - c >= 1/4."""
    (surplus, _), (trade, _) = (
        dblquad(of, 0, 0.75, lambda cost: cost + 0.25, 1) for of in (lambda v, c: v - c, lambda v, c: 1.0)
    )
    return {"surplus": surplus, "trade": trade}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
