import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import (
    demand_figure,
    efficiency_figure,
    price_figure,
    save_figure,
    schedules_figure,
    training_figure,
)
from dcg_econ.analysis.panels import market_days
from dcg_econ.analysis.style import KNOWN, looks


@pytest.fixture(scope="module")
def demand():
    price = np.linspace(0.3, 1.7, 20)
    iv = 3000 * price**-0.8
    points = pd.DataFrame({"price": price, "quantity": iv * 1.1})
    curves = pd.DataFrame({"price": price, "iv": iv, "kernel": iv * 0.9})
    return demand_figure(points, curves.assign(kernel_low=iv * 0.7, kernel_high=iv * 1.2)), iv, price


def test_demand_has_price_on_the_vertical_axis(demand):
    figure, iv, price = demand
    axis = figure.axes[0]
    assert axis.get_ylabel() == "Price ($/lb)" and "lb per market day" in axis.get_xlabel()
    line = next(line for line in axis.get_lines() if line.get_label().startswith("2SLS"))
    np.testing.assert_array_equal(line.get_xdata(), iv)
    np.testing.assert_array_equal(line.get_ydata(), price)


def test_demand_draws_the_band_of_the_estimate_where_known():
    price = np.linspace(0.3, 1.7, 20)
    curves = pd.DataFrame({name: 3000 * price**-0.8 for name in ("iv", "kernel", "kernel_low", "kernel_high")})
    points = pd.DataFrame({"price": price, "quantity": curves["iv"]})
    bare = demand_figure(points, curves.assign(price=price)).axes[0]
    full = demand_figure(points, curves.assign(price=price, iv_low=1000.0, iv_high=5000.0)).axes[0]
    assert len(full.get_lines()) == len(bare.get_lines()) + 2
    assert "2SLS, 95% band" in [text.get_text() for text in full.get_legend().get_texts()]


def test_schedules_draw_one_panel_a_type_with_the_learned_band(schedules):
    figure = schedules_figure(schedules)
    assert [axis.get_title().split(" (")[0] for axis in figure.axes] == ["Low type", "Mean type", "High type"]
    assert all(len(axis.get_lines()) == 3 and len(axis.collections) == 1 for axis in figure.axes)
    assert "lb per market day" in figure.get_supxlabel() and figure.axes[0].get_ylabel() == "Price ($/lb)"


def test_price_figure_shows_the_means(panel):
    figure = price_figure(panel)
    days = market_days(panel)
    for axis, column, factor in zip(figure.axes, ("markdown", "revenue_loss"), (100, 1), strict=True):
        shown = [container.lines[0].get_xdata()[0] for container in axis.containers]
        want = factor * days.groupby("treatment", sort=False)[column].mean()
        np.testing.assert_allclose(shown, want, atol=1e-9)
    assert "(%)" in figure.axes[0].get_xlabel() and "($ per market day)" in figure.axes[1].get_xlabel()
    assert "clustered by session" in figure.get_supxlabel()


def test_efficiency_figure_shows_every_session(panel):
    axis = efficiency_figure(panel).axes[0]
    days = market_days(panel)
    own = days[days["treatment"] == "learned_quantities"].groupby("session")[["welfare", "first_best"]].sum()
    shown = axis.collections[[t.get_text() for t in axis.get_yticklabels()].index("Learned (quantities)")]
    dots = [c for c in axis.collections if len(c.get_offsets()) == 8]
    assert len(dots) == 5 and shown is not None
    np.testing.assert_allclose(dots[4].get_offsets()[:, 0], 100 * (1 - own["welfare"] / own["first_best"]))
    assert axis.get_xlabel() == "Efficiency loss (% of first best)"


def test_training_figure_has_sessions_medians_nash_and_a_log_scale(history):
    left, right = training_figure(history).axes
    assert all(a.get_yscale() == "log" and "log scale" in a.get_ylabel() for a in (left, right))
    assert len(right.get_lines()) == 2 * (8 + 1) and len(left.get_lines()) == 2 * (8 + 1 + 1)
    nash = next(line for line in left.get_lines() if line.get_label() == "Nash (schedules)")
    assert set(np.round(nash.get_ydata(), 6)) == {0.9}
    own = history[(history["treatment"] == "learned_quantities") & (history["step"] == 500)]
    median = next(line for line in left.get_lines() if line.get_label() == "Learned (quantities)")
    assert median.get_ydata()[5] == pytest.approx(100 * (1 - own["efficiency"]).median())


def test_training_figure_skips_what_was_not_measured(history):
    holes = history.assign(regret=history["regret"].where(history["step"] % 200 == 0), nash_efficiency=np.nan)
    left, right = training_figure(holes).axes
    assert len(right.get_lines()[0].get_xdata()) == 11 and len(left.get_lines()) == 2 * 9


def test_grey_print_can_tell_treatments_apart():
    drawn = looks([*KNOWN, "silence", "chat", "continuous"])
    assert len({str(look.line) for name, look in drawn.items() if name.startswith(("nash", "learned"))}) == 4
    assert len({look.marker for name, look in drawn.items() if name != "true marginal value"}) == 8


def test_saving_is_deterministic_and_leaves_the_settings_alone(demand, tmp_path):
    before = dict(mpl.rcParams)
    first, second = (save_figure(demand[0], tmp_path / name, "demand") for name in ("a", "b"))
    assert dict(mpl.rcParams) == before
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes() and one.stat().st_size > 5000
    assert first[0].read_bytes()[:4] == b"\x89PNG" and first[1].read_bytes()[:5] == b"%PDF-"


def test_missing_columns_are_named(panel, schedules):
    with pytest.raises(ValueError, match="`competitive_price`"):
        price_figure(panel.drop(columns="competitive_price"))
    with pytest.raises(ValueError, match="frame of schedules has no column `quantity`"):
        schedules_figure(schedules.drop(columns=["quantity"]))
