"""Treatment effects by least squares on market days, clustered by session.

(1)  y_tgsd = a_g + sum_k b_k [t = k] + round effects + e_tgsd,  treatments t, grid points g, sessions s, rounds d.

Point and round dummies are centred, so the constant is the mean of the baseline treatment on the average round and point.
On a grid b_k is the average of the differences within points (each point alike where the panel is balanced; a point at
which a treatment is missing tells nothing of it), and `by_point()` gives the differences point by point. Standard errors
are `vcov`'s, by default the cluster jackknife (see `covariance`); session s is one cluster over all cells, which share its
draws, and where they do not this has fewer clusters than it might. p values and intervals use Student's t on G - 1 degrees
of freedom: the normal law that statsmodels takes by default is too optimistic.

(2)  y_tgsd = W_tgsd / F_tgs,  weight F_tgs,  with welfare W and the session's mean first best F:

then (1) without dummies is E W / E F by treatment, the efficiency of the welfare table, and a day whose first best is
zero counts with the welfare that it lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.covariance import DEFAULT, AbstractCovariance, cautions
from dcg_econ.analysis.effects_design import WEIGHT, baseline_of, design, sample
from dcg_econ.analysis.effects_print import effects_table, point_effects_table, single_table
from dcg_econ.analysis.panels import treatments_of
from dcg_econ.analysis.points import at_point, parameters_of, points_of
from dcg_econ.analysis.regression import regression_of
from dcg_econ.analysis.results import AbstractFit
from dcg_econ.analysis.style import CONSTANT, study_order
from dcg_econ.analysis.tables import Table
from dcg_econ.analysis.units import outcome_label, units_of

__all__ = ["TreatmentEffects", "effects_table", "treatment_effects"]

ZERO_VARIANCE = 1e-10  # standard errors below this share of the largest number are rounding: their square is 1e-20


@dataclass(frozen=True, eq=False)
class TreatmentEffects(AbstractFit):
    """A fit of (1). `coefficients`: one row per treatment but the baseline, then the constant (the baseline's mean);
    columns b, se, t, p, low, high (95%), in the outcome's unit. `points`: the same by grid point, one row per parameter
    values x treatment, with n, clusters and a `note` where nothing could be estimated. `dropped` counts market days
    without a finite outcome. `vcov` made the errors, `cautions` say where they may not hold. `ratio`: whether efficiency is
    a ratio of expectations, (2).
    """

    coefficients: pd.DataFrame
    outcome: str
    baseline: str
    cluster: str
    absorbed: str | None
    n: int
    clusters: int
    df: int
    r_squared: float
    dropped: int
    label: str
    unit: str
    period: str
    parameters: tuple[str, ...]
    points: pd.DataFrame
    vcov: AbstractCovariance
    cautions: tuple[str, ...] = ()
    ratio: bool = False

    def table(self) -> Table:
        """The coefficients with standard errors below, and what was estimated how."""
        return single_table(self)

    def by_point(self) -> Table:
        """The effects at each point of the grid, estimated from that point's days alone."""
        return point_effects_table(self)

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": self.vcov.label, "clustervar": self.cluster, "se_type": f"by: {self.cluster}"}

    def __maketables_stat__(self, key: str):
        return {"N": self.n, "r2": self.r_squared, "se_type": f"by: {self.cluster}", "clusters": self.clusters}.get(key)


def treatment_effects(
    panel: pd.DataFrame,
    outcome: str,
    cluster: str = "session",
    baseline: str | None = None,
    absorb: str | None = "round",
    parameters: Sequence[str] | None = None,
    ratio: bool | None = None,
    vcov: AbstractCovariance = DEFAULT,
) -> TreatmentEffects:
    """Effects of the treatments on `outcome` relative to `baseline`, equation (1).

    `outcome` is a numeric column with one value per market day, or a derived one of `market_days` (efficiency,
    welfare_loss, mean_payoff, <role>_payoff, and where there are prices markdown, log_price, revenue, revenue_loss).
    `baseline` defaults to "competitive", else the panel's first treatment. `absorb=None` leaves the round effects out.
    `parameters` are the swept columns (default: the panel's). `ratio=True` takes efficiency as a ratio of expectations,
    (2), like the welfare table; False as a mean over days of ratios; by default a ratio of expectations only where a
    day's own ratio need not exist (its first best may be zero). `vcov` makes the standard errors: `CRV3()`, the cluster
    jackknife, by default; `CRV1()`; `WildBootstrap(draws=9999, seed=0)`. Raises ValueError for an unknown name, an outcome that
    does not vary, one treatment, or fewer than two clusters.
    """
    days, dropped, ratio = sample(panel, outcome, cluster, absorb, parameters, ratio)
    swept = parameters_of(days)
    baseline = baseline_of(treatments_of(days), baseline)
    fit, table = _fit(days, outcome, cluster, baseline, absorb, swept, vcov)
    count = fit.clusters
    labels = panel.attrs.get("variable_labels", {})
    label, unit = outcome_label(outcome, labels)
    return TreatmentEffects(
        coefficients=table,
        outcome=outcome,
        baseline=baseline,
        cluster=cluster,
        absorbed=absorb,
        n=len(days),
        clusters=count,
        df=count - 1,
        r_squared=fit.r_squared,
        dropped=dropped,
        label=label,
        unit=unit,
        period=units_of(labels).period,
        parameters=swept,
        points=_by_point(days, outcome, cluster, baseline, absorb, swept, vcov, table),
        vcov=vcov,
        cautions=cautions(vcov, count, _clusters_of(days, cluster), table),
        ratio=ratio,
    )


def _fit(days: pd.DataFrame, outcome: str, cluster: str, baseline: str, absorb: str | None, swept: Sequence[str], vcov):
    """The regression and its coefficients of interest."""
    effects = [name for name in study_order(treatments_of(days)) if name != baseline]
    y, x = design(days, outcome, effects, absorb, swept)
    if days[cluster].nunique() < 2:
        raise ValueError(f"one cluster in `{cluster}` gives no standard error: run more sessions (sessions=20)")
    if np.linalg.matrix_rank(x.to_numpy().T @ x.to_numpy()) < x.shape[1]:
        raise ValueError(
            f"`{absorb}` and the treatments are collinear: each treatment needs the same days, or absorb=None"
            + ("; each grid point needs two treatments" if swept else "")
        )
    fit = regression_of(y, x, [*effects, CONSTANT], days[WEIGHT], days[cluster])
    table = _rounded(vcov.inference(fit))
    table.index.name = "treatment"
    return fit, table


def _clusters_of(days: pd.DataFrame, cluster: str) -> dict[str, int]:
    """In how many clusters each treatment is."""
    return days.groupby("treatment", sort=False, observed=True)[cluster].nunique().to_dict()


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """A variance that is zero but for rounding (a baseline that never varies) gives se = 0."""
    scale = np.nanmax([table["se"].max(), table["b"].abs().max()])
    exact = table["se"] <= ZERO_VARIANCE * scale
    table.loc[exact, "se"] = 0.0
    table.loc[exact, ["t", "p"]] = np.nan
    table.loc[exact, "low"] = table.loc[exact, "high"] = table.loc[exact, "b"]
    return table


def _by_point(days, outcome: str, cluster: str, baseline: str, absorb: str | None, swept, vcov, whole) -> pd.DataFrame:
    """Fits of (1) to one point at a time, one row per point and treatment; `note` says why a row is empty. Where nothing
    is swept the one point is the `whole`."""
    every = [name for name in study_order(treatments_of(days)) if name != baseline]
    rows = []
    for point in points_of(days, swept):
        own = at_point(days, swept, point)
        found, note = pd.DataFrame(), ""
        try:
            baseline_of(treatments_of(own), baseline)
            found = _fit(own, outcome, cluster, baseline, absorb, (), vcov)[1] if swept else whole
        except ValueError as error:
            note = str(error)
        for name in every:
            has = name in found.index
            why = note or ("" if has else f"no finite outcome for `{name}`")
            size = {"n": len(own), "clusters": own[cluster].nunique(), "note": why}
            numbers = found.loc[name].to_dict() if has else dict.fromkeys(("b", "se", "t", "p", "low", "high"), np.nan)
            rows.append(dict(zip(swept, point, strict=True)) | {"treatment": name} | numbers | size)
    return pd.DataFrame(rows).set_index([*swept, "treatment"])
