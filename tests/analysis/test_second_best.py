"""The second best beside Nash and first best: by hand on panels that have its column, and unseen where they have not."""

import numpy as np
import pytest

from dcg_econ.analysis import efficiency_figure, grid_figure, market_days, plan_table, welfare_table, write_report
from tests.analysis.test_study_report import material_of, words_of

EXACT = 1e-10  # the same sums in another order
SHARE = 1.01  # of Nash, so that no treatment is the second best itself


def bounded(panel):
    """The panel with a column for the second best."""
    made = panel.assign(second_best_welfare=SHARE * panel["nash_welfare"])
    made.attrs = panel.attrs
    return made


def labels_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_gap_to_the_second_best_by_hand(study):
    panel = bounded(study[0])
    frames = {name: welfare_table(panel, against=name).to_frame() for name in ("nash", "second_best")}
    own = market_days(panel).query("treatment == 'chat' and outside_slope == 1.0")
    gap = (own["welfare"] - own["second_best_welfare"]).sum() / own["first_best"].sum()
    row = frames["second_best"].loc[("chat", 1.0)]
    assert row["difference"] == pytest.approx(gap, rel=EXACT) and row["difference_se"] > 0
    beside = frames["nash"].loc[("chat", 1.0)]
    assert beside["second_best_difference"] == pytest.approx(gap, rel=EXACT)
    bound = own["second_best_welfare"].sum() / own["first_best"].sum()
    assert beside["second_best_efficiency"] == pytest.approx(bound, rel=EXACT)
    assert beside["nash_efficiency"] == pytest.approx(bound / SHARE, rel=EXACT)


def test_it_is_printed_once_beside_every_benchmark(study, make_study):
    panel = bounded(study[0])
    for against in ("nash", "second_best", "first_best"):
        heads = list(welfare_table(panel, against=against).cells().columns)
        assert len(set(heads)) == len(heads) and {"Second best (%)", "Gap to second best (pp)"} <= set(heads)
    one = bounded(make_study(slopes=(1.0,))[0])
    for against in ("nash", "second_best"):
        rows = list(welfare_table(one, against=against).cells()[""])
        assert rows.count("Gap to second best (pp)") == 1 and "Second best on them (%)" in rows
    assert "by chance" in str(welfare_table(one))


def test_panels_without_it_are_as_they_were(study):
    panel = study[0]
    assert not any("second" in name for name in welfare_table(panel).to_frame())
    assert "econd best" not in str(welfare_table(panel))
    with pytest.raises(ValueError, match="`second_best_welfare`"):
        welfare_table(panel, against="second_best")
    with pytest.raises(ValueError, match="no bound is known there"):
        welfare_table(panel.assign(second_best_welfare=np.nan), against="second_best")
    assert labels_of(grid_figure(panel)) == ["Silence", "Chat", "Equilibrium"]


def test_figures_draw_it_in_a_line_of_its_own(study, make_study):
    labels = labels_of(grid_figure(bounded(study[0])))
    assert {"First best", "Second best"} <= set(labels) and "Nash (solved)" not in labels
    one = bounded(make_study(slopes=(1.0,))[0])
    figure = efficiency_figure(one)
    assert labels_of(figure) == ["First best", "Second best"]
    days = market_days(one)
    loss = 100 * (1 - days["second_best_welfare"].sum() / days["first_best"].sum())
    line = next(line for line in figure.axes[0].get_lines() if line.get_label() == "Second best")
    assert line.get_xdata()[0] == pytest.approx(loss)
    learned = one[one["treatment"] != "equilibrium"]
    learned.attrs = one.attrs
    assert labels_of(efficiency_figure(learned)) == ["First best", "Nash", "Second best"]


@pytest.mark.slow
def test_the_report_speaks_of_it_and_the_plan_tests_against_it(study, tmp_path):
    panel, cells = study
    declared = {"name": "H", "outcome": "efficiency", "treatment": "chat", "against": "second_best"}
    row = plan_table(bounded(panel), [declared | {"alternative": "less"}], cells).to_frame().iloc[0]
    want = welfare_table(bounded(panel)).to_frame().xs("chat", level="treatment")["second_best_difference"]
    assert row["estimate"] == pytest.approx(want.mean()) and row["verdict"] == "supported: Chat below Second best"
    made = material_of(bounded(panel), cells, hypotheses=[declared])
    text = words_of(write_report(made, tmp_path / "r"))
    assert "Against the second best, by a 95% interval at each point, it is below it at every one" in text
    assert "Myerson and Satterthwaite 1983" in text and "violat" not in text
    plain = words_of(write_report(material_of(panel, cells), tmp_path / "s"))
    assert "econd best" not in plain


def test_the_mean_price_is_over_rounds_with_trade(make_study):
    panel, _ = make_study(slopes=(1.0,))
    traded = panel["round"] != 2
    some = panel.assign(price=panel["price"].where(traded, np.nan))
    some.attrs = panel.attrs
    table = welfare_table(some)
    assert table.to_frame().loc["chat", "price"] == pytest.approx(panel.loc[traded, "price"].mean())
    assert "over the rounds with trade" in str(table)
