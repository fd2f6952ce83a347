import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import market_days
from dcg_econ.analysis.panels import failed_sessions, session_flags
from dcg_econ.analysis.points import cells_of, levels, parameters_of, point_text, points_of, swept_parameters
from dcg_econ.analysis.units import outcome_label, split_label, units_of


def test_a_day_is_told_by_its_grid_point(study):
    days = market_days(study[0])
    assert len(days) == 3 * 3 * 6 * 4 and parameters_of(days) == ("outside_slope",)
    assert not days.duplicated(["treatment", "outside_slope", "session", "round"]).any()
    row = days.query("treatment == 'chat' and outside_slope == 2 and session == 3 and round == 1").iloc[0]
    raw = study[0].query("treatment == 'chat' and outside_slope == 2 and session == 3 and round == 1")
    assert row["mean_payoff"] == pytest.approx(raw["payoff"].mean()) and row["welfare"] == raw["welfare"].iloc[0]
    assert row["trader_payoff"] == pytest.approx(raw["payoff"].sum())


def test_cells_are_never_pooled_silently(study):
    bare = study[0].copy()
    bare.attrs = {}
    with pytest.raises(ValueError, match=r"several cells that no parameter tells apart.*parameters="):
        market_days(bare)
    with pytest.raises(ValueError, match=r"appears twice.*swept columns"):
        market_days(bare.drop(columns="cell"))
    pd.testing.assert_frame_equal(market_days(bare, parameters=("outside_slope",)), market_days(study[0]))
    with pytest.raises(ValueError, match=r"`outside_slop`; did you mean `outside_slope`"):
        market_days(bare, parameters=("outside_slop",))


def test_one_value_makes_no_grid(make_study):
    panel, _ = make_study(slopes=(0.5,))
    assert swept_parameters(panel) == () and parameters_of(market_days(panel)) == ()


def test_a_session_fails_in_its_cell_only(make_study):
    panel, _ = make_study(diverged=[("chat", 1.0, 4)])
    days = market_days(panel)
    bad = days[failed_sessions(days)]
    assert set(zip(bad["treatment"], bad["outside_slope"], bad["session"], strict=True)) == {("chat", 1.0, 4)}
    flags = session_flags(days)
    assert flags["failed"].sum() == 1 and flags.loc[("chat", 1.0), "failed"] == 1
    assert flags.loc[("chat", 1.0), "unconverged"] == 0


def test_text_parameters_keep_their_order_and_missing_ones_are_a_level():
    frame = pd.DataFrame({"treatment": ["b", "a", "a"], "knots": ["8", "16", None], "x": [2.0, 1.0, np.nan]})
    assert points_of(frame, ("knots",)) == [("8",), ("16",), (None,)]
    assert cells_of(frame.head(2), ("x",)) == [("b", 2.0), ("a", 1.0)]
    assert levels([2.0, 0.5, 1.0]) == [0.5, 1.0, 2.0]
    assert point_text(("outside_slope", "knots"), (0.5, "1,2")) == "outside slope = 0.5, knots = 1,2"


def test_values_by_player_are_no_market_outcomes(study):
    other = study[0].assign(price=np.arange(len(study[0]), dtype=float))
    other["regret"] = np.where(other["participant"] == "trader 1", 0.5, 0.1)
    days = market_days(other)
    assert "price" not in days and set(days["regret"]) == {0.5}
    with pytest.raises(ValueError, match="`price` differs"):
        market_days(other, keep=["price"])


def test_units_are_those_of_the_labels():
    assert split_label("Price, $/lb") == ("Price", "$/lb") and split_label("Payoff (points)") == ("Payoff", "points")
    assert split_label("Session") == ("Session", "")
    fish = units_of({"payoff": "Payoff, $", "price": "Price, $/lb"})
    assert (fish.flow, fish.price, fish.dollars) == ("$ per market day", "$/lb", True)
    lab = units_of({"payoff": "Payoff, points"})
    assert (lab.money, lab.flow, lab.period, lab.dollars) == ("points", "points per round", "round", False)
    assert outcome_label("revenue", {"payoff": "Payoff, points"}) == ("revenue", "points per round")
    assert outcome_label("regret", {"regret": "Regret, of first best"}) == ("regret", "share of first best")
    assert outcome_label("GSNR", {"GSNR": "GSNR"}) == ("GSNR", "")
