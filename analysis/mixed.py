"""Treatment effects by a linear mixed model: a random intercept a session, and one a session's cell.

(1)  y_tgsd = a_g + sum_k b_k [t = k] + round effects + u_s + v_stg + e_tgsd,  u, v, e normal and independent

with the fixed part of `effects`. The intercept v of each treatment (at each grid point) within a session is there where
sessions hold several: play under one treatment is one path of learning or one history, and its rounds are no independent
evidence on the effect; without v the errors take them for such. Estimated by restricted maximum likelihood (statsmodels);
p values and intervals by Student's t on sessions - 1 degrees of freedom, not by the normal law. Source: Laird & Ware (1982).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.covariance import COLUMNS, LEVEL
from dcg_econ.analysis.effects_design import baseline_of, design, sample
from dcg_econ.analysis.effects_print import p_text
from dcg_econ.analysis.panels import cell_keys, treatments_of
from dcg_econ.analysis.points import parameters_of
from dcg_econ.analysis.results import AbstractFit
from dcg_econ.analysis.style import CONSTANT, study_order, treatment_label
from dcg_econ.analysis.tables import (
    STARS_LEGEND,
    Table,
    decimals,
    in_brackets,
    interval_text,
    number_text,
    stars,
)
from dcg_econ.analysis.units import outcome_label, units_of

VARIANCES = ("session", "session x treatment", "residual")


@dataclass(frozen=True, eq=False)
class MixedEffects(AbstractFit):
    """A fit of (1). `coefficients` as in `TreatmentEffects`; `variances`: of u, v (NaN where it is left out) and e, in the
    square of the outcome's unit. `converged` and `warning` are the optimiser's word; where it failed altogether the
    coefficients are NaN.
    """

    coefficients: pd.DataFrame
    variances: pd.Series
    converged: bool
    warning: str
    outcome: str
    baseline: str
    cluster: str
    absorbed: str | None
    n: int
    clusters: int
    df: int
    dropped: int
    label: str
    unit: str
    period: str
    parameters: tuple[str, ...]

    def table(self) -> Table:
        """The coefficients, the variances, and whether the fit converged."""
        style = f",.{decimals(self.coefficients['se'])}f"
        rows = []
        for name, row in self.coefficients.iterrows():
            label = f"Constant ({treatment_label(self.baseline)})" if name == CONSTANT else treatment_label(name)
            marks = "" if name == CONSTANT else stars(row["p"])
            interval = interval_text(row["low"], row["high"], style)
            cells = [number_text(row["b"], style) + marks, in_brackets(row["se"], style), interval, p_text(row["p"])]
            rows.append([label, *cells])
        heads = ["", "Effect", "Std. error", "95% interval", "p value"]
        title = f"Treatment effects on {self.label}, mixed model"
        printed = pd.DataFrame(rows, columns=heads, dtype=object)
        name = f"mixed_effects_{self.outcome}"
        return Table(self.coefficients, title, self._notes(), name=name, printed=printed)

    def _notes(self) -> tuple[str, ...]:
        unit = f" ({self.unit})" if self.unit else ""
        spreads = [f"{name} {number_text(value)}" for name, value in self.variances.items() if np.isfinite(value)]
        effects = f"{self.absorbed} effects" if self.absorbed else "no effects of rounds"
        points = "; averages of the differences within grid points" if self.parameters else ""
        nested = ", and for each of its cells (treatment at a point)" if len(spreads) == len(VARIANCES) else ""
        notes = [
            f"Outcome: {self.label}{unit}; one observation a {self.period} and treatment, {self.n:,d} in all; effects are "
            f"relative to {treatment_label(self.baseline)}; {effects}{points}.",
            f"Random intercept for each {self.cluster} ({self.clusters} clusters){nested}; restricted maximum likelihood. "
            f"Variances: {', '.join(spreads) or 'none'}. p values and 95% intervals by Student's t on {self.df} degrees of "
            f"freedom (clusters - 1). {STARS_LEGEND}",
            f"Converged: {'yes' if self.converged else 'no'}.{' ' + self.warning if self.warning else ''}",
        ]
        if self.dropped:
            notes.append(f"{self.dropped:,d} {self.period}s without a finite outcome are left out.")
        return tuple(notes)

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": "mixed model", "clustervar": self.cluster, "se_type": "mixed model"}

    def __maketables_stat__(self, key: str):
        return {"N": self.n, "se_type": "mixed model", "clusters": self.clusters}.get(key)


def mixed_effects(
    panel: pd.DataFrame,
    outcome: str,
    cluster: str = "session",
    baseline: str | None = None,
    absorb: str | None = "round",
    parameters: Sequence[str] | None = None,
    nested: bool | None = None,
) -> MixedEffects:
    """Effects of the treatments on `outcome` relative to `baseline` by the mixed model (1).

    `outcome`, `baseline`, `absorb` and `parameters` as in `treatment_effects`; efficiency is a mean over days. `nested`
    puts in v, by default where a session holds several treatments or points and some cell several rounds. A fit that does
    not converge says so in `converged` and `warning`. Raises ValueError as `treatment_effects` does.
    """
    days, dropped, _ = sample(panel, outcome, cluster, absorb, parameters, False if outcome == "efficiency" else None)
    swept = parameters_of(days)
    baseline = baseline_of(treatments_of(days), baseline)
    effects = [name for name in study_order(treatments_of(days)) if name != baseline]
    y, x = design(days, outcome, effects, absorb, swept)
    groups, cells = pd.factorize(days[cluster])[0], days.groupby(cell_keys(days), dropna=False, sort=False).ngroup()
    if groups.max() < 1:
        raise ValueError(f"one cluster in `{cluster}` gives no standard error: run more sessions (sessions=20)")
    held = pd.DataFrame({"group": groups, "cell": cells.to_numpy()})
    several = bool((held.groupby("group")["cell"].nunique() > 1).any() and held.duplicated().any())
    names = [*effects, CONSTANT]
    df = int(groups.max())
    table, variances, converged, warning = _fitted(
        y, x, groups, held["cell"], several if nested is None else nested, df
    )
    label, unit = outcome_label(outcome, panel.attrs.get("variable_labels", {}))
    return MixedEffects(
        coefficients=table.loc[names].rename_axis("treatment"),
        variances=variances,
        converged=converged,
        warning=warning,
        outcome=outcome,
        baseline=baseline,
        cluster=cluster,
        absorbed=absorb,
        n=len(days),
        clusters=df + 1,
        df=df,
        dropped=dropped,
        label=label,
        unit=unit,
        period=units_of(panel.attrs.get("variable_labels", {})).period,
        parameters=swept,
    )


def _fitted(y: pd.Series, x: pd.DataFrame, groups: np.ndarray, cells: pd.Series, nested: bool, df: int):
    """Coefficients of all columns, variances, and how the optimiser fared; the outcome is put on a scale of one."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    scale = float(y.std())
    missing = pd.DataFrame(np.nan, index=x.columns, columns=list(COLUMNS))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = MixedLM(y.to_numpy() / scale, x.to_numpy(), groups, exog_vc=_within(groups, cells) if nested else None,
                            exog_re=np.ones((len(y), 1)))  # fmt: skip
            fit = model.fit(reml=True)
            errors = np.asarray(fit.bse_fe)
        except (np.linalg.LinAlgError, ValueError) as error:
            return missing, pd.Series(np.nan, index=list(VARIANCES)), False, f"The fit failed: {error}."
    parts = [float(fit.cov_re[0, 0]), float(fit.vcomp[0]) if nested else np.nan, float(fit.scale)]
    variances = pd.Series(np.array(parts) * scale**2, index=list(VARIANCES))
    table = _students_t(scale * np.asarray(fit.fe_params), scale * errors, df, x.columns)
    said = "; ".join(dict.fromkeys(str(entry.message).rstrip(".") for entry in caught))
    return table, variances, bool(fit.converged), f"The optimiser says: {said}." if said else ""


def _within(groups: np.ndarray, cells: pd.Series):
    """An indicator of each of a session's cells, session by session."""
    from statsmodels.regression.mixed_linear_model import VCSpec

    columns, matrices = [], []
    for group in range(int(groups.max()) + 1):
        own = cells.to_numpy()[groups == group]
        names = np.unique(own)
        matrices.append((own[:, None] == names).astype(float))
        columns.append([str(name) for name in names])
    return VCSpec(["cell"], [columns], [matrices])


def _students_t(b: np.ndarray, se: np.ndarray, df: int, names) -> pd.DataFrame:
    from scipy import stats

    width = stats.t.ppf(0.5 + LEVEL / 2, df) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        t = b / se
    return pd.DataFrame(
        dict(zip(COLUMNS, (b, se, t, 2 * stats.t.sf(np.abs(t), df), b - width, b + width), strict=True)), names
    )
