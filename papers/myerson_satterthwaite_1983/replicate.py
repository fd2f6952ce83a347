"""Myerson and Satterthwaite (1983): the most that bilateral trade brings, and the subsidy that efficient trade needs."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction, bargaining

GRID = 401  # types a side at which the rule of trade is looked at, none of them 1/4 apart
LOW_COSTS = 0.6  # the second pair of priors: costs uniform on [0, .6]

jax.config.update("jax_enable_x64", True)


def replicate():
    bound = bargaining.second_best(dcg.Uniform(), dcg.Uniform())
    other = bargaining.second_best(dcg.Uniform(), dcg.Uniform(0.0, LOW_COSTS))
    v, c = jnp.meshgrid(jnp.linspace(0, 1, GRID) + 1e-3, jnp.linspace(0, 1, GRID))
    # Truth is best for the one who does not set the price; who pays the other's type or gets it has the rents of
    # efficient trade. Both rents at once cost more than trade brings.
    truth = dcg.AffineBids(jnp.zeros(2), jnp.ones(2))
    ask_rules, bid_rules = (DoubleAuction(k=k) for k in (0.0, 1.0))
    rents = ask_rules.expectations(truth)[0][0] + bid_rules.expectations(truth)[0][1]
    honest = dcg.regret(ask_rules, truth).by_player[0] + dcg.regret(bid_rules, truth).by_player[1]
    return {
        "rule": jnp.mean(bound.trades(v, c) != (v - c >= 0.25)),
        "surplus": bound.surplus,
        "trade": bound.trade_probability,
        "weight": bound.weight,
        "linear_equilibrium": dcg.solve(DoubleAuction(k=0.5)).welfare / bound.surplus,
        "subsidy": rents - ask_rules.expected_first_best(),
        "truth": honest,
        "surplus_low_costs": other.surplus,
        "weight_low_costs": other.weight,
    }


def independent():
    """Integrals over the pairs that trade; the weight by root finding on the budget."""

    def over(function, alpha, top):
        """Its integral over v in [0, 1] and c in [0, top] with v - alpha (1 - v) >= c + alpha c."""
        return dblquad(function, 0, 1, 0, lambda v: min(max(v - alpha * (1 - v), 0) / (1 + alpha), top))[0] / top

    def weight(top):
        # The budget is a polynomial between kinks: quadrature to 1e-10 or so.
        return brentq(lambda alpha: over(lambda c, v: 2 * v - 1 - 2 * c, alpha, top), 1e-6, 0.99, xtol=1e-13)

    def gains(v):
        """What bids on a grid bring the value v that pays the ask of a truthful seller: the integral of v - c up to the bid."""
        bids = np.linspace(0, 1, 51)
        return v * bids - bids**2 / 2

    even, low = weight(1.0), weight(LOW_COSTS)
    surplus = over(lambda c, v: v - c, even, 1.0)
    return {
        "surplus": surplus,
        "trade": over(lambda c, v: 1.0, even, 1.0),
        "weight": even,
        "linear_equilibrium": dblquad(lambda v, c: v - c, 0, 0.75, lambda c: c + 0.25, 1)[0] / surplus,
        "subsidy": quad(lambda x: x * (1 - x), 0, 1)[0],
        "truth": max(np.max(gains(v) - gains(v)[round(v * 50)]) for v in np.linspace(0, 1, 51)),
        "surplus_low_costs": over(lambda c, v: v - c, low, LOW_COSTS),
        "weight_low_costs": low,
    }
