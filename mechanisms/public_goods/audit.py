"""What an institution does to the budget and to those who would rather stay away, over draws of types."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import require_positive
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood


class Audit(eqx.Module):
    """Over d draws of types: `budget_surplus` (d,), `gains` over the status quo (d, N), `welfare`, `first_best` (d,)."""

    budget_surplus: Float[Array, " d"]
    gains: Float[Array, "d N"]
    welfare: Float[Array, " d"]
    first_best: Float[Array, " d"]

    @property
    def efficiency(self) -> Float[Array, ""]:
        """E welfare / E first best, on these draws."""
        return jnp.sum(self.welfare) / jnp.sum(self.first_best)

    def to_frame(self):
        """A pandas frame: means, extremes, and how often there is a deficit or somebody who loses."""
        import pandas as pd

        budget, gains = np.asarray(self.budget_surplus), np.asarray(self.gains)
        slack = 1e-9 * (1 + np.abs(np.asarray(self.first_best)))
        rows = {
            "budget surplus": (budget.mean(), budget.min(), budget.max(), (budget < -slack).mean()),
            "gain of a player": (gains.mean(), gains.min(), gains.max(), (gains < -slack[:, None]).mean()),
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "least", "largest", "share below zero"])

    def __str__(self):
        return f"{self.to_frame().to_string(float_format='%.6g')}\nefficiency {float(self.efficiency):.6f}"


def audit(mechanism: AbstractPublicGood, profile: Any, *, key: Array, draws: int = 1024) -> Audit:
    """Budget and individual rationality when everybody follows `profile`, equilibrium or not."""
    require_positive("draws", draws)
    return _audit(mechanism, profile, jax.random.split(key, draws))


@eqx.filter_jit
def _audit(mechanism, profile, keys):
    def at(key):
        types = mechanism.sample_types(key)
        outcome = mechanism.outcome(mechanism.reports(profile, types))
        gains = mechanism.payoffs(types, outcome) - mechanism.status_quo(types)
        welfare, first_best = mechanism.welfare(types, outcome), mechanism.first_best(types)
        return mechanism.budget_surplus(outcome), gains, welfare, first_best

    return Audit(*jax.vmap(at)(keys))
