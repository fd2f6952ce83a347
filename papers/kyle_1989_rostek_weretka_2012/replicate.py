"""Kyle (1989), Rostek and Weretka (2012): few traders with private values hand in demand schedules and move the price."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms import CurveMarket

CURVATURE = 0.8
FEW, MORE = 3, 5

jax.config.update("jax_enable_x64", True)


def replicate():
    few, more = (dcg.solve(CurveMarket(curvature=jnp.full(n, CURVATURE))) for n in (FEW, MORE))
    noisy = dcg.solve(
        CurveMarket(curvature=jnp.full(MORE, CURVATURE), values=dcg.Normal(2.0, 0.5), supply=dcg.Normal())
    )
    try:
        dcg.solve(CurveMarket(curvature=jnp.full(2, CURVATURE)))
        refused = 0.0
    except dcg.EquilibriumError:
        refused = 1.0
    return {
        "slope_few": few.strategies.slope[0],
        "slope_more": more.strategies.slope[0],
        "slope_noise": noisy.strategies.slope[0],
        "price_impact": 1 / ((MORE - 1) * more.strategies.slope[0]),
        "efficiency_few": few.efficiency,
        "efficiency_more": more.efficiency,
        "two_traders": refused,
        "regret": jnp.maximum(few.regret, more.regret),
    }


def reply(n, slope):
    """The slope of one trader's best demand, found by search: its best prices at two heights of what n - 1 others leave."""

    def demand(height):
        def payoff(price):
            quantity = (n - 1) * slope * (price - height)
            return price * quantity + 0.5 * CURVATURE * quantity**2  # of value 0, to be made small

        price = minimize_scalar(payoff, bracket=(0.0, 0.1), tol=1e-12).x
        return price, (n - 1) * slope * (price - height)

    (p, q), (p_up, q_up) = demand(0.7), demand(1.7)
    return -(q_up - q) / (p_up - p)


def independent():
    """Repeated best replies, each found by search, and trade among drawn values."""

    def settle(n, rounds=60):
        slope = 0.5
        for _ in range(rounds):
            slope = reply(n, slope)
        return slope

    def efficiency(n):
        values = np.random.default_rng(1).normal(size=(1000, n))
        apart = values - values.mean(axis=1, keepdims=True)  # from the price, with nothing on offer
        first_best, traded = apart / CURVATURE, settle(n) * apart
        worth = [np.sum(values * q - 0.5 * CURVATURE * q**2) for q in (traded, first_best)]
        return worth[0] / worth[1]

    return {"efficiency_few": efficiency(FEW), "efficiency_more": efficiency(MORE)}
