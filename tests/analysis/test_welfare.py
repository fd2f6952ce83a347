"""Oracles: ratios of sums by hand; standard errors from statsmodels' weighted least squares."""

import numpy as np
import pytest
import statsmodels.api as sm

from dcg_econ.analysis import welfare_table
from dcg_econ.analysis.inference import mean_per_day, ratio, ratio_difference
from dcg_econ.analysis.panels import market_days

EXACT = 1e-10  # the same sums in another order


@pytest.fixture(scope="module")
def days(panel):
    return market_days(panel)


def uneven(days, treatment):
    """Days of one treatment with sessions of unequal length, so that ratios and means of ratios differ."""
    own = days[days["treatment"] == treatment]
    return own[own["round"] < 2 + own["session"] % 4]


def test_ratio_equals_weighted_least_squares_with_hc1(days):
    own = uneven(days, "learned_quantities")
    sums = own.groupby("session")[["welfare", "first_best"]].sum()
    weighted = sm.WLS(sums["welfare"] / sums["first_best"], np.ones(len(sums)), weights=sums["first_best"])
    fit = weighted.fit(cov_type="HC1", use_t=True)
    found = ratio(own, "welfare", "first_best")
    assert found.value == pytest.approx(sums["welfare"].sum() / sums["first_best"].sum(), rel=EXACT)
    assert found.se == pytest.approx(float(fit.bse.iloc[0]), rel=1e-8)
    assert [found.low, found.high] == pytest.approx(fit.conf_int().to_numpy()[0].tolist(), rel=1e-8)
    assert (found.df, found.sessions) == (7, 8)


def test_mean_per_day_of_a_balanced_panel_is_the_mean_of_session_means(days):
    own = days[days["treatment"] == "learned_schedules"]
    means = own.groupby("session")["price"].mean()
    found = mean_per_day(own, "price")
    assert (found.value, found.se) == pytest.approx((means.mean(), means.std(ddof=1) / np.sqrt(8)), rel=EXACT)


def test_paired_difference_equals_stacked_least_squares_clustered_by_session(days):
    pair = [
        uneven(days, name).groupby("session")[["welfare", "first_best"]].sum()
        for name in ("learned_schedules", "nash_schedules")
    ]
    y = np.concatenate([sums["welfare"] / sums["first_best"] for sums in pair])
    x = np.kron(np.eye(2), np.ones((8, 1)))
    weights = np.concatenate([sums["first_best"] for sums in pair])
    model = sm.WLS(y, x, weights=weights)
    kwds = {"groups": np.tile(np.arange(8), 2), "use_correction": False}
    test = model.fit(cov_type="cluster", cov_kwds=kwds).t_test([1, -1])
    found = ratio_difference(uneven(days, "learned_schedules"), uneven(days, "nash_schedules"), "welfare", "first_best")
    assert found.value == pytest.approx(test.effect.item(), rel=1e-8)
    assert found.se == pytest.approx(test.sd.item() * np.sqrt(8 / 7), rel=1e-7)


def test_the_frame_by_hand(panel, days):
    frame = welfare_table(panel).to_frame()
    own = days[days["treatment"] == "learned_quantities"]
    row = frame.loc["learned_quantities"]
    assert row["efficiency"] == pytest.approx(own["welfare"].sum() / own["first_best"].sum(), rel=EXACT)
    gap = (own["welfare"] - own["nash_welfare"]).sum() / own["first_best"].sum()
    assert row["difference"] == pytest.approx(gap, rel=EXACT)
    assert row["price"] == pytest.approx(own["price"].mean()) and row["revenue"] == pytest.approx(own["revenue"].mean())
    assert row["welfare_loss"] == pytest.approx((own["first_best"] - own["welfare"]).mean())
    buyers = panel[(panel["treatment"] == "learned_quantities") & (panel["role"] == "buyer")]
    assert row["buyers_payoff"] == pytest.approx(buyers["payoff"].sum() / (8 * 6))
    assert (row["sessions"], row["unconverged"], row["failed"]) == (8, 1, 0)
    assert frame.loc["competitive", "efficiency"] == pytest.approx(1.0, abs=EXACT)
    assert frame.loc["nash_schedules", "difference"] == pytest.approx(0.0, abs=EXACT)


def test_benchmarks_agree_where_they_must(panel):
    frames = {name: welfare_table(panel, against=name).to_frame() for name in ("nash", "first_best", "nash_schedules")}
    loss = frames["first_best"]["difference"]
    np.testing.assert_allclose(loss, frames["first_best"]["efficiency"] - 1, atol=EXACT)
    learned = [
        frames[name].loc["learned_schedules", ["difference", "difference_se"]] for name in ("nash", "nash_schedules")
    ]
    np.testing.assert_allclose(*learned, atol=1e-5)  # same value; the second also lets Nash's own ratio vary by session
    assert learned[0]["difference"] == pytest.approx(learned[1]["difference"], abs=EXACT)


def test_unknown_benchmark_names_the_nearest(panel):
    with pytest.raises(ValueError, match=r"`nash_schedule`; did you mean `nash_schedules`"):
        welfare_table(panel, against="nash_schedule")
    with pytest.raises(ValueError, match="`nash_welfare`"):
        welfare_table(panel.drop(columns="nash_welfare"))
    with pytest.raises(ValueError, match="share no session"):
        shifted = panel.assign(session=panel["session"] + 100 * (panel["treatment"] == "competitive"))
        welfare_table(shifted, against="competitive")


def test_failed_sessions_leave_the_means_and_enter_the_count(panel):
    bad = panel.copy()
    bad.loc[(bad["treatment"] == "learned_schedules") & (bad["session"] == 0), ["welfare", "payoff", "price"]] = np.nan
    table = welfare_table(bad)
    kept = panel[~((panel["treatment"] == "learned_schedules") & (panel["session"] == 0))]
    want = welfare_table(kept).to_frame().loc["learned_schedules"]
    row = table.to_frame().loc["learned_schedules"]
    assert row["efficiency"] == want["efficiency"] and (row["sessions"], row["failed"]) == (8, 1)
    assert "Failed sessions" in str(table) and "7 to 8 sessions" in str(table)
    with pytest.raises(ValueError, match="every session failed"):
        welfare_table(panel.assign(welfare=np.nan))


def test_a_treatment_that_failed_altogether_keeps_its_row(panel):
    bad = panel.assign(welfare=panel["welfare"].where(panel["treatment"] != "nash_quantities"))
    row = welfare_table(bad).to_frame().loc["nash_quantities"]
    assert np.isnan(row["efficiency"]) and row["failed"] == 8


def test_one_session_has_no_standard_error_and_says_so(panel):
    table = welfare_table(panel[panel["session"] == 0])
    assert table.to_frame()["efficiency_se"].isna().all()
    assert "no standard error" in str(table) and "nan" not in str(table)


def test_digits_resolve_a_fraction_of_a_percent_point(panel):
    table = welfare_table(panel)
    row = table.cells().set_index("").loc["Gap to Nash (schedules) (pp)", "Learned (schedules)"]
    assert float(row) == pytest.approx(100 * table.to_frame().loc["learned_schedules", "difference"], abs=5e-5)
    assert float(row) != 0


def test_a_panel_without_prices_still_has_welfare(panel):
    text = str(welfare_table(panel.drop(columns=["price", "competitive_price", "supply"]), against="first_best"))
    assert "Efficiency" in text and "Mean price" not in text
