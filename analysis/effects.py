"""Treatment effects by least squares on market days, clustered by session.

(1)  y_tsd = a + sum_k b_k [t = k] + day effects + e_tsd,  treatments t, sessions s, days d.

The day dummies are centred, so a is the mean of the baseline treatment on the average day. Standard errors are
statsmodels' cluster sandwich with its correction G/(G-1) (n-1)/(n-K); p values and intervals use Student's t on G - 1
degrees of freedom (`use_t=True`): the normal law that statsmodels takes by default is too optimistic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dcg_econ.analysis.panels import market_days, nearest, treatments_of
from dcg_econ.analysis.style import study_order, treatment_label
from dcg_econ.analysis.tables import STARS_LEGEND, Table, decimals, in_brackets, interval_text, number_text, stars

CONSTANT = "Constant"
ZERO_VARIANCE = 1e-10  # standard errors below this share of the largest number are rounding: their square is 1e-20
DOLLARS = "$ per market day"
UNITS = {
    "efficiency": "share of first best",
    "welfare_loss_share": "share of first best",
    "welfare_loss": DOLLARS,
    "welfare": DOLLARS,
    "first_best": DOLLARS,
    "markdown": "share of the competitive price",
    "log_price": "log points, price in $/lb",
    "price": "$/lb",
    "revenue": DOLLARS,
    "revenue_loss": DOLLARS,
    "buyers_payoff": DOLLARS,
    "fringe_payoff": DOLLARS,
    "seller_payoff": DOLLARS,
}


@dataclass(frozen=True, eq=False)
class TreatmentEffects:
    """A fit of (1). `coefficients`: one row per treatment but the baseline, then the constant (the baseline's mean);
    columns b, se, t, p, low, high (95%), in the outcome's unit. `dropped` counts market days without a finite outcome.
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

    def table(self) -> Table:
        """The coefficients with standard errors below, and what was estimated how."""
        return _table(self)

    def summary(self) -> str:
        """The table as plain text."""
        return str(self.table())

    def to_frame(self) -> pd.DataFrame:
        """The unrounded coefficients."""
        return self.coefficients.copy()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        """The table in LaTeX (booktabs, threeparttable)."""
        return self.table().to_latex()

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self.table().to_html()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return self.coefficients[["b", "se", "t", "p"]]

    @property
    def __maketables_depvar__(self) -> str:
        return self.outcome

    @property
    def __maketables_fixef_string__(self) -> str | None:
        return self.absorbed

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": "CRV1", "clustervar": self.cluster, "se_type": f"by: {self.cluster}"}

    def __maketables_stat__(self, key: str):
        return {"N": self.n, "r2": self.r_squared, "se_type": f"by: {self.cluster}", "clusters": self.clusters}.get(key)


def treatment_effects(
    panel: pd.DataFrame,
    outcome: str,
    cluster: str = "session",
    baseline: str | None = None,
    absorb: str | None = "round",
) -> TreatmentEffects:
    """Effects of the treatments on `outcome` relative to `baseline`, equation (1).

    `outcome` is a numeric column with one value per market day, or one of efficiency, welfare_loss,
    welfare_loss_share, markdown, log_price, revenue, revenue_loss, buyers_payoff, fringe_payoff, seller_payoff.
    `baseline` defaults to "competitive", else the panel's first treatment. `absorb=None` leaves the day effects out.
    Raises ValueError for an unknown name, an outcome that does not vary, one treatment, or fewer than two clusters.
    """
    import statsmodels.api as sm

    days, dropped = _sample(panel, outcome, cluster, absorb)
    treatments = study_order(treatments_of(days))
    baseline = _baseline(treatments_of(days), baseline)
    y, x = _design(days, outcome, [name for name in treatments if name != baseline], absorb)
    groups = pd.factorize(days[cluster])[0]
    count = int(groups.max()) + 1
    if count < 2:
        raise ValueError(f"one cluster in `{cluster}` gives no standard error: run more sessions (sessions=20)")
    if np.linalg.matrix_rank(x.T @ x) < x.shape[1]:
        raise ValueError(
            f"`{absorb}` and the treatments are collinear: each treatment needs the same days, or absorb=None"
        )
    fit = sm.OLS(y, x).fit(method="qr", cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    table = _coefficients(fit).loc[[*(name for name in treatments if name != baseline), CONSTANT]]
    table.index.name = "treatment"
    label = panel.attrs.get("variable_labels", {}).get(outcome, outcome.replace("_", " "))
    return TreatmentEffects(
        coefficients=table,
        outcome=outcome,
        baseline=baseline,
        cluster=cluster,
        absorbed=absorb,
        n=len(y),
        clusters=count,
        df=count - 1,
        r_squared=float(fit.rsquared),
        dropped=dropped,
        label=label,
    )


def _sample(panel: pd.DataFrame, outcome: str, cluster: str, absorb: str | None) -> tuple[pd.DataFrame, int]:
    keep = [name for name in dict.fromkeys((outcome, cluster, absorb)) if name in panel]
    days = market_days(panel, keep=keep)
    for name, what in ((outcome, "outcome"), (cluster, "cluster"), (absorb, "absorbed effect")):
        if name is not None and name not in days:
            raise ValueError(f"the panel knows no {what} `{name}`{nearest(name, days.columns)}")
    if not pd.api.types.is_numeric_dtype(days[outcome]):
        raise ValueError(f"the outcome `{outcome}` is not numeric")
    good = np.isfinite(days[outcome].astype(float))
    return days[good], int((~good).sum())


def _baseline(treatments: list[str], baseline: str | None) -> str:
    if len(treatments) < 2:
        raise ValueError(f"an effect compares treatments, and the panel has finite outcomes for {treatments} only")
    if baseline is None:
        return "competitive" if "competitive" in treatments else treatments[0]
    if baseline not in treatments:
        raise ValueError(f"the panel has no treatment `{baseline}` to take as baseline{nearest(baseline, treatments)}")
    return baseline


def _design(days: pd.DataFrame, outcome: str, effects: list[str], absorb: str | None) -> tuple[pd.Series, pd.DataFrame]:
    y = days[outcome].astype(float)
    if np.ptp(y) <= 1e-12 * max(1.0, float(y.abs().max())):
        raise ValueError(
            f"`{outcome}` is {y.iloc[0]:.6g} on every market day: there is nothing to explain; take an outcome that "
            "varies between treatments"
        )
    x = pd.DataFrame({name: (days["treatment"] == name).astype(float) for name in effects}, index=days.index)
    if absorb is not None:
        dummies = pd.get_dummies(days[absorb].astype("category"), drop_first=True, dtype=float, prefix=absorb)
        x = x.join(dummies - dummies.mean())
    return y, x.assign(**{CONSTANT: 1.0})


def _coefficients(fit) -> pd.DataFrame:
    """The fit's coefficients; a variance that is zero but for rounding (a baseline that never varies) gives se = 0."""
    with np.errstate(invalid="ignore"):
        interval = fit.conf_int()
        columns = {"b": fit.params, "se": fit.bse, "t": fit.tvalues, "p": fit.pvalues}
    table = pd.DataFrame(columns | {"low": interval[0], "high": interval[1]})
    scale = np.nanmax([table["se"].max(), table["b"].abs().max()])
    exact = table["se"].isna() | (table["se"] <= ZERO_VARIANCE * scale)
    table.loc[exact, "se"] = 0.0
    table.loc[exact, ["t", "p"]] = np.nan
    table.loc[exact, "low"] = table.loc[exact, "high"] = table.loc[exact, "b"]
    return table


def _number_style(fit: TreatmentEffects) -> str:
    largest = 2 if UNITS.get(fit.outcome) == DOLLARS else 6
    return f",.{decimals(fit.coefficients['se'], largest=largest)}f"


def _table(fit: TreatmentEffects) -> Table:
    style = _number_style(fit)
    rows: list[list[str]] = []
    for name, row in fit.coefficients.iterrows():
        label = f"Constant ({treatment_label(fit.baseline)})" if name == CONSTANT else treatment_label(name)
        marks = "" if name == CONSTANT else stars(row["p"])
        interval = interval_text(row["low"], row["high"], style)
        p = "< 0.001" if row["p"] < 0.001 else number_text(row["p"], ".3f")
        rows.append([label, number_text(row["b"], style) + marks, in_brackets(row["se"], style), interval, p])
    effects = f"{fit.absorbed} effects" if fit.absorbed else "no day effects"
    unit = f" ({UNITS[fit.outcome]})" if fit.outcome in UNITS else ""
    notes = [
        f"Outcome: {fit.label}{unit}; one observation a market day and treatment, {fit.n:,d} in all. Effects are "
        f"relative to {treatment_label(fit.baseline)}; {effects}; R-squared {fit.r_squared:.3f}.",
        f"Standard errors clustered by {fit.cluster} ({fit.clusters} clusters); p values and 95% intervals by "
        f"Student's t on {fit.df} degrees of freedom (clusters - 1). {STARS_LEGEND}",
    ]
    if fit.dropped:
        notes.append(f"{fit.dropped:,d} market days without a finite outcome are left out.")
    heads = ["", "Effect", "Std. error", "95% interval", "p value"]
    title = f"Treatment effects on {fit.label}"
    printed = pd.DataFrame(rows, columns=heads, dtype=object)
    return Table(fit.coefficients, title, tuple(notes), name=f"effects_{fit.outcome}", printed=printed)


def effects_table(fits: Sequence[TreatmentEffects]) -> Table:
    """Several outcomes side by side, one column each; `to_frame()` stacks their coefficients by outcome."""
    names = list(dict.fromkeys(name for fit in fits for name in fit.coefficients.index if name != CONSTANT))
    styles = [_number_style(fit) for fit in fits]
    rows: list[list[str]] = []
    for name in [*names, CONSTANT]:
        known = [fit.coefficients.loc[name] if name in fit.coefficients.index else None for fit in fits]
        cells = [(row, style) for row, style in zip(known, styles, strict=True)]
        marks = ["" if name == CONSTANT or row is None else stars(row["p"]) for row in known]
        values = ["–" if row is None else number_text(row["b"], style) for row, style in cells]
        label = CONSTANT if name == CONSTANT else treatment_label(name)
        rows.append([label, *(value + mark for value, mark in zip(values, marks, strict=True))])
        rows.append(["", *("–" if row is None else in_brackets(row["se"], style) for row, style in cells)])
    rows.append(["Baseline", *(treatment_label(fit.baseline) for fit in fits)])
    rows.append(["Day effects", *("yes" if fit.absorbed else "no" for fit in fits)])
    rows.append(["Observations", *(f"{fit.n:,d}" for fit in fits)])
    rows.append(["Clusters", *(f"{fit.clusters:,d}" for fit in fits)])
    rows.append(["R-squared", *(f"{fit.r_squared:.3f}" for fit in fits)])
    units = "; ".join(f"{fit.label}: {UNITS.get(fit.outcome, 'its own unit')}" for fit in fits)
    dfs = ", ".join(sorted({str(fit.df) for fit in fits}))
    notes: tuple[str, ...] = (
        f"Least squares, one observation a market day and treatment. Units: {units}. The constant is the baseline's "
        "mean on the average day.",
        f"Standard errors in brackets, clustered by {fits[0].cluster}, with the correction (n - 1)/(n - K) for the day "
        "effects too, so that they may exceed those of the welfare table in the last digit; stars by Student's t on "
        f"{dfs} degrees of freedom (clusters - 1). {STARS_LEGEND}",
    )
    if "efficiency" in [fit.outcome for fit in fits]:
        weighed = (
            "Efficiency here is a mean over days that weighs each alike; the welfare table's, a ratio of expectations,"
        )
        notes += (f"{weighed} weighs a day by its first best: the two differ a little.",)
    printed = pd.DataFrame(rows, columns=["", *(fit.label.capitalize() for fit in fits)], dtype=object)
    frame = pd.concat({fit.outcome: fit.coefficients for fit in fits}, names=["outcome", "treatment"])
    return Table(frame, "Treatment effects", notes, name="effects", printed=printed)
