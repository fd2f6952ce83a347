"""Oracles: differences of means, the cluster sandwich by hand, Student's t with clusters - 1 degrees of freedom."""

import numpy as np
import pytest
from scipy import stats

from dcg_econ.analysis import CRV1, effects_table, treatment_effects
from dcg_econ.analysis.panels import market_days

HAND = 1e-8  # a pseudo-inverse against an inverse


def sandwich(days, outcome):
    """Cluster-robust errors with all dummies, G/(G-1) (n-1)/(n-K), by the textbook formula."""
    names = [name for name in days["treatment"].unique() if name != "competitive"]
    rounds = sorted(days["round"].unique())[1:]
    columns = [days["treatment"] == name for name in names] + [days["round"] == day for day in rounds]
    x = np.column_stack([*columns, np.ones(len(days))]).astype(float)
    y = days[outcome].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    b = bread @ x.T @ y
    e = y - x @ b
    scores = np.stack([(x * e[:, None])[days["session"] == s].sum(0) for s in days["session"].unique()])
    g, (n, k) = len(scores), x.shape
    cov = g / (g - 1) * (n - 1) / (n - k) * bread @ scores.T @ scores @ bread
    return names, b, np.sqrt(np.diag(cov))


@pytest.mark.parametrize("outcome", ["efficiency", "markdown", "revenue", "log_price", "welfare_loss_share"])
def test_coefficients_and_errors_by_hand(panel, outcome):
    names, b, se = sandwich(market_days(panel), outcome)
    fit = treatment_effects(panel, outcome, vcov=CRV1())
    np.testing.assert_allclose(fit.coefficients.loc[names, "b"], b[:4], rtol=HAND)
    np.testing.assert_allclose(fit.coefficients.loc[names, "se"], se[:4], rtol=1e-6)
    assert (fit.n, fit.clusters, fit.df) == (240, 8, 7)


def test_effects_are_differences_of_means_and_the_constant_is_the_baselines(panel):
    means = market_days(panel).groupby("treatment")["revenue"].mean()
    for absorb in ("round", None):
        table = treatment_effects(panel, "revenue", absorb=absorb).to_frame()
        assert table.loc["nash_quantities", "b"] == pytest.approx(means["nash_quantities"] - means["competitive"])
        assert table.loc["Constant", "b"] == pytest.approx(means["competitive"])


def test_p_values_use_students_t_not_the_normal(panel):
    row = treatment_effects(panel, "price", baseline="nash_schedules").coefficients.loc["learned_schedules"]
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["t"]), 7), rel=HAND)
    assert row["high"] - row["b"] == pytest.approx(stats.t.ppf(0.975, 7) * row["se"], rel=HAND)
    assert row["p"] > 2 * stats.norm.sf(abs(row["t"]))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_baseline_without_any_variance_works(panel):
    fit = treatment_effects(panel, "markdown")
    constant = fit.coefficients.loc["Constant"]
    assert constant["b"] == pytest.approx(0, abs=1e-12) and constant["se"] == pytest.approx(0, abs=1e-9)
    assert (fit.coefficients.drop("Constant")["se"] > 0).all() and "nan" not in str(fit)


def test_days_without_a_finite_outcome_are_counted(panel):
    bad = panel.copy()
    bad.loc[(bad["treatment"] == "learned_schedules") & (bad["session"] == 0), ["welfare", "payoff"]] = np.nan
    fit = treatment_effects(bad, "efficiency")
    assert (fit.n, fit.dropped) == (234, 6) and "6 market days" in str(fit)


def test_errors_carry_the_remedy(panel):
    with pytest.raises(ValueError, match=r"no outcome `efficency`; did you mean `efficiency`"):
        treatment_effects(panel, "efficency")
    with pytest.raises(ValueError, match="nothing to explain"):
        treatment_effects(panel.assign(flat=3.0), "flat")
    with pytest.raises(ValueError, match="run more sessions"):
        treatment_effects(panel[panel["session"] == 1], "efficiency")
    with pytest.raises(ValueError, match=r"no treatment `nash`.*did you mean"):
        treatment_effects(panel, "efficiency", baseline="nash")
    with pytest.raises(ValueError, match="buyers_payoff"):
        treatment_effects(panel, "payoff")
    with pytest.raises(ValueError, match="compares treatments"):
        treatment_effects(panel[panel["treatment"] == "competitive"], "price")
    with pytest.raises(ValueError, match="collinear"):
        apart = panel.assign(round=panel["round"] + 100 * panel["treatment"].factorize()[0])
        treatment_effects(apart, "price")


def test_outputs_state_unit_clusters_df_and_stars(panel):
    fit = treatment_effects(panel, "efficiency")
    for printed in (fit.summary(), fit.to_latex(), fit.to_markdown(), fit._repr_html_()):
        text = " ".join(printed.split())
        assert "share of first best" in text and "8 clusters" in text and "7 degrees of freedom" in text
        assert "0.10" in text and "0.05" in text and "0.01" in text
    assert r"\toprule" in fit.to_latex()


def test_maketables_protocol(panel):
    fit = treatment_effects(panel, "efficiency")
    assert list(fit.__maketables_coef_table__.columns) == ["b", "se", "t", "p"]
    assert fit.__maketables_depvar__ == "efficiency" and fit.__maketables_fixef_string__ == "round"
    assert fit.__maketables_stat__("N") == 240 and 0 < fit.__maketables_stat__("r2") < 1
    assert fit.__maketables_vcov_info__["clustervar"] == "session"


def test_labels_come_from_the_panel(panel):
    assert "clearing price" in str(treatment_effects(panel, "price"))


def test_side_by_side_table_holds_every_fit(panel):
    fits = [treatment_effects(panel, name) for name in ("markdown", "efficiency")]
    table = effects_table(fits)
    assert (
        table.to_frame().loc[("efficiency", "nash_schedules"), "b"] == fits[1].coefficients.loc["nash_schedules", "b"]
    )
    assert list(table.cells().columns) == ["", "Markdown", "Efficiency"]
    value = table.cells().set_index("").loc["Nash (schedules)", "Markdown"]
    assert value.endswith("***") and float(value.rstrip("*")) == pytest.approx(
        fits[0].coefficients["b"].iloc[0], abs=1e-4
    )
