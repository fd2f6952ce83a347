"""Oracles: sums by hand at each point, statsmodels' formulas with point dummies, differences of means."""

import numpy as np
import pytest
import statsmodels.formula.api as smf

from dcg_econ.analysis import CRV1, effects_table, market_days, treatment_effects, welfare_table

EXACT = 1e-10  # the same sums in another order


def test_welfare_has_a_row_per_cell_by_hand(study):
    panel, _ = study
    frame = welfare_table(panel, against="nash").to_frame()
    assert list(frame.index.names) == ["treatment", "outside_slope"] and len(frame) == 9
    own = market_days(panel).query("treatment == 'chat' and outside_slope == 1.0")
    row = frame.loc[("chat", 1.0)]
    assert row["efficiency"] == pytest.approx(own["welfare"].sum() / own["first_best"].sum(), rel=EXACT)
    gap = own.assign(gap=own["welfare"] - own["nash_welfare"]).groupby("session")[["gap", "first_best"]].sum()
    value = gap["gap"].sum() / gap["first_best"].sum()
    residuals = gap["gap"] - value * gap["first_best"]
    se = np.sqrt(6 / 5 * (residuals**2).sum()) / gap["first_best"].sum()
    assert (row["difference"], row["difference_se"]) == pytest.approx((value, se), rel=1e-9)
    assert row["loss"] == pytest.approx(row["efficiency"] - 1, rel=EXACT) and row["sessions"] == 6


def test_a_cell_at_one_point_is_what_the_point_alone_gives(study):
    panel, _ = study
    alone = panel[panel["outside_slope"] == 2.0]
    for against in ("nash", "first_best", "silence"):
        grid, one = (welfare_table(frame, against=against).to_frame() for frame in (panel, alone))
        columns = ["efficiency", "efficiency_se", "difference", "difference_se"]
        np.testing.assert_allclose(grid.xs(2.0, level="outside_slope")[columns], one[columns], atol=EXACT)


def test_failed_cells_have_their_row_and_nothing_speaks_of_dollars(make_study):
    panel, cells = make_study(failed=[("chat", 2.0)], diverged=[("silence", 0.5, 1)])
    table = welfare_table(panel, cells=cells)
    frame = table.to_frame()
    assert frame.loc[("chat", 2.0), "sessions"] == 0 and np.isnan(frame.loc[("chat", 2.0), "efficiency"])
    assert frame.loc[("silence", 0.5), "failed"] == 1
    text = str(table)
    assert "$" not in text and "market day" not in text and "Rows without sessions" in text and "nan" not in text
    printed = table.cells()
    assert list(printed.columns[:2]) == ["Treatment", "Outside slope"] and len(printed) == 9
    assert printed.iloc[list(frame.index).index(("silence", 0.5)), -1] == "6 (0, 1)"


def test_nash_that_is_not_known_at_a_point_is_a_dash_there(study):
    panel, _ = study
    partly = panel.assign(nash_welfare=panel["nash_welfare"].where(panel["outside_slope"] != 0.5))
    frame = welfare_table(partly).to_frame()
    assert frame.xs(0.5, level="outside_slope")["difference"].isna().all()
    assert frame.xs(1.0, level="outside_slope")["difference"].notna().all()
    assert "not known there" in str(welfare_table(partly))
    with pytest.raises(ValueError, match="every market day: solve Nash first"):
        welfare_table(panel.assign(nash_welfare=np.nan))


def test_one_point_of_a_general_market_prints_its_own_units(make_study):
    panel, _ = make_study(slopes=(1.0,))
    text = str(welfare_table(panel))
    assert "Mean price (money per unit)" in text and "traders together (money per round)" in text and "$" not in text


def test_effects_with_point_dummies_equal_statsmodels(study):
    panel, _ = study
    days = market_days(panel)
    fit = treatment_effects(panel, "efficiency", cluster="session", vcov=CRV1())
    formula = "efficiency ~ C(treatment, Treatment('silence')) + C(outside_slope) + C(round)"
    kwds = {"groups": days["session"]}
    other = smf.ols(formula, days).fit(cov_type="cluster", cov_kwds=kwds, use_t=True)
    for name in ("chat", "equilibrium"):
        key = f"C(treatment, Treatment('silence'))[T.{name}]"
        row = fit.coefficients.loc[name]
        assert row["b"] == pytest.approx(other.params[key], rel=1e-9)
        with np.errstate(invalid="ignore"):
            assert (row["se"], row["p"]) == pytest.approx((other.bse[key], other.pvalues[key]), rel=1e-6)
    assert (fit.baseline, fit.clusters, fit.df, fit.n) == ("silence", 6, 5, 216)
    assert fit.__maketables_fixef_string__ == "outside_slope + round"


def test_the_average_effect_of_a_balanced_grid_is_the_mean_of_the_points(study):
    panel, _ = study
    fit = treatment_effects(panel, "mean_payoff")
    points = fit.by_point().to_frame()
    means = market_days(panel).groupby(["outside_slope", "treatment"])["mean_payoff"].mean().unstack()
    for name in ("chat", "equilibrium"):
        by = points.xs(name, level="treatment")["b"]
        np.testing.assert_allclose(by, means[name] - means["silence"], rtol=1e-9)
        assert fit.coefficients.loc[name, "b"] == pytest.approx(by.mean(), rel=1e-9)


def test_a_point_by_itself_equals_the_fit_of_its_rows(study):
    panel, _ = study
    alone = treatment_effects(panel[panel["outside_slope"] == 0.5], "efficiency").coefficients.loc["chat"]
    by = treatment_effects(panel, "efficiency").by_point().to_frame().loc[(0.5, "chat")]
    columns = ["b", "se", "t", "p", "low", "high"]
    np.testing.assert_allclose(by[columns].astype(float), alone[columns], rtol=1e-9)


def test_points_without_a_comparison_say_why(make_study):
    panel, _ = make_study(failed=[("chat", 2.0), ("silence", 0.5)])
    fit = treatment_effects(panel, "efficiency")
    frame = fit.points
    assert "`chat`" in frame.loc[(2.0, "chat"), "note"] and "`silence`" in frame.loc[(0.5, "chat"), "note"]
    assert np.isnan(frame.loc[(0.5, "chat"), "b"]) and np.isfinite(frame.loc[(1.0, "chat"), "b"])
    text = str(fit.by_point())
    assert "Not estimated: outside slope = 0.5" in text and "nan" not in text


def test_prints_unit_df_rule_and_clusters_in_words_of_the_study(study):
    panel, _ = study
    for printed in (
        str(treatment_effects(panel, "efficiency")),
        str(treatment_effects(panel, "efficiency").by_point()),
    ):
        text = " ".join(printed.split())
        assert "share of first best" in text and "6 clusters" in text and "clusters - 1" in text
        assert "market day" not in text
    side = str(effects_table([treatment_effects(panel, name) for name in ("efficiency", "welfare")]))
    assert "Point effects" in side and "money per round" in side and "averages over the grid points" in side


def test_efficiency_as_a_ratio_of_expectations_is_the_welfare_tables(study):
    panel, _ = study
    welfare = welfare_table(panel, against="silence").to_frame()
    for absorb in (None, "session", "round"):
        fit = treatment_effects(panel, "efficiency", ratio=True, absorb=absorb)
        for name in ("chat", "equilibrium"):
            by, want = fit.points.xs(name, level="treatment"), welfare.xs(name, level="treatment")
            np.testing.assert_allclose(by["b"], want["difference"], rtol=1e-9)
            assert fit.coefficients.loc[name, "b"] == pytest.approx(want["difference"].mean(), rel=1e-9)
    fit = treatment_effects(panel, "efficiency", ratio=True, absorb=None, vcov=CRV1())
    n, k = 72, 3  # one point: 3 treatments x 6 sessions x 4 rounds; the linearised errors lack (n - 1)/(n - K)
    errors = fit.points.xs("chat", level="treatment")["se"]
    linearised = welfare.xs("chat", level="treatment")["difference_se"]
    np.testing.assert_allclose(errors, linearised * np.sqrt((n - 1) / (n - k)), rtol=1e-9)


def test_days_without_any_surplus_to_gain_count_by_what_they_lost(study):
    panel, _ = study
    lost = panel["round"] == 2
    bargain = panel.assign(
        first_best=panel["first_best"].mask(lost, 0.0),
        welfare=panel["welfare"].where(~lost, -0.1 * panel["outside_slope"]),
    )
    bargain.attrs = panel.attrs
    fit = treatment_effects(bargain, "efficiency")
    want = welfare_table(bargain, against="silence").to_frame().xs("chat", level="treatment")["difference"]
    assert fit.ratio and fit.dropped == 0
    np.testing.assert_allclose(fit.points.xs("chat", level="treatment")["b"], want, rtol=1e-9)
    assert "E welfare / E first best" in str(fit) and not treatment_effects(panel, "efficiency").ratio
    with pytest.raises(ValueError, match="ratio=True is a way to take efficiency, not `welfare`"):
        treatment_effects(panel, "welfare", ratio=True)


def test_a_bargaining_panel_prints_both_sides(make_study):
    panel, _ = make_study(slopes=(1.0,))
    role = panel["participant"].map({"trader 0": "buyer", "trader 1": "seller"})
    table = welfare_table(panel.assign(role=role))
    text = str(table)
    assert "Buyers' payoff (money per round)" in text and "Seller's payoff (money per round)" in text
    own = panel[(panel["treatment"] == "chat") & (role == "seller")]
    assert table.to_frame().loc["chat", "seller_payoff"] == pytest.approx(own["payoff"].mean())
