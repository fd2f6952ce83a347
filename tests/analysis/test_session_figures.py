"""Sessions are drawn where they are, none is lost, and what stands beside them is counted anew."""

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import distribution_figure, efficiency_figure, market_days, session_frame
from dcg_econ.analysis.session_figures import NEAR
from dcg_econ.analysis.style import figure_text, looks


@pytest.fixture(scope="module")
def bimodal(make_study):
    """Every third session of chat loses a quarter of first best."""
    panel = make_study(slopes=(1.0,), sessions=9)[0]
    low = (panel["treatment"] == "chat") & (panel["session"] % 3 == 0)
    lost = panel.assign(welfare=panel["welfare"] - 0.25 * panel["first_best"] * low)
    lost.attrs = panel.attrs
    return lost


def beside(axes):
    return [text.get_text() for text in axes.texts]


def test_the_frame_has_one_row_a_session_and_the_ratio_of_sums(bimodal):
    frame = session_frame(bimodal)
    assert list(frame) == ["treatment", "session", "value"] and len(frame) == 27
    days = market_days(bimodal)
    own = days[(days["treatment"] == "chat") & (days["session"] == 3)]
    value = frame.query("treatment == 'chat' and session == 3")["value"].item()
    assert value == pytest.approx(own["welfare"].sum() / own["first_best"].sum())
    payoffs = session_frame(bimodal, "mean_payoff").query("treatment == 'chat' and session == 3")["value"].item()
    assert payoffs == pytest.approx(own["mean_payoff"].mean())


def test_every_session_is_a_dot_and_shares_are_counted(bimodal):
    axes = distribution_figure(bimodal)
    frame = session_frame(bimodal)
    dots = np.concatenate([group.get_offsets()[:, 0] for group in axes.collections])
    np.testing.assert_allclose(np.sort(dots), np.sort(100 * frame["value"]))
    (nash,) = [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == "Nash"]
    reached = [np.mean(100 * own["value"] >= nash - 100 * NEAR) for _, own in frame.groupby("treatment", sort=False)]
    assert beside(axes) == [f"n = 9, {100 * share:.0f}%" for share in reached]
    assert axes.get_xlabel() == "Efficiency (% of first best)" and "stacked" in axes.figure.get_supxlabel()


def test_a_threshold_of_ones_own_is_drawn_and_met_exactly(bimodal):
    values = session_frame(bimodal, "mean_payoff").query("treatment == 'chat'")["value"]
    axes = distribution_figure(bimodal, "mean_payoff", threshold=float(values.median()))
    assert beside(axes)[1] == f"n = 9, {100 * 5 / 9:.0f}%"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["Median session", "Threshold"] and "(money)" in axes.get_xlabel()


def test_stacked_dots_do_not_leave_their_row(make_study):
    axes = distribution_figure(make_study(slopes=(1.0,), sessions=60, rounds=1)[0])
    for row, group in enumerate(axes.collections):
        heights = group.get_offsets()[:, 1]
        assert len(heights) == 60 and np.abs(heights - row).max() < 0.5
    same = axes.collections[2].get_offsets()  # Nash: all sessions at one place, each seen
    assert len(np.unique(np.round(same, 6), axis=0)) == 60


def test_a_grid_has_a_row_a_cell_and_no_common_nash(make_study):
    axes = distribution_figure(make_study()[0])
    assert [text.get_text() for text in axes.get_yticklabels()][:2] == [
        "Silence at outside slope = 0.5",
        "Silence at outside slope = 1",
    ]
    assert beside(axes) == ["n = 6"] * 9
    many = make_study(slopes=tuple(np.arange(1.0, 10.0)), sessions=1, rounds=1)[0]
    with pytest.raises(ValueError, match="27 cells do not fit"):
        distribution_figure(many)


def test_failed_sessions_and_treatments_without_any(bimodal):
    lost = bimodal.assign(welfare=bimodal["welfare"].mask(bimodal["treatment"] == "silence"))
    lost.attrs = bimodal.attrs
    axes = distribution_figure(lost)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["Chat", "Equilibrium", "Silence"]
    assert beside(axes)[2] == "n = 0"
    with pytest.raises(ValueError, match="every session failed"):
        distribution_figure(bimodal.assign(welfare=np.nan))
    with pytest.raises(ValueError, match="no numeric outcome `efficency`; did you mean"):
        session_frame(bimodal, "efficency")


def test_one_session_is_one_dot(make_study):
    axes = distribution_figure(make_study(slopes=(1.0,), sessions=1)[0])
    assert [len(group.get_offsets()) for group in axes.collections] == [1, 1, 1] and beside(axes)[0] == "n = 1, 0%"


def test_it_may_be_drawn_on_axes_of_ones_own(bimodal):
    from matplotlib.figure import Figure

    given = Figure().subplots()
    assert distribution_figure(bimodal, axes=given) is given and given.figure.get_supxlabel() == ""


def test_nash_stands_beside_first_best_where_no_treatment_plays_it(bimodal):
    learned = bimodal[bimodal["treatment"] != "equilibrium"]
    learned.attrs = bimodal.attrs
    for panel, want in ((learned, ["First best", "Nash"]), (bimodal, ["First best"])):
        figure = efficiency_figure(panel)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == want
    nash = next(line for line in efficiency_figure(learned).axes[0].get_lines() if line.get_label() == "Nash")
    sums = learned[["nash_welfare", "first_best"]].sum()
    assert nash.get_xdata()[0] == pytest.approx(100 * (1 - sums["nash_welfare"] / sums["first_best"]))


def test_names_are_words_and_fit(bimodal):
    odd = bimodal.assign(
        treatment=bimodal["treatment"].map({"silence": "$x$ and $\\bad", "chat": "n" * 200, "equilibrium": "🎉"})
    )
    odd.attrs = bimodal.attrs
    axes = distribution_figure(odd)
    labels = axes.get_yticklabels()
    assert not any(label.get_parse_math() for label in labels)
    assert [label.get_text() for label in labels] == ["$x$ and $\\bad", "N" + 42 * "n" + "…", "U+1F389"]
    axes.figure.canvas.draw()
    assert figure_text("a\nb") == "a b" and looks(["🎉"])["🎉"].label == "U+1F389"
    assert isinstance(session_frame(odd), pd.DataFrame)
