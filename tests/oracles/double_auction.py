"""The k-double auction once more, from the literature and not from the package: closed forms, brute force, and SciPy."""

import numpy as np
from scipy import integrate


def linear(k):
    """Intercepts and slopes of bid and ask, values and costs uniform on [0, 1] (Chatterjee and Samuelson 1983)."""
    return np.array([k * (1 - k) / (2 * (1 + k)), (1 - k) / 2]), np.array([1 / (1 + k), 1 / (2 - k)])


def linear_surplus(k):
    return 1 / 8 + k * (1 - k) / 16


def clear(k, bids, asks, lots):
    """The price, who bought and who sold, by counting for each offer the offers that beat it."""
    m, n = len(bids), len(asks)
    offers = [(x, i < m, lot) for i, (x, lot) in enumerate(zip([*bids, *asks], lots, strict=True))]
    holds = np.array([sum(other > own for other in offers) < n for own in offers])
    prices = sorted(x for x, _, _ in offers)
    return (1 - k) * prices[m - 1] + k * prices[m], holds[:m], ~holds[m:]


def affine_regret(k, intercept, slope, types=400, reports=10_000):
    """Expected gains of buyer and seller from best replies to an affine profile, uniform [0, 1]: the best of a grid of
    reports for each own type, payoffs integrated over the types of the other side that trade."""
    nodes, weights = np.polynomial.legendre.leggauss(types)
    own, grid = 0.5 * (1 + nodes), np.linspace(0, 1, reports)

    def up_to(side, report):  # the share of the side that reports no more, and the mean of its reports there
        share = np.clip((report - intercept[side]) / slope[side], 0, 1)
        means = [
            integrate.fixed_quad(lambda u, s=s: s * (intercept[side] + slope[side] * s * u), 0, 1)[0] for s in share
        ]
        return share, np.array(means)

    def buyer(value, bid):
        share, asks = up_to(1, bid)
        return np.multiply.outer(value, share) - (k * bid * share + (1 - k) * asks)

    def seller(cost, ask):
        share, bids = up_to(0, ask)
        total = intercept[0] + 0.5 * slope[0]
        return (1 - k) * ask * (1 - share) + k * (total - bids) - np.multiply.outer(cost, 1 - share)

    gains = []
    for side, payoff in enumerate((buyer, seller)):
        follow = np.diag(payoff(own, intercept[side] + slope[side] * own))
        gains.append(0.5 * weights @ np.maximum(payoff(own, grid).max(axis=1) - follow, 0))
    return np.array(gains)


def two_steps(d):
    """Thresholds and surplus of the step functions at prices (1 -+ d)/2, k = 1/2, uniform [0, 1]: by symmetry
    y_1 = 1 - x_2, and x_2 - p_2 solves a quadratic equation."""
    low, high = (1 - d) / 2, (1 + d) / 2
    over = (-1.5 * d + np.sqrt(2.25 * d**2 + 2 * d * low)) / 2
    x, y = high + over, low - over

    def area(v0, v1, c):  # of v - c over values from v0 to v1 and costs up to c
        return c * (v1**2 - v0**2) / 2 - (v1 - v0) * c**2 / 2

    return x, y, area(low, x, y) + area(x, 1, high)


def smooth_surplus(values, costs, k, price, value, cost, margin=1e-6):
    """The surplus of the equilibrium through (price, value, cost), frozen SciPy distributions: equations (2) and (3) of one
    buyer and one seller integrated in the price, with the surplus as one more state."""

    def rates(p, state):
        v, c, below, _ = (
            state  # below: the integral of G up to c, so that E (v - c)+ against costs up to c is in closed form
        )
        dv = (1 - k) * values.sf(v) / ((p - c) * values.pdf(v))
        dc = k * costs.cdf(c) / ((v - p) * costs.pdf(c))
        return dv, dc, costs.cdf(c) * dc, values.pdf(v) * dv * ((v - c) * costs.cdf(c) + below)

    def end(p, state):
        return min(state[0] - p, p - state[1]) - margin

    end.terminal = True
    start = [value, cost, integrate.quad(costs.cdf, costs.support()[0], cost, epsabs=1e-14)[0], 0.0]
    down, up = (
        integrate.solve_ivp(rates, (price, stop), start, "DOP853", events=end, rtol=1e-10, atol=1e-13)
        for stop in (costs.support()[0], values.support()[1])
    )
    return up.y[3, -1] - down.y[3, -1]
