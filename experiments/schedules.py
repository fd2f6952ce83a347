"""One buyer's schedules in a calibrated market, for a figure: true marginal value, Nash, and what the treatment reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from dcg_econ.agents import ProportionalDemand
from dcg_econ.agents.frozen import learned_axes
from dcg_econ.equilibrium import Equilibrium
from dcg_econ.experiments.conduct import Played
from dcg_econ.experiments.observe import PRICE, QUANTITY
from dcg_econ.experiments.scene import Scene
from dcg_econ.mechanisms import CurveMarket

GRID = np.linspace(0.7, 1.3, 61)  # in units of the day's competitive price


def schedule_frame(
    document: Mapping[str, Any], stage: Scene, played: Played, nash: Equilibrium | None
) -> dict[str, pd.DataFrame]:
    """`schedules` on a day of average price and catch, for the lowest, the mean and the highest value."""
    market = stage.mechanism
    if not isinstance(market, CurveMarket):
        return {}
    spread = np.sqrt(3) * market.values.std()  # the half-width of a uniform prior
    values = market.values.mean() + jnp.array([-1.0, 0.0, 1.0]) * spread
    lines = {"true marginal value": _asked(ProportionalDemand(1 / market.curvature), False, values, market)}
    if nash is not None:
        lines["nash_schedules"] = _asked(nash.strategies, False, values, market)
    if played.stacked:
        lines[document["treatment"]] = _asked(played.profile, True, values, market)
    price, catch = (float(np.mean(stage.units.of(unit))) for unit in (PRICE, QUANTITY))
    rows = []
    for name, quantities in lines.items():
        low, high = (np.quantile(quantities, q, axis=0) if len(quantities) > 1 else None for q in (0.1, 0.9))
        for i, value in enumerate(np.asarray(values)):
            line = {
                "treatment": name,
                "type_value": value * price,
                "price": GRID * price,
                "quantity": quantities.mean(0)[i] * catch,
                "quantity_low": np.nan if low is None else low[i] * catch,
                "quantity_high": np.nan if high is None else high[i] * catch,
            }
            rows.append(pd.DataFrame(line))
    return {"schedules": pd.concat(rows, ignore_index=True)}


def _asked(profile: Any, stacked: bool, values: jax.Array, market: CurveMarket) -> np.ndarray:
    """The first buyer's quantities (sessions, values, prices)."""
    n, grid = len(market.players), jnp.asarray(GRID)

    def session(profile):
        def at(value):
            return jax.vmap(lambda p: profile(jnp.full(n, value))(p)[0])(grid)

        return jax.vmap(at)(values)

    if not stacked:
        return np.asarray(session(profile))[None]
    return np.asarray(eqx.filter_vmap(session, in_axes=(learned_axes(profile),))(profile))
