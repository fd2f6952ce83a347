import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis.panels import failed_sessions, market_days, session_flags

CONSERVATION = 1e-9  # sums of a few hundred dollars


def test_one_row_per_market_day_in_the_panels_order(panel):
    days = market_days(panel)
    assert len(days) == 5 * 8 * 6 and not days.duplicated(["treatment", "session", "round"]).any()
    assert list(days["treatment"].unique()) == list(panel["treatment"].unique())


def test_payoffs_by_role_add_up_to_welfare(panel):
    days = market_days(panel)
    total = days["buyers_payoff"] + days["fringe_payoff"] + days["seller_payoff"]
    np.testing.assert_allclose(total, days["welfare"], rtol=CONSERVATION)
    np.testing.assert_allclose(days["revenue"], days["seller_payoff"], rtol=CONSERVATION)


def test_derived_columns_by_hand(panel):
    row = market_days(panel).query("treatment == 'nash_schedules' and session == 2 and round == 4").iloc[0]
    raw = panel.query("treatment == 'nash_schedules' and session == 2 and round == 4").iloc[0]
    assert row["efficiency"] == raw["welfare"] / raw["first_best"]
    assert row["markdown"] == 1 - raw["price"] / raw["competitive_price"]
    assert row["log_price"] == np.log(raw["price"])
    assert row["revenue_loss"] == pytest.approx((raw["competitive_price"] - raw["price"]) * raw["supply"])
    assert row["welfare_loss"] == raw["first_best"] - raw["welfare"]


def test_row_order_does_not_matter(panel):
    keys = ["treatment", "session", "round"]
    shuffled = panel.sample(frac=1, random_state=1)
    one, two = (market_days(p).sort_values(keys, ignore_index=True) for p in (panel, shuffled))
    pd.testing.assert_frame_equal(one, two)


def test_refuses_what_would_be_counted_twice_or_is_no_market_outcome(panel):
    with pytest.raises(ValueError, match="concatenated"):
        market_days(pd.concat([panel, panel]))
    with pytest.raises(ValueError, match="`payoff` differs between the players"):
        market_days(panel, keep=["payoff"])
    with pytest.raises(ValueError, match="`welfare` differs"):
        market_days(panel.assign(welfare=panel["welfare"].where(panel["role"] != "seller")))
    with pytest.raises(ValueError, match="no column `treatment`"):
        market_days(panel.drop(columns="treatment"))
    with pytest.raises(ValueError, match="no rows"):
        market_days(panel.head(0))


def test_a_bargaining_panel_without_prices_is_enough(panel):
    days = market_days(panel.drop(columns=["price", "competitive_price", "supply", "nash_welfare", "role"]))
    assert "efficiency" in days and "markdown" not in days and "buyers_payoff" not in days


def test_a_session_fails_as_a_whole_and_is_counted(panel):
    bad = panel.copy()
    lost = (bad["treatment"] == "learned_schedules") & (bad["session"] == 5) & (bad["round"] == 1)
    bad.loc[lost, ["welfare", "price", "payoff", "regret"]] = np.nan
    days = market_days(bad)
    failed = days[failed_sessions(days)]
    assert set(failed["session"]) == {5} and set(failed["treatment"]) == {"learned_schedules"} and len(failed) == 6
    flags = session_flags(days)
    assert flags["failed"].to_dict() == {t: int(t == "learned_schedules") for t in flags.index}
    assert flags["unconverged"].to_dict() == {t: int(t.startswith("learned")) for t in flags.index}


def test_regret_is_counted_once_a_session(panel):
    flags = session_flags(market_days(panel))
    by_session = panel[panel["treatment"] == "learned_quantities"].groupby("session")["regret"].first()
    assert flags.loc["learned_quantities", "regret_mean"] == pytest.approx(by_session.mean())
    assert flags.loc["learned_quantities", "regret_max"] == by_session.max()
