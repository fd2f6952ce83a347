"""Klemperer and Meyer (1989): firms with rising marginal costs commit to supply functions; the linear case."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket

UNEQUAL = (0.5, 1.0, 2.0, 4.0)  # slopes of marginal cost
DEMAND = 0.7  # slope of demand that the unequal firms face
STEP = 1e-4  # of central differences

jax.config.update("jax_enable_x64", True)


def replicate():
    # Firms are traders of value 0 who buy negative amounts; demand is 2 - b p.
    firms = CurveMarket(curvature=jnp.ones(3), values=0.0, outside_slope=1.0, outside_price=2.0)
    equal = dcg.ProportionalDemand(1.0)
    slope = dcg.sensitivity(firms, lambda eq: eq.strategies.slope, strategies=equal)
    unequal = dcg.solve(
        CurveMarket(curvature=jnp.array(UNEQUAL), values=0.0, outside_slope=DEMAND, outside_price=2.0 / DEMAND)
    )
    return {
        "slope": slope.value,
        "slope_in_cost": jnp.sum(slope["curvature"]),
        "slope_in_demand": slope["outside_slope"],
        **{f"firm_{i + 1}": s for i, s in enumerate(unequal.strategies.slope)},
        "regret": unequal.regret,
    }


def symmetric(c, b):
    """The root of s = (1 - c s)(b + 2 s)."""
    return brentq(lambda s: (1 - c * s) * (b + 2 * s) - s, 0, 1 / c, xtol=1e-14)


def independent():
    """The derivatives from roots on either side; unequal firms by repeated best replies, each found by search."""

    def reply(c, rivals, shock):
        """Price and quantity at which the profit from what rivals leave is greatest."""
        residual = DEMAND + rivals

        def loss(price):
            quantity = shock - residual * price
            return 0.5 * c * quantity**2 - price * quantity

        price = minimize_scalar(loss, bracket=(0.0, 0.1), tol=1e-12).x
        return np.array([price, shock - residual * price])

    slopes = np.ones(len(UNEQUAL))
    for _ in range(60):
        for i, c in enumerate(UNEQUAL):  # the best replies to two states of demand lie on the line of supply
            price, quantity = reply(c, slopes.sum() - slopes[i], 2.0) - reply(c, slopes.sum() - slopes[i], 1.0)
            slopes[i] = quantity / price
    return {
        "slope_in_cost": (symmetric(1 + STEP, 1.0) - symmetric(1 - STEP, 1.0)) / (2 * STEP),
        "slope_in_demand": (symmetric(1.0, 1 + STEP) - symmetric(1.0, 1 - STEP)) / (2 * STEP),
        **{f"firm_{i + 1}": s for i, s in enumerate(slopes)},
    }


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
