import numpy as np
import pytest

from dcg_econ.analysis import efficiency_figure, grid_figure, grid_training_figure, training_figure, welfare_table
from dcg_econ.analysis.style import looks
from tests.analysis.test_study_report import history_of


def lines_of(axis):
    return {container.get_label(): container.lines[0] for container in axis.containers}


def test_efficiency_is_drawn_at_every_point_with_its_interval(study):
    panel, _ = study
    figure = grid_figure(panel)
    axis, frame = figure.axes[0], welfare_table(panel).to_frame()
    drawn = lines_of(axis)
    assert list(drawn) == ["Silence", "Chat", "Equilibrium"]
    want = frame.xs("chat", level="treatment")
    np.testing.assert_allclose(np.asarray(drawn["Chat"].get_ydata(), float), 100 * want["efficiency"])
    bars = next(c for c in axis.containers if c.get_label() == "Chat").lines[2][0].get_segments()
    highs = [segment[:, 1].max() for segment in bars]
    np.testing.assert_allclose(highs, 100 * want["efficiency_high"])
    assert axis.get_ylabel() == "Efficiency (% of first best)" and figure.get_supxlabel() == "Parameter outside_slope"
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0.5", "1", "2"]


def test_nash_is_a_line_of_its_own_only_where_no_treatment_is_it(study):
    panel, _ = study
    learned = panel[panel["treatment"] != "equilibrium"]
    learned.attrs = panel.attrs
    labels = [[line.get_label() for line in grid_figure(p).axes[0].get_lines()] for p in (panel, learned)]
    assert "Nash (solved)" not in labels[0] and "Nash (solved)" in labels[1]


def test_a_wide_range_stands_on_a_log_axis_and_text_evenly(make_study):
    wide, _ = make_study(slopes=(0.01, 0.1, 1.0), sessions=2, rounds=2)
    assert grid_figure(wide).axes[0].get_xscale() == "log"
    words, _ = make_study(sessions=2, rounds=2)
    named = words.assign(outside_slope=words["outside_slope"].map({0.5: "few", 1.0: "some", 2.0: "many"}))
    axis = grid_figure(named).axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["few", "some", "many"]
    assert all(line.get_linestyle() == "None" for line in lines_of(axis).values())


def test_figures_that_would_pool_points_refuse(study, make_study):
    with pytest.raises(ValueError, match=r"must not pool its points: use grid_figure"):
        efficiency_figure(study[0])
    one, _ = make_study(slopes=(0.5,))
    with pytest.raises(ValueError, match="one or two swept parameters, not 0"):
        grid_figure(one)
    with pytest.raises(ValueError, match="every session failed"):
        grid_figure(study[0].assign(welfare=np.nan))


def test_a_treatment_keeps_its_colour_where_another_failed(make_study):
    panel, cells = make_study(failed=[("silence", 2.0)])
    names = ["silence", "chat", "equilibrium"]
    want = looks(names)["chat"].colour
    history = history_of(cells[cells["status"] == "ok"]).merge(cells[["cell", "outside_slope"]], on="cell")
    figure = grid_training_figure(history, ("outside_slope",), names)
    alone = figure.axes[2]  # the first row's third point, where silence failed
    assert {line.get_color() for line in alone.get_lines()} == {want} and "slope = 2" in alone.get_title()
    chat = panel[panel["treatment"] == "chat"]
    chat.attrs = panel.attrs
    assert lines_of(grid_figure(chat, treatments=names).axes[0])["Chat"].get_color() == want


def test_nash_beside_the_learning_curves_is_drawn_once(make_study):
    _, cells = make_study(slopes=(0.5,))
    history = history_of(cells).assign(nash_efficiency=0.99)
    history["treatment"] = history["treatment"].map({"silence": "learned", "chat": "learned_jointly"})
    labels = [line.get_label() for line in training_figure(history).axes[0].get_lines()]
    assert [label for label in labels if label.startswith("Nash")] == ["Nash"]
    history.loc[history["treatment"] == "learned_jointly", "nash_efficiency"] = 0.98
    labels = [line.get_label() for line in training_figure(history).axes[0].get_lines()]
    assert [label for label in labels if label.startswith("Nash")] == ["Nash", "Nash for Learned jointly"]
