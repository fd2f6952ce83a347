"""Parts of sentences about an estimate: a verb that follows from the sign and the interval, a size with its error."""

import numpy as np

from dcg_econ.analysis.inference import Estimate
from dcg_econ.analysis.tables import decimals, number_text

# Differences and standard errors below this share are the arithmetic's rounding, not findings.
ROUNDING = 1e-10


def verb_of(estimate: Estimate, positive: str, negative: str) -> str | None:
    """The word for the sign, or None where the 95% interval contains zero or there is no standard error."""
    if not estimate.excludes_zero or abs(estimate.value) <= 100 * ROUNDING:
        return None
    return positive if estimate.value > 0 else negative


def absolute(estimate: Estimate) -> Estimate:
    """The estimate with its sign turned to positive."""
    return estimate.scaled(-1.0) if estimate.value < 0 else estimate


def sized(estimate: Estimate, unit: str, interval: bool = False) -> str:
    """Such as "1.23% of revenue (s.e. 0.04; 95% interval 1.15 to 1.31)"."""
    if not np.isfinite(estimate.se):
        return f"{number_text(estimate.value, '.4g')}{unit} (one session: no standard error)"
    size = abs(estimate.value)
    enough = 2 if size >= 1 else int(np.clip(2 - np.floor(np.log10(max(size, 1e-9))), 2, 5))
    places = decimals([max(estimate.se, ROUNDING)], largest=enough, zero=100 * ROUNDING)
    style = f",.{places}f"
    if estimate.se < 0.5 * 10.0**-places:
        return f"{number_text(estimate.value, style)}{unit} (s.e. below {10.0**-places:.{places}f})"
    low, high = number_text(estimate.low, style), number_text(estimate.high, style)
    spread = f"; 95% interval {low} to {high}" if interval else ""
    return f"{number_text(estimate.value, style)}{unit} (s.e. {number_text(estimate.se, style)}{spread})"
