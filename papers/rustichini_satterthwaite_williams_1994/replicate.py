"""Rustichini, Satterthwaite and Williams (1994): m buyers and m sellers, sealed offers, values and costs uniform on [0, 1]."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.stats import binom

import dcg_econ as dcg
from dcg_econ.mechanisms import DoubleAuction, bargaining

SIZES = (2, 4, 8)
MARKUP = 0.22  # over m: what the buyer shades who bids 1/2; it names the equilibrium

jax.config.update("jax_enable_x64", True)


def replicate():
    found, regrets = {}, []
    for m in SIZES:
        auction = DoubleAuction(k=0.5, buyers=m, sellers=m)
        eq = dcg.solve(auction, bargaining.smooth_bids(auction, markup=MARKUP / m))
        found[f"loss_{m}"] = 1 - eq.efficiency
        found[f"misreport_{m}"] = 1 - eq.strategies.report(0, jnp.ones(()))
        regrets.append(eq.regret)
    return with_orders(found) | {"regret": max(regrets)}


def with_orders(found):
    """Exponents of 1/m: of losses from m = 4 to 8; of misreports extrapolated, as the error halves when m doubles."""
    pairs = ("loss_4", "loss_8"), ("misreport_2", "misreport_4"), ("misreport_4", "misreport_8")
    loss, early, late = (np.log2(found[few] / found[many]) for few, many in pairs)
    return found | {"loss_order": loss, "misreport_order": 2 * late - early}


def below(bids, asks, value, cost):
    """The chances that 0, 1, ... of so many bids and asks are below those of this value and this cost."""
    return np.convolve(binom.pmf(range(bids + 1), bids, value), binom.pmf(range(asks + 1), asks, cost))


def path(m):
    """The first-order conditions, integrated from the price 1/2 down and up: the highest bid, and a buyer's E (2v - 1)."""

    def rates(price, state):
        value, cost, _ = state
        both = m * below(m - 1, m - 1, value, cost)[m - 1]  # the rival just overtaken is of the other side
        overtaken = [
            [(m - 1) * below(m - 2, m, value, cost)[m - 1], both],
            [both, (m - 1) * below(m, m - 2, value, cost)[m - 1]],
        ]
        worse = below(m - 1, m, value, cost)[m] / (value - price), below(m, m - 1, value, cost)[m - 1] / (price - cost)
        d_value, d_cost = np.linalg.solve(overtaken, 0.5 * np.array(worse))
        return d_value, d_cost, (2 * value - 1) * below(m - 1, m, value, cost)[m:].sum() * d_value

    def end(price, state):
        return min(state[0] - price, price - state[1], 1 - state[0], state[1]) - 1e-6

    end.terminal = True
    start = (0.5 + MARKUP / m, 0.5 - MARKUP / m, 0.0)
    ends = [solve_ivp(rates, (0.5, to), start, "DOP853", events=end, rtol=1e-9, atol=1e-12) for to in (0.0, 1.0)]
    return ends[1].t[-1], ends[1].y[2, -1] - ends[0].y[2, -1] + 1 - ends[1].y[0, -1]  # the rest of the values buys


def independent():
    """Gains are m E (2v - 1) of a buyer who gets a unit, since costs are values mirrored; m^2/(4m + 2) at first best."""
    found = {}
    for m in SIZES:
        price, gain = path(m)
        found |= {f"loss_{m}": 1 - 2 * (2 * m + 1) / m * gain, f"misreport_{m}": 1 - price}
    return with_orders(found)
