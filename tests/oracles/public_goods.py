"""Public goods once more, from the literature and not from the package: closed forms, loops, linear algebra, and SciPy.

Quadratic players throughout: v_i = a_i Y - B_i Y^2 / 2 (so B = 2b in the package), C = c0 Y + c1 Y^2 / 2.
"""

import itertools

import numpy as np
from scipy import optimize


def spent(level, c0, c1=0.0):
    """C(Y)."""
    return c0 * level + 0.5 * c1 * level**2


def bought(money, c0, c1=0.0):
    """The level at which C(Y) = money, by Brent's method."""
    return optimize.brentq(lambda y: spent(y, c0, c1) - money, 0, money / c0 + 1, xtol=1e-14)


def value(level, a, slope):
    return a * level - 0.5 * slope * level**2


def lindahl(a, slope, c0, c1):
    """Level, personal prices and the producer's profit of Lindahl's equilibrium; the level is Samuelson's."""
    level = max((a.sum() - c0) / (slope.sum() + c1), 0.0)
    prices = a - slope * level
    return level, prices, prices.sum() * level - spent(level, c0, c1)


def groves_ledyard_taxes(messages, gamma, c0, c1):
    """C/N + (gamma/2) ((N-1)/N (x_i - mean of the others)^2 - their variance), messages (..., N)."""
    messages = np.asarray(messages, float)
    n = messages.shape[-1]
    taxes = np.empty_like(messages)
    for i in range(n):
        others = np.delete(messages, i, axis=-1)
        unlike = (n - 1) / n * (messages[..., i] - others.mean(-1)) ** 2 - others.var(-1, ddof=1)
        taxes[..., i] = spent(messages.sum(-1), c0, c1) / n + 0.5 * gamma * unlike
    return taxes


def walker_taxes(messages, c0, c1):
    messages = np.asarray(messages, float)
    n, total = messages.shape[-1], messages.sum(-1)
    own = [messages[..., (i + 1) % n] - messages[..., (i + 2) % n] for i in range(n)]
    return np.stack([spent(total, c0, c1) / n + price * total for price in own], axis=-1)


def groves_ledyard_slopes(slope, gamma, c1=0.0):
    """Second derivatives d^2 u_i / dx_i dx_j of payoffs, (N, N)."""
    n = len(slope)
    found = np.repeat((gamma / n - slope - c1 / n)[:, None], n, axis=1)
    found[np.diag_indices(n)] -= gamma
    return found


def walker_slopes(slope, c1=0.0):
    n = len(slope)
    found = np.repeat((-slope - c1 / n)[:, None], n, axis=1)
    for i in range(n):
        found[i, (i + 1) % n] -= 1
        found[i, (i + 2) % n] += 1
    return found


def reply_radius(slopes):
    """The spectral radius of best replies, dx_i/dx_j = -u_ij / u_ii."""
    replies = -slopes / np.diag(slopes)[:, None]
    np.fill_diagonal(replies, 0.0)
    return np.abs(np.linalg.eigvals(replies)).max()


def nash(slopes, a, c0):
    """The messages at which marginal payoffs a_i - c0/N + sum_j u_ij x_j are zero."""
    return np.linalg.solve(slopes, c0 / len(a) - a)


def clarke(a, slope, c0, c1):
    """The level and the taxes of the pivot mechanism on reports a - slope Y: areas, maximised one by one."""
    n = len(a)

    def net(y, who):
        return sum(value(y, a[j], slope[j]) - spent(y, c0, c1) / n for j in who)

    def best(who):
        share = len(who) / n
        return max((a[who].sum() - share * c0) / (slope[who].sum() + share * c1), 0.0)

    level, everyone = best(np.arange(n)), np.arange(n)
    others = [np.delete(everyone, i) for i in everyone]
    pivots = np.array([net(best(who), who) - net(level, who) for who in others])
    return level, spent(level, c0, c1) / n + pivots


def serial(a, slope, c0, c1):
    """Levels and payments when the level rises, those who stay share marginal cost, and players leave one by one."""
    inside, levels, paid, before, bill = set(range(len(a))), np.zeros(len(a)), np.zeros(len(a)), 0.0, 0.0
    while inside:
        k = len(inside)
        # Player i leaves where a_i - slope_i Y = (c0 + c1 Y) / k, or at once.
        wants = {i: max((a[i] - c0 / k) / (slope[i] + c1 / k), before) for i in inside}
        first = min(inside, key=lambda i: wants[i])
        bill += (spent(wants[first], c0, c1) - spent(before, c0, c1)) / k
        before = levels[first] = wants[first]
        paid[first] = bill
        inside.remove(first)
    return levels, paid


def lindahl_game(a, slope, held, c0, c1):
    """The level at which everybody's shade, slopes `held`, answers the others': v_i' - p_i = Y (c1 + others' slopes)."""
    n = len(a)
    return (a.sum() - c0) / (slope.sum() + (n + 1) * c1 + (n - 1) * held.sum())


def lindahl_payoff(i, a_i, slope_i, heights, held, c0, c1):
    """What player i gets when reports are heights - held Y; `heights` (..., N)."""
    level = (heights.sum(-1) - c0) / (held.sum() + c1)
    return value(level, a_i, slope_i) - (heights[..., i] - held[i] * level) * level


def cobb_douglas_total(share, wealth):
    """Voluntary contributions at price one: the fixed point of max(0, w - G (1 - a) / a) summed (Cornes and Hartley)."""

    def excess(total):
        return np.maximum(0, wealth - total * (1 - share) / share).sum() - total

    return optimize.brentq(excess, 0, wealth.sum(), xtol=1e-15, rtol=1e-15)


def quasi_linear_total(a, slope, wealth, c0, c1):
    """Voluntary contributions: the keenest first, each up to what it wants in all, or to its endowment."""
    wants = np.maximum((a - c0) / (slope + c1), 0.0)
    order = np.argsort(-wants)
    reach = [bought(money, c0, c1) for money in np.cumsum(wealth[order])]
    return max(min(want, most) for want, most in zip(wants[order], reach, strict=True))


def cobb_douglas_first_best(share, wealth):
    """The largest sum of x^(1-a) Y^a over allocations of the wealth at price one, and its level."""
    n, total = len(share), wealth.sum()

    def loss(x):
        level = total - x.sum()
        return -np.sum(x ** (1 - share) * level**share)

    start = np.full(n, total / (n + 1))
    found = optimize.minimize(
        loss, start, bounds=[(1e-9, total)] * n, constraints={"type": "ineq", "fun": lambda x: total - 1e-9 - x.sum()},
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    return -found.fun, total - found.x.sum()


def affine_nash(slopes, mean, constant):
    """Affine equilibrium m_i = p_i + q_i a_i where payoffs' derivatives are a_i + u_ii m_i + sum_j u_ij E m_j - constant_i,
    the mean of every intercept being `mean`."""
    means = np.linalg.solve(slopes, constant - np.full(len(slopes), mean))
    weight = -1 / np.diag(slopes)
    return means - weight * mean, weight


def cut_means(p, q, low, high, most):
    """E min(max(p + q a, 0), most) for a uniform on [low, high], by Gauss-Legendre between the kinks."""
    points, weights = np.polynomial.legendre.leggauss(4)
    means = []
    for one, slope in zip(p, q, strict=True):
        cuts = np.clip(np.sort([low, -one / slope, (most - one) / slope, high]), low, high)
        mean = 0.0
        for a, b in itertools.pairwise(cuts):
            mean += 0.5 * (b - a) * weights @ np.clip(one + slope * (0.5 * (a + b + (b - a) * points)), 0, most)
        means.append(mean / (high - low))
    return np.array(means)


def cut_contributions(slope, low, high, most, c0=1.0):
    """Private intercepts, C = c0 Y: contributions p_i + q_i a_i cut at 0 and `most`, with the fixed point of
    their means: inside, a_i - B_i (g_i + E others) / c0 = c0."""
    q = c0 / slope

    def heights(means):
        return -(c0**2) / slope - (means.sum() - means)

    def gap(means):
        return cut_means(heights(means), q, low, high, most) - means

    means = optimize.fsolve(gap, np.full(len(slope), 0.5 * most), xtol=1e-14)
    return heights(means), q


def interim(payoff, player, message, strategies, low, high, nodes=24):
    """The expectation of payoff(messages (..., N)) of `player` saying `message`, the others' intercepts uniform and their
    messages made of them by `strategies`."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    draws = 0.5 * (low + high + (high - low) * points)
    columns = [np.array([message]) if j == player else say(draws) for j, say in enumerate(strategies)]
    shares = [np.ones(1) if j == player else 0.5 * weights for j in range(len(strategies))]
    grid = np.stack(np.meshgrid(*columns, indexing="ij"), -1)
    joint = np.ones(())
    for share in shares:
        joint = np.multiply.outer(joint, share)
    return float((joint * payoff(grid)).sum())
