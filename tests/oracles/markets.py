"""Closed forms of the curve market, written from the literature and not from the package."""

import numpy as np


def symmetric_slope(n: int, c: float) -> float:
    """Kyle (1989), Rostek and Weretka (2012): N traders, equal curvature, no outside demand."""
    return (n - 2) / ((n - 1) * c)


def symmetric_efficiency(n: int) -> float:
    """1 - 1/(N-1)^2 for iid types and zero supply."""
    return 1 - 1 / (n - 1) ** 2


def supply_function_slope(n: int, c: float, b: float) -> float:
    """Green and Newbery (1992): the positive root of s = (1 - c s)(b + (N-1) s)."""
    roots = np.roots([-c * (n - 1), n - 2 - c * b, b])
    return float(roots[roots > 0][0])


def unequal_slopes(c: np.ndarray, b: float) -> np.ndarray:
    """Klemperer and Meyer (1989): fixed point of s_i = 1/(c_i + 1/(sum of the others + b)), iterated from below."""
    s = 0.5 / c
    for _ in range(20_000):
        s = 1 / (c + 1 / (s.sum() - s + b))
    return s


def wilson_price(mean_value: float, supply: float, n: int, c: float) -> float:
    """Ausubel et al. (2014): the linear equilibrium of the share auction."""
    return mean_value - (c * supply / n) * (n - 1) / (n - 2)


def cournot_slope(c: float, b: float) -> float:
    """dq_i / d theta_i when the outside of slope b prices quantities: 1 / (c + 2/b)."""
    return 1 / (c + 2 / b)
