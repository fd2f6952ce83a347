"""The second best of bilateral trade twice, from the literature and not from the package: by brute force, and as a
linear programme over all direct mechanisms on a grid of types."""

import itertools

import numpy as np
from scipy import integrate, optimize, sparse


def brute_force(values, costs):
    """Surplus and weight alpha for frozen scipy distributions: Brent's method within adaptive quadrature."""
    low, high = values.support()
    cheapest, dearest = costs.support()

    def phi(v, alpha):
        return v - alpha * values.sf(v) / values.pdf(v)

    def gamma(c, alpha):
        return c + alpha * costs.cdf(c) / costs.pdf(c) if c > cheapest else cheapest

    def threshold(v, alpha):
        target, last = phi(v, alpha), dearest - 1e-12 * (dearest - cheapest)
        if target <= cheapest:
            return cheapest
        if target >= gamma(last, alpha):
            return dearest
        return optimize.brentq(lambda c: gamma(c, alpha) - target, cheapest, last, xtol=1e-14)

    def expect(function, alpha):
        # Where the first and the last cost begin to trade; in between the integrand is smooth.
        cuts = [low, high]
        for end in (cheapest, gamma(dearest - 1e-12 * (dearest - cheapest), alpha)):
            a, b = low + 1e-9 * (high - low), high - 1e-9 * (high - low)
            if phi(a, alpha) < end < phi(b, alpha):
                cuts.append(optimize.brentq(lambda v, end=end: phi(v, alpha) - end, a, b, xtol=1e-14))
        return sum(
            integrate.quad(function, a, b, epsabs=1e-12, epsrel=1e-11, limit=100)[0]
            for a, b in itertools.pairwise(sorted(cuts))
        )

    def budget(alpha):
        def at(v):
            c = threshold(v, alpha)
            return ((v - c) * values.pdf(v) - values.sf(v)) * costs.cdf(c)

        return expect(at, alpha)

    alpha = optimize.brentq(budget, 1e-9, 1, xtol=1e-12)

    def surplus(v):
        c = threshold(v, alpha)
        below = integrate.quad(costs.cdf, cheapest, c, epsabs=1e-12, epsrel=1e-11)[0]
        return ((v - c) * costs.cdf(c) + below) * values.pdf(v)

    return expect(surplus, alpha), alpha


def first_best(values, costs):
    """E max(v - c, 0) by two-dimensional quadrature."""
    low, high = values.support()
    cheapest, dearest = costs.support()
    return integrate.dblquad(
        lambda c, v: (v - c) * values.pdf(v) * costs.pdf(c),
        max(low, cheapest),
        high,
        cheapest,
        lambda v: min(v, dearest),
        epsabs=1e-10,
        epsrel=1e-9,
    )[0]


def linear_programme(values, costs, n):
    """The largest surplus of a direct mechanism on n types a side at the middles of equal cells.

    Chosen are the chance of trade q (n, n), and what each buyer pays and each seller gets on average. Constraints: no
    type gains by its neighbour's report (enough where chances rise in the type), none loses, and payments balance.
    """
    (v, f), (c, g) = _cells(values, n), _cells(costs, n)
    identity, size = np.eye(n), n * n + 2 * n
    buys = np.hstack([np.kron(identity, g), np.zeros((n, 2 * n))])  # chance to trade by own type
    sells = np.hstack([np.kron(f, identity), np.zeros((n, 2 * n))])
    pays = np.hstack([np.zeros((n, n * n)), identity, np.zeros((n, n))])
    gets = np.hstack([np.zeros((n, n * n + n)), identity])
    rows = [pays - v[:, None] * buys, c[:, None] * sells - gets]  # interim payoffs, negated
    for i, j in [(i, i + d) for i in range(n) for d in (-1, 1) if 0 <= i + d < n]:
        rows.append((v[i] * buys[j] - pays[j] - v[i] * buys[i] + pays[i])[None])
        rows.append((gets[j] - c[i] * sells[j] - gets[i] + c[i] * sells[i])[None])
    inequalities = np.vstack(rows)
    surplus = np.concatenate([(f[:, None] * g * (v[:, None] - c)).ravel(), np.zeros(2 * n)])
    done = optimize.linprog(
        -surplus,
        A_ub=sparse.csr_matrix(inequalities),
        b_ub=np.zeros(len(inequalities)),
        A_eq=(f @ pays - g @ gets)[None],
        b_eq=[0],
        bounds=[(0, 1)] * (n * n) + [(None, None)] * (size - n * n),
        method="highs",
    )
    assert done.status == 0, done.message
    return -done.fun


def _cells(law, n):
    edges = np.linspace(*law.support(), n + 1)
    return 0.5 * (edges[1:] + edges[:-1]), np.diff(law.cdf(edges))
