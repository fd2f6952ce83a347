"""What the report of the fish market has beyond other studies': demand, calibration, schedules, other assumptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dcg_econ.experiments import fulton
from dcg_econ.experiments.results import Results
from dcg_econ.experiments.specification import Specification

FRAMES = ("demand_points", "demand_curves", "sensitivities", "robustness", "estimation", "spread")


def fulton_material(results: Results, specification: Specification, panel: pd.DataFrame) -> dict[str, Any]:
    """Fields of `ReportMaterial`; what a failed cell would have given is left out."""
    found: dict[str, Any] = {name: frames[0] for name in FRAMES if (frames := results.frames(name))}
    facts = results.facts()
    schedules = results.frames("schedules")
    if schedules:
        found["schedules"] = _schedules(schedules, panel)
    if "calibration" in facts and len(panel):
        found["calibration"] = _calibration(facts, specification, panel)
    if "kernel demand" in facts:
        found["notes"] = _notes(facts, specification, panel)
    sensitivity_of = "the welfare loss at Nash in schedules, as a share of first best"
    return found | {"demand": fulton.estimated(), "sensitivity_of": sensitivity_of}


def _schedules(frames: list[pd.DataFrame], panel: pd.DataFrame) -> pd.DataFrame:
    """All treatments' schedules, and where prices fall in 90 % of cases on a day of average price."""
    joined = pd.concat(frames, ignore_index=True).drop_duplicates(["treatment", "type_value", "price"])
    data = fulton.fulton_data()["avgprc"].to_numpy(float)
    days = panel[panel["mechanism"] == "curve_market"].drop_duplicates(["treatment", "session", "round"])
    share = days["price"].to_numpy() / data[days["round"].to_numpy(int)]
    low, high = np.quantile(share, [0.05, 0.95]) * data.mean() if len(share) else (np.nan, np.nan)
    return joined.assign(occurs_low=low, occurs_high=high)


def _calibration(facts: dict, specification: Specification, panel: pd.DataFrame) -> dict[str, str]:
    assert specification.calibration is not None
    c, share = facts["calibration"], specification.calibration.fringe_share
    days = panel.drop_duplicates("round")
    price, catch = days["competitive_price"].mean(), days["supply"].mean()
    return {
        "Market days": f"{facts['days']}",
        "Mean catch": f"{catch:,.0f} lb a day (from {days['supply'].min():,.0f} to {days['supply'].max():,.0f})",
        "Mean competitive price": f"{price:.2f} $/lb",
        "Price elasticity of demand (2SLS)": f"{c['elasticity']:.3f}",
        "Strategic buyers": f"{c['buyers']:.0f} (assumed)",
        "Slope held by the price-taking fringe": f"{100 * share:.0f}% of the demand slope (assumed)",
        "Private values": f"uniform within ±{100 * c['spread']:.0f}% of the day's price (assumed)",
        "Curvature of a buyer's value": f"{c['curvature']:.3f} × price / catch, $/lb per lb",
        "Slope of fringe demand": f"{c['fringe_slope']:.3f} × catch / price, lb per $/lb",
        "Price at which demand is nil": f"{c['choke_price']:.3f} × the day's price (mean value of the first pound)",
    }


def _notes(facts: dict, specification: Specification, panel: pd.DataFrame) -> list[str]:
    kernel, elasticity = facts["kernel demand"], facts["calibration"]["elasticity"]
    law = "falls everywhere" if kernel["law of demand holds"] else "does not fall everywhere"
    infinite = " With an elasticity below one in size, the area under the latter is not even finite, so total"
    total = infinite if abs(elasticity) <= 1 else " So total"
    return [
        "Demand has constant elasticity in the estimate. The theory of demand schedules needs linear demand, so each market "
        "day is linearised at its own price and catch; day shocks enter through these two numbers. In units of them every "
        "day is the same market, which is why percentages do not vary with the catch while dollars do.",
        "The observed price and catch of a day are taken as that day's competitive point: what the market would do if every "
        "buyer took the price as given. If the data already contain strategic shading, the true competitive price is higher "
        "and true demand flatter (more elastic) than estimated, since shaded schedules are steeper in price.",
        "The number of strategic buyers, the share of the fringe and the spread of private values are assumptions; the data "
        "record days, not buyers. The tables of other assumptions show how the answer moves with each.",
        "The catch is sold whatever the price and is known before buyers report; it has no other use. Fringe buyers report "
        "their true demand. First best is the Walrasian allocation. Nash in schedules is the equilibrium in affine schedules; "
        "since the catch is known, other equilibria may exist.",
        f"Linearised demand lies below constant-elasticity demand away from the day's point.{total} surplus, and with it "
        "every loss in percent of first best, rests on the linearisation; losses in dollars and in percent of revenue depend "
        "on demand near the day's point only.",
        f"The kernel curve describes the points (it is not instrumented): Matern 5/2 on log price, lengthscale "
        f"{kernel['lengthscale (log price)']:.2f} and ridge {kernel['ridge']:.2g} by leave-one-out, "
        f"{kernel['effective degrees of freedom']:.1f} effective degrees of freedom. It {law} on the observed prices.",
        "Learned buyers of a session share one net and differ in their private values. "
        + _converged(specification, panel),
    ]


def _converged(specification: Specification, panel: pd.DataFrame) -> str:
    """What the regret tolerance means, beside the regret of price taking where that was run."""
    tolerance = specification.tolerances.regret
    text = (
        f"A session is called converged when its regret is at most {tolerance:g} of first best; a learned profile with "
        "small regret is an approximate equilibrium, not proof of a unique one."
    )
    takers = panel.loc[panel["treatment"] == "competitive", "regret"]
    if takers.empty or not takers.iloc[0] > tolerance:
        return text
    ratio = takers.iloc[0] / tolerance
    return (
        f"{text} The tolerance is 1/{ratio:,.0f} of the regret of price taking; gains are quadratic near the optimum, so it "
        f"admits bids that miss about {100 * ratio**-0.5:.0f}% of the way from price taking to the best reply."
    )
