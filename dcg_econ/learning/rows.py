"""What is each player's own in the reports, as late as it can be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float

from dcg_econ.messages.curve import KernelCurve


def own_rows(population: Any, numbers: Float[Array, "N k"]) -> tuple[Any, Callable[[Any], Any]]:
    """Rows (N, ...), each made of one player's numbers alone, and what makes the reports from such rows.

    Where curves are reported they are the fitted curves' coefficients and values. N players' derivatives taken there pass
    through N fits, since each needs its player's own curve only; taken in the numbers they pass through N^2.
    """
    reports = population.assemble(numbers)
    if isinstance(reports, KernelCurve) and reports.coefficients.ndim == 2:
        return (reports.coefficients, reports.values), lambda rows: KernelCurve(reports.basis, *rows)
    return numbers, population.assemble
