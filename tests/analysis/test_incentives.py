"""The price of incentives. Oracle: a panel of two sessions whose ratios, pairs and errors are worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from dcg_econ.analysis import incentives_table
from dcg_econ.analysis.incentives import has_incentives
from dcg_econ.analysis.talk import talk_groups
from tests.analysis.test_talk import panel_of

NAMES = ("silence", "chat_2")


@pytest.fixture(scope="module")
def panel():
    return panel_of(NAMES, ("", "_joint", "_shaped"))


def test_the_price_is_the_paired_gap(panel):
    frame = incentives_table(panel).to_frame()
    assert list(frame.index) == list(NAMES)
    assert frame["selfish"].tolist() == pytest.approx([54 / 80, 64 / 80])
    assert frame["joint"].tolist() == pytest.approx([58 / 80, 68 / 80])
    # Joint players reach 2 more in each session of 20 and of 60: the terms of (1) are 2 - 4/80 * 20 and 2 - 4/80 * 60.
    u = np.array([2 - 0.05 * 20, 2 - 0.05 * 60]) / 80
    se = np.sqrt(2 * (u**2).sum())
    assert frame["price"].tolist() == pytest.approx([4 / 80, 4 / 80])
    assert frame["price_se"].tolist() == pytest.approx([se, se])
    assert frame.loc["silence", "price_high"] == pytest.approx(0.05 + stats.t.ppf(0.975, 1) * se)
    assert frame["shaping"].tolist() == frame["price"].tolist()  # panel_of adds the same to both endings
    assert frame["gap"].isna().all()  # no bound is known there


def test_selfish_play_stands_beside_the_bound_that_is_known(panel):
    bounded = panel.assign(second_best_welfare=0.75 * panel["first_best"])
    found = incentives_table(bounded)
    assert found.to_frame()["gap"].tolist() == pytest.approx([54 / 80 - 0.75, 64 / 80 - 0.75])
    assert "less second best" in str(found) and "Myerson" in str(found)
    told = incentives_table(panel.assign(theory_welfare=0.7 * panel["first_best"]))
    assert told.to_frame()["gap"].tolist() == pytest.approx([54 / 80 - 0.7, 64 / 80 - 0.7])
    assert "less theory" in str(told)


def test_who_has_no_joint_counterpart_is_not_in_the_table():
    own = panel_of(NAMES)
    assert not has_incentives(own["treatment"].unique())
    with pytest.raises(ValueError, match="_joint"):
        incentives_table(own)


def test_shaped_players_are_a_group_of_their_own():
    names = ["a", "a_joint", "a_shaped"]
    assert list(talk_groups(names).values()) == [["a"], ["a_joint"], ["a_shaped"]]
    assert talk_groups(["a", "a_shaped"]) == {"": ["a", "a_shaped"]}
