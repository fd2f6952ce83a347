"""What theory alone says about the calibrated market: derivatives, alternative assumptions, and estimation error."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from dcg_econ.equilibrium import sensitivity, solve
from dcg_econ.experiments import fulton
from dcg_econ.experiments.fulton import Calibrated
from dcg_econ.experiments.specification import Calibration
from dcg_econ.mechanisms.market import AbstractMarket

MARKETS = {"schedule": fulton.schedule_market, "quantity": fulton.quantity_market}
SPREADS = (0.05, 0.1, 0.2, 0.4)
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
BUYERS = (2, 3, 5, 10, 20)


def theory_frames(document: Mapping[str, Any]) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """What theory alone says about a calibrated market, and the demand it rests on: frames, and facts in plain values."""
    market = Calibration.model_validate(document["calibration"])
    data, estimate = fulton.fulton_data(), fulton.estimated()
    c = fulton.calibrate(estimate.elasticity, market)
    points, curves, kernel = fulton.demand_curves(data, estimate)
    low, high = estimate.coefficients.loc[estimate.endogenous, ["low", "high"]]
    frames = {
        "demand_points": points,
        "demand_curves": curves,
        "sensitivities": sensitivities(fulton.schedule_market(c)),
        "robustness": robustness(estimate.elasticity, market),
        "estimation": estimation_error(estimate.elasticity, estimate.elasticity_se, market, (float(low), float(high))),
        "spread": spread(estimate.elasticity, market),
    }
    plain = {name: float(value) for name, value in c._asdict().items()}
    return frames, {"calibration": plain, "kernel demand": kernel, "days": len(data)}


def nash_outcomes(market: AbstractMarket) -> Float[Array, 2]:
    """At Nash: the mean price below the competitive price, and the welfare loss in first best, both in percent."""
    eq = solve(market)
    types, weights = market.cubature()
    price = jax.vmap(lambda t: market.outcome(market.reports(eq.strategies, t)).price)(types)
    competitive = jax.vmap(market.walras_price)(types.values, types.supply)
    return 100 * jnp.stack([1 - (weights @ price) / (weights @ competitive), 1 - eq.efficiency])


@eqx.filter_jit
def _answers(build: Callable[[Calibrated], AbstractMarket], c: Calibrated) -> Float[Array, 2]:
    return nash_outcomes(build(c))


def _at(report: str, market: Calibration, elasticity: Any, share: Any = None, spread: Any = None) -> Float[Array, 2]:
    """`nash_outcomes` under changed assumptions, compiled once for a report and a number of buyers."""
    c = fulton.calibrate(elasticity, market, share)
    spread = jnp.asarray(c.spread if spread is None else spread, float)
    return _answers(MARKETS[report], c._replace(elasticity=jnp.asarray(elasticity, float), spread=spread))


def sensitivities(market: AbstractMarket) -> pd.DataFrame:
    """Exact derivatives of the Nash welfare loss (share of first best) in the parameters of the normalised market."""
    found = sensitivity(market, lambda eq: 1 - eq.efficiency)
    names = {
        "curvature": "curvature of every buyer",
        "outside_slope": "demand slope of the fringe",
        "outside_price": "price at which fringe demand is nil",
        "supply.value": "catch",
    }
    rows = []
    for name, label in names.items():
        slope = float(jnp.sum(found[name]))
        at = float(jnp.mean(found.parameters[name]))
        rows.append({"parameter": label, "derivative": slope, "elasticity": slope * at / float(found.value)})
    return pd.DataFrame(rows)


def robustness(elasticity: float, market: Calibration) -> pd.DataFrame:
    """Nash markdown and welfare loss, in percent, by report, number of buyers and share of the fringe."""
    rows = []
    for report, buyers, share in itertools.product(MARKETS, BUYERS, SHARES):
        markdown, loss = np.asarray(_at(report, market.model_copy(update={"buyers": buyers}), elasticity, share))
        row = {"report": report, "buyers": buyers, "fringe_share": share}
        rows.append(row | {"markdown": markdown, "loss": loss})
    return pd.DataFrame(rows)


def estimation_error(
    elasticity: float, standard_error: float, market: Calibration, interval: tuple[float, float] | None = None
) -> pd.DataFrame:
    """What the sampling error of the elasticity does to the answers at Nash, in percent.

    `se` by the delta method, whose derivative runs through the calibration and, implicitly, through the equilibrium.
    `low`, `high`: the answers at the ends of an `interval` of the elasticity that lies below zero, the better guide
    where the answer bends: the price fall is proportional to 1/|elasticity|.
    """
    rows = []
    for report in MARKETS:
        at = partial(_at, report, market)
        values, slopes = at(elasticity), jax.jacrev(at)(jnp.asarray(elasticity))
        ends = None
        if interval is not None and max(interval) < 0:
            ends = np.stack([at(end) for end in interval])
        for k, outcome in enumerate(("markdown", "loss")):
            row = {"report": report, "outcome": outcome, "value": float(values[k])}
            row |= {"se": abs(float(slopes[k])) * standard_error}
            rows.append(row if ends is None else row | {"low": ends[:, k].min(), "high": ends[:, k].max()})
    return pd.DataFrame(rows)


def spread(elasticity: float, market: Calibration) -> pd.DataFrame:
    """Nash markdown and welfare loss, in percent, by report and spread of private values."""
    rows = []
    for report, width in itertools.product(MARKETS, SPREADS):
        markdown, loss = np.asarray(_at(report, market, elasticity, spread=width))
        rows.append({"report": report, "spread": width, "markdown": markdown, "loss": loss})
    return pd.DataFrame(rows)
