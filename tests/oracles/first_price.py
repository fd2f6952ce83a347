"""The first-price auction by scipy: bids by quadrature of the closed form, revenue by the revenue equivalence theorem."""

from scipy.integrate import quad


def bid(value, cdf, start, bidders, risk):
    """(3) of the mechanism: Riley and Samuelson (1981)."""
    power = (bidders - 1) / (1 - risk)
    return (
        value - quad(lambda t: (cdf(t) / cdf(value)) ** power, start, value, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
    )


def revenue(cdf, density, start, high, bidders, reserve):
    """Of a second-price auction, hence of every efficient one: E max(second value, reserve) where one value exceeds it."""
    n = bidders
    lowest = reserve if reserve > start else start
    second = quad(
        lambda v: v * n * (n - 1) * (1 - cdf(v)) * cdf(v) ** (n - 2) * density(v), lowest, high, epsabs=1e-13
    )[0]
    return second + n * (1 - cdf(lowest)) * cdf(lowest) ** (n - 1) * lowest


def bid_table(values, cdf, start, bidders, risk):
    """Bids of several values."""
    return [bid(v, cdf, start, bidders, risk) for v in values]
