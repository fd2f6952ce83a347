"""Errors that name the field and the remedy, and the test for values that can be checked."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


class InputError(ValueError):
    """A value that a user gave cannot be used: `field` says which, `remedy` what to do."""

    def __init__(self, field: str, problem: str, remedy: str):
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field = field
        self.remedy = remedy


class EquilibriumError(RuntimeError):
    """No equilibrium was found, or what was found does not deserve the name."""


class ClearingError(RuntimeError):
    """A market has no clearing price where it was asked to look for one."""


def is_concrete(*values: Any) -> bool:
    """Whether every array in `values` holds numbers now, so that it can be checked (nothing is being traced)."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def require_finite(field: str, values: Any) -> None:
    """Raises `InputError` where a concrete array holds NaN or infinity."""
    if is_concrete(values) and not np.all(np.isfinite(np.asarray(values))):
        where = np.flatnonzero(~np.isfinite(np.ravel(np.asarray(values))))[:3].tolist()
        raise InputError(field, f"not a finite number at position {where}", "drop or repair these observations")


def require_positive(field: str, values: Any, strict: bool = True) -> None:
    """Raises `InputError` where a concrete array is negative (or zero, if `strict`)."""
    require_finite(field, values)
    if not is_concrete(values):
        return
    numbers = np.asarray(values)
    if np.any(numbers <= 0) if strict else np.any(numbers < 0):
        bound = "above zero" if strict else "zero or more"
        raise InputError(field, f"found {numbers.min():g}", f"give numbers {bound}")
