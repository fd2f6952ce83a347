"""The observations and regressors of a treatment effect: market days with a finite outcome, weights and centred dummies."""

import numpy as np
import pandas as pd

from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.panels import cell_keys, market_days
from dcg_econ.analysis.points import parameters_of
from dcg_econ.analysis.style import CONSTANT

ZERO = 1e-12  # a first best below this share of the mean is none
WEIGHT = "_weight"
MANY = 4e7  # numbers in the matrix of regressors: 320 megabytes


def sample(panel, outcome: str, cluster: str, absorb: str | None, parameters, ratio: bool | None):
    """The days with a finite outcome and their weights, how many are left out, and whether (2) is used."""
    keep = [name for name in dict.fromkeys((outcome, cluster, absorb)) if name in panel]
    days = market_days(panel, keep=keep, parameters=parameters)
    for name, what in ((outcome, "outcome"), (cluster, "cluster"), (absorb, "absorbed effect")):
        if name is not None and name not in days:
            raise ValueError(f"the panel knows no {what} `{name}`{nearest(name, days.columns)}")
    if not pd.api.types.is_numeric_dtype(days[outcome]):
        raise ValueError(f"the outcome `{outcome}` is not numeric")
    if ratio and outcome != "efficiency":
        raise ValueError(f"ratio=True is a way to take efficiency, not `{outcome}`: leave it out")
    if ratio is None:
        ratio = outcome == "efficiency" and bool((days["first_best"] <= ZERO * days["first_best"].mean()).any())
    days = _as_ratio(days) if ratio else days.assign(**{WEIGHT: 1.0})
    good = np.isfinite(days[outcome].astype(float)) & (days[WEIGHT] > 0)
    return days[good], int((~good).sum()), ratio


def _as_ratio(days: pd.DataFrame) -> pd.DataFrame:
    """Equation (2): welfare over the session's mean first best, with that mean as weight, every point alike."""
    own = [days[key] for key in [*cell_keys(days), "session"]]
    best = days["first_best"].groupby(own, observed=True, dropna=False).transform("mean")
    swept = list(parameters_of(days))
    points = (
        days.groupby(swept, sort=False, observed=True, dropna=False).ngroup() if swept else pd.Series(0, days.index)
    )
    weight = best / best.groupby(points).transform("mean")
    return days.assign(efficiency=days["welfare"] / best, **{WEIGHT: weight})


def baseline_of(treatments: list[str], baseline: str | None) -> str:
    """The treatment that the others are compared with; raises ValueError where there is none."""
    if len(treatments) < 2:
        raise ValueError(f"an effect compares treatments, and the panel has finite outcomes for {treatments} only")
    if baseline is None:
        return "competitive" if "competitive" in treatments else treatments[0]
    if baseline not in treatments:
        raise ValueError(f"the panel has no treatment `{baseline}` to take as baseline{nearest(baseline, treatments)}")
    return baseline


def design(days, outcome: str, effects: list[str], absorb: str | None, swept) -> tuple[pd.Series, pd.DataFrame]:
    """Outcome and regressors of (1) in `effects`: treatments, centred dummies, constant; ValueError for a flat outcome."""
    y = days[outcome].astype(float)
    if np.ptp(y) <= 1e-12 * max(1.0, float(y.abs().max())):
        raise ValueError(
            f"`{outcome}` is {y.iloc[0]:.6g} on every market day: there is nothing to explain; take an outcome that "
            "varies between treatments"
        )
    x = pd.DataFrame({name: (days["treatment"] == name).astype(float) for name in effects}, index=days.index)
    if swept:
        point = days.groupby(list(swept), sort=False, observed=True, dropna=False).ngroup()
        x = x.join(_dummies(point, "point"))
    if absorb is not None:
        if days[absorb].nunique() * len(days) > MANY:
            raise ValueError(
                f"{days[absorb].nunique():,d} effects of `{absorb}` on {len(days):,d} days are too many for dummies: "
                "give absorb=None, which leaves the estimates as they are where every treatment has the same rounds"
            )
        x = x.join(_dummies(days[absorb], absorb))
    return y, x.assign(**{CONSTANT: 1.0})


def _dummies(values: pd.Series, prefix: str) -> pd.DataFrame:
    dummies = pd.get_dummies(values.astype("category"), drop_first=True, dtype=float, prefix=prefix)
    return dummies - dummies.mean()
