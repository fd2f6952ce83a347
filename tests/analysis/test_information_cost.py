"""The information-cost curve. Oracle: two curves of three prices whose numbers are worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dcg_econ.analysis import information_cost_figure, information_cost_table
from dcg_econ.analysis.information_cost import cost_curves, has_cost_curves

SCORES = {"plain": (0.9, 0.6, 0.3), "aware": (0.9, 0.7, 0.3)}  # efficiency at three prices, dearer and dearer
SESSIONS = (-0.02, 0.0, 0.02)  # what a session has more than the mean; the aware have it the other way round
BITS = (6.0, 3.0, 1.0)


def priced():
    rows = []
    for curve, scores in SCORES.items():
        for number, score in enumerate(scores):
            for session, more in enumerate(SESSIONS):
                total = score + (more if curve == "plain" else -more)
                common = {"treatment": f"{curve}_{number + 1}", "session": session, "round": 0, "mechanism": "talk"}
                common |= {"welfare": total, "first_best": 1.0, "converged": True, "regret": np.nan}
                rows.append(common | {"participant": "sender", "payoff": total, "bits": BITS[number] + more})
                rows.append(common | {"participant": "receiver", "payoff": 0.0, "bits": np.nan})
    return pd.DataFrame(rows)


def test_levels_nats_and_gaps_by_hand():
    frame = information_cost_table(priced()).to_frame()
    assert frame["efficiency"].tolist() == pytest.approx([*SCORES["plain"], *SCORES["aware"]])
    assert frame.loc["plain_2", "nats"] == pytest.approx(3 * np.log(2))
    assert frame.loc["plain_2", "nats_se"] == pytest.approx(np.log(2) * stats.sem(SESSIONS))
    assert frame.loc[["plain_1", "plain_2", "plain_3"], "difference"].isna().all()
    gaps = 0.1 - 2 * np.array(SESSIONS)
    exact = stats.ttest_1samp(gaps, 0)
    assert frame.loc["aware_2", "difference"] == pytest.approx(0.1)
    assert frame.loc["aware_2", "difference_se"] == pytest.approx(stats.sem(gaps))
    assert frame.loc["aware_2", "p"] == pytest.approx(exact.pvalue)
    assert frame.loc["aware_2", "p_holm"] == pytest.approx(3 * exact.pvalue)  # the smallest of three
    assert frame.loc["aware_1", "p"] == pytest.approx(1.0)


def test_the_figure_has_a_line_for_each_curve():
    axes = information_cost_figure(priced()).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Plain", "Aware"]
    assert "nats" in axes.get_xlabel() and "%" in axes.get_ylabel()


def test_names_make_curves():
    names = ["a_2", "a_10", "a_1", "b_1", "c", "b_2"]
    assert cost_curves(names) == {"a": ["a_1", "a_2", "a_10"]}
    own = priced()
    assert has_cost_curves(own) and not has_cost_curves(own[own["treatment"].str.startswith("plain")])
    with pytest.raises(ValueError, match="two curves"):
        information_cost_table(own[own["treatment"].str.startswith("plain")])
