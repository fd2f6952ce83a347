"""Arrows point to the best replies, and curves pass through the equilibria."""

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import best_response_figure
from dcg_econ.diagnostics import best_reply_field, mixed_payoffs

GRID = np.linspace(0.0, 10.0, 11)


def cournot(a, b):
    """Price 12 - a - b, no costs: the best reply is 6 less half of the other's quantity."""
    price = 12 - a - b
    return np.stack([a * price, b * price], axis=1)


@pytest.fixture(scope="module")
def frame():
    return best_reply_field(cournot, GRID, GRID, ("First firm (tons)", "Second firm (tons)"))


def test_arrows_and_curves(frame):
    axes = best_response_figure(frame, pd.DataFrame({"first": [4.0], "second": [4.0]}))
    arrows = next(one for one in axes.collections if hasattr(one, "U"))
    moves = np.stack([arrows.U, arrows.V], axis=1)
    want = frame[["d_first", "d_second"]].to_numpy()
    np.testing.assert_allclose(moves / np.hypot(*moves.T).max(), want / np.hypot(*want.T).max(), atol=1e-12)
    assert np.hypot(*moves.T).max() == pytest.approx(0.9)
    lines = {line.get_label(): line for line in axes.get_lines()}
    first, second = lines["Best reply of the first player"], lines["Best reply of the second player"]
    np.testing.assert_allclose(first.get_xdata(), 6 - np.asarray(first.get_ydata()) / 2)
    np.testing.assert_allclose(second.get_ydata(), 6 - np.asarray(second.get_xdata()) / 2)
    assert list(lines["Equilibrium"].get_xdata()) == [4.0] and axes.get_xlabel() == "First firm (tons)"


def test_ties_are_drawn_as_the_whole_of_what_is_as_good():
    pennies = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    chances = np.linspace(0, 1, 5)
    axes = best_response_figure(best_reply_field(mixed_payoffs(pennies), chances, chances))
    first = next(line for line in axes.get_lines() if line.get_label() == "Best reply of the first player")
    assert list(first.get_xdata()) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    second = next(line for line in axes.get_lines() if line.get_label() == "Best reply of the second player")
    assert list(second.get_ydata()) == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]


def test_no_moves_missing_columns_and_axes_of_ones_own(frame):
    from matplotlib.figure import Figure

    still = best_response_figure(frame.assign(d_first=0.0, d_second=0.0), axes=Figure().subplots())
    labels = [text.get_text() for text in still.get_legend().get_texts()]
    assert any(label.startswith("No arrows") for label in labels) and not still.collections
    with pytest.raises(ValueError, match="`best_first`"):
        best_response_figure(frame.drop(columns="best_first"))
    with pytest.raises(ValueError, match="not finite"):
        best_response_figure(frame.assign(d_first=np.nan))


def test_fine_grids_keep_their_ends_in_view():
    fine = np.linspace(0.0, 10.0, 101)
    axes = best_response_figure(best_reply_field(cournot, fine, fine))
    arrows = next(one for one in axes.collections if hasattr(one, "U"))
    assert len(arrows.U) == 21**2 and axes.get_xlim()[1] > 10
