"""Institutions side by side: every number of a small panel is known by hand; the figure shows what its frame holds."""

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import (
    frontier_figure,
    institutions_table,
    market_days,
    payments_table,
    save_figure,
    welfare_table,
)
from dcg_econ.analysis.benchmarks import nash_of
from dcg_econ.analysis.material import ReportMaterial
from dcg_econ.analysis.sections import sections
from dcg_econ.analysis.style import looks, mechanism_name, treatment_label

BEST, VOLUNTARY = 10.0, 6.0  # welfare of first best and of the equilibrium of voluntary contributions, money per round
# treatment: mechanism, agent, and for the sessions 0 and 1 welfare, level, surplus and the gains of the two players
PLAYED = {
    "voluntary_nash": (
        "voluntary_contribution",
        "analytic",
        [(6.0, 2.0, 0.0, (0.0, 1.0)), (6.0, 2.0, 0.0, (0.0, 1.0))],
    ),
    "voluntary_learned": (
        "voluntary_contribution",
        "learned",
        [(7.0, 2.5, 0.0, (0.5, 1.0)), (9.0, 3.5, 0.0, (0.2, 1.0))],
    ),
    "clarke_nash": ("clarke_pivot", "analytic", [(10.0, 5.0, 1.0, (1.0, 2.0)), (10.0, 5.0, 2.0, (1.5, 2.0))]),
    "clarke_learned": ("clarke_pivot", "learned", [(9.0, 4.0, 0.5, (-1.0, 2.0)), (9.5, 5.0, 1.5, (1.0, 2.0))]),
    "lindahl_learned": ("lindahl", "learned", [(5.0, 1.0, 0.0, (1.0, 1.0)), (6.0, 2.0, 0.0, (1.0, 1.0))]),
}
LABELS = {
    "payoff": "Payoff, money",
    "welfare": "Surplus of everyone, money per round",
    "level": "Level of the public good, units",
}


def made(played=None, sessions=2):
    """Two rounds a session; in the second the first best is twice the first's, and so is everything but the gains."""
    rows = []
    for treatment, (kind, agent, by_session) in (played or PLAYED).items():
        for session, (welfare, level, surplus, gains) in enumerate(by_session[:sessions]):
            for day, size in enumerate((1.0, 2.0)):
                common = {
                    "treatment": treatment,
                    "mechanism": kind,
                    "agent_type": agent,
                    "session": session,
                    "round": day,
                }
                common |= {"welfare": size * welfare, "first_best": size * BEST, "nash_welfare": size * VOLUNTARY}
                common |= {"lindahl_welfare": size * BEST, "level": size * level, "budget_surplus": size * surplus}
                common |= {"regret": 0.0 if agent == "analytic" else 0.001 * (1 + session), "converged": True}
                common |= {"role": "player", "cell": treatment}
                rows += [
                    common | {"participant": f"player {i}", "gain": gain if day == 0 else 3.0, "payoff": 1.0 + gain}
                    for i, gain in enumerate(gains)
                ]
    panel = pd.DataFrame(rows)
    panel.attrs["variable_labels"] = dict(LABELS)
    return panel


@pytest.fixture(scope="module")
def goods():
    return made()


def test_every_number_by_hand(goods):
    frame = institutions_table(goods).to_frame()
    assert list(frame.index) == ["voluntary_contribution", "clarke_pivot", "lindahl"]
    voluntary, clarke = frame.loc["voluntary_contribution"], frame.loc["clarke_pivot"]
    assert (voluntary["learned"], voluntary["nash"], voluntary["lindahl"]) == pytest.approx((0.8, 0.6, 1.0))
    assert voluntary["learned_se"] == pytest.approx(np.std([0.7, 0.9], ddof=1) / np.sqrt(2))
    assert (voluntary["level_learned"], voluntary["level_nash"]) == pytest.approx(
        (4.5, 3.0)
    )  # levels are 1 and 2 times
    assert (clarke["learned"], clarke["nash"], clarke["first_best"]) == pytest.approx((0.925, 1.0, 1.0))
    assert (clarke["surplus_learned"], clarke["surplus_nash"]) == pytest.approx((1.5, 2.25))
    assert clarke["surplus_nash_se"] == pytest.approx(np.std([1.5, 3.0], ddof=1) / np.sqrt(2))
    assert (clarke["least_gain_learned"], clarke["least_gain_nash"]) == (-1.0, 1.0)
    assert (clarke["losing_rounds_learned"], clarke["losing_rounds_nash"]) == (0.25, 0.0)  # one round of four
    assert (clarke["regret_mean"], clarke["regret_max"]) == pytest.approx((0.0015, 0.002))
    assert (clarke["learned_treatment"], clarke["nash_treatment"]) == ("clarke_learned", "clarke_nash")


def test_the_tables_print_a_line_for_each_institution_and_dashes_where_nothing_was_solved(goods):
    table = institutions_table(goods)
    printed = table.cells()
    assert list(printed["Institution"]) == ["Voluntary contributions", "", "Clarke pivot", "", "Lindahl", ""]
    assert list(printed["Learned (%)"]) == ["80.00", "(10.00)", "92.50", "(2.50)", "55.00", "(5.00)"]
    assert list(printed["Nash (%)"][:1]) == ["60.00"] and printed["Nash (%)"][4] == "–"
    assert (
        list(printed["Lindahl (%)"][::2]) == ["100.00"] * 3 and list(printed["Regret, % (largest)"][::2]) == ["0.2"] * 3
    )
    text = str(table)
    for said in (
        "A dash: the study has no such treatment",
        "Benchmarks: Nash, Lindahl and First best",
        "clustered by session",
    ):
        assert said in text
    assert "quasi-linear players it is efficient" in " ".join(text.split()) and "below 100" not in text
    money = payments_table(goods).cells()
    assert (
        list(money["Budget surplus (learned)"][2:4]) == ["1.50", "(0.75)"]
        and money["Least gain (learned)"][2] == "-1.00"
    )
    assert money["Rounds with a loser, % (learned)"][2] == "25.00" and money["Least gain (Nash)"][4] == "–"
    assert "money per round" in str(payments_table(goods)) and "toprule" in table.to_latex()


def test_lindahl_below_first_best_is_explained(goods):
    excludable = goods.assign(
        first_best=goods["first_best"] * np.where(goods["mechanism"] == "clarke_pivot", 1.25, 1.0)
    )
    excludable.attrs = goods.attrs
    table = institutions_table(excludable)
    assert table.to_frame().loc["clarke_pivot", "lindahl"] == pytest.approx(0.8)
    assert "exclude players" in " ".join(str(table).split())


def test_failed_sessions_enter_no_mean(goods):
    bad = goods.copy()
    lost = (bad["treatment"] == "clarke_learned") & (bad["session"] == 0)
    bad.loc[lost, ["welfare", "gain", "level", "budget_surplus"]] = np.nan
    row = institutions_table(bad).to_frame().loc["clarke_pivot"]
    assert row["learned"] == pytest.approx(0.95) and row["level_learned"] == pytest.approx(7.5)
    assert (row["losing_rounds_learned"], row["sessions"], row["failed"]) == (0.0, 2, 1)
    assert "Failed sessions have no finite welfare" in str(institutions_table(bad))
    gone = goods.assign(welfare=goods["welfare"].mask(goods["treatment"] == "lindahl_learned"))
    assert institutions_table(gone).cells()["Learned (%)"].iloc[-1] == "–"
    with pytest.raises(ValueError, match="every session failed"):
        institutions_table(goods.assign(welfare=np.nan))


def test_one_session_has_no_standard_error():
    table = institutions_table(made(sessions=1))
    assert "" not in set(table.cells()["Institution"]) and "no standard error" in str(table) and "nan" not in str(table)


def test_a_strategy_is_not_taken_for_nash_and_treatments_of_one_mechanism_are_not_pooled():
    truth = {"clarke_truth": ("clarke_pivot", "analytic", PLAYED["clarke_nash"][2])}
    kind = {"clarke_kind": ("clarke_pivot", "learned", PLAYED["clarke_nash"][2])}
    played = {name: row for name, row in PLAYED.items() if name != "clarke_nash"} | truth | kind
    panel = made(played)
    frame = institutions_table(panel).to_frame()
    rows = frame.loc["clarke_pivot"]
    assert list(rows["institution"]) == ["Clarke pivot: Clarke learned", "Clarke pivot: Clarke kind"]
    assert list(rows["learned"]) == pytest.approx([0.925, 1.0])
    assert set(rows["nash_treatment"]) == {"clarke_truth"}  # nobody regrets it, so it is an equilibrium
    regretted = panel.assign(regret=panel["regret"].where(panel["treatment"] != "clarke_truth", 0.3))
    assert institutions_table(regretted).to_frame().loc["clarke_pivot", "nash"].isna().all()


def test_each_point_of_a_grid_has_its_row(goods):
    two = pd.concat([goods.assign(players=2.0), goods.assign(players=5.0, welfare=0.5 * goods["welfare"])])
    two["cell"] = two["treatment"] + two["players"].astype(str)
    two.attrs = goods.attrs | {"parameters": ["players"]}
    frame = institutions_table(two).to_frame()
    assert len(frame) == 6 and list(frame.loc["lindahl", "learned"]) == pytest.approx([0.55, 0.275])
    assert frame["institution"].iloc[-1] == "Lindahl, players = 5"


def test_the_report_has_the_section_and_says_whose_nash_it_is(goods):
    cells = pd.DataFrame({"cell": [*PLAYED, "walker_learned"], "treatment": [*PLAYED, "walker_learned"]})
    cells = cells.assign(status=["ok"] * 5 + ["failed"], sessions=2, unconverged=0, seconds=1.0, warnings="", error="")
    by = {section.anchor: section.blocks for section in sections(ReportMaterial("t", "q", goods, cells=cells))}
    assert [table.name for table in by["institutions"][:2]] == ["institutions", "payments"]
    assert by["institutions"][2] == "Without result, so in neither table: Walker learned."
    assert "This is the Nash equilibrium of voluntary contributions itself." in by["answer"][0]
    assert any("above the Nash equilibrium of voluntary contributions" in text for text in by["answer"][2:5])
    terms = " ".join(by["terms"])
    assert "the equilibrium of voluntary contributions, whatever the treatment plays" in terms and "Lindahl's" in terms
    bare = ReportMaterial("t", "q", goods.drop(columns="lindahl_welfare"))
    assert "institutions" not in [section.anchor for section in sections(bare)]


def test_whose_nash_it_is_follows_the_specification_and_is_silent_about_one_mechanism(goods):
    assert nash_of(market_days(goods)) == " of voluntary contributions"
    others = goods[goods["treatment"] != "voluntary_nash"]
    assert nash_of(market_days(others)) == " of the study's own mechanism"
    named = ReportMaterial("t", "q", others, settings={"mechanism.kind": "groves_ledyard"}).labelled()
    assert nash_of(market_days(named)) == " of Groves-Ledyard" and "reference" not in others.attrs
    assert nash_of(market_days(goods[goods["mechanism"] == "clarke_pivot"])) == ""
    assert "against Nash of voluntary contributions" in welfare_table(goods).title


def test_many_treatments_stand_in_rows():
    more = {f"other_{i}": PLAYED["clarke_learned"] for i in range(3)}
    few, many = welfare_table(made()).cells(), welfare_table(made(PLAYED | more)).cells()
    assert "Clarke learned" in few.columns and list(many["Treatment"])[3] == "Clarke learned" and len(many) == 8
    assert many["Efficiency (%)"][3] == "92.50 (2.50)" and "Payoff, players together (money per round)" in many


def test_names_of_people_and_looks():
    assert treatment_label("groves_ledyard_nash") == "Groves-Ledyard Nash" and treatment_label("nash") == "Nash"
    assert mechanism_name("serial_cost_sharing") == "serial cost sharing" and mechanism_name("walker") == "Walker"
    drawn = looks([f"{name}_{play}" for name in "abcdef" for play in ("learned", "nash")])
    assert drawn["a_learned"].colour == drawn["a_nash"].colour != drawn["b_nash"].colour
    assert len({(look.colour, str(look.line)) for look in drawn.values()}) == 12
    twenty = looks([f"treatment {i}" for i in range(20)])
    assert len({(look.colour, str(look.line), look.marker) for look in twenty.values()}) == 20


ROWS = [
    ("Voluntary contributions", "one number", 0.6, 0.55, 0.65, 0.0, 12.0),
    ("Voluntary contributions", "chat", 0.8, np.nan, np.nan, 0.0, np.nan),
    ("Walker", "one number", 0.9, 0.85, 0.95, 0.0, np.inf),
    ("Clarke pivot", "curve", 1.0, 1.0, 1.0, 0.02, 1.0),
]
HEADS = [
    "institution",
    "message",
    "efficiency",
    "efficiency_low",
    "efficiency_high",
    "budget_surplus",
    "rounds_to_converge",
]


@pytest.fixture(scope="module")
def frontier():
    return pd.DataFrame(ROWS, columns=HEADS)


def marks(axis):
    return [line.get_xydata()[0].tolist() for line in axis.get_lines() if line.get_marker() in ("o", "^", "s")]


def test_the_figure_shows_what_its_frame_holds(frontier):
    figure = frontier_figure(frontier)
    left, middle, right = figure.axes
    assert [x for x, _ in marks(left)] == [60, 80, 90, 100] and [x for x, _ in marks(middle)] == [0, 0, 0, 2]
    assert [text.get_text() for text in left.get_yticklabels()] == ["Voluntary contributions", "Walker", "Clarke pivot"]
    heights = [y for _, y in marks(left)]
    assert heights[2:] == [1, 2] and heights[0] == -heights[1] < 0
    assert right.get_xscale() == "log" and "log scale" in right.get_xlabel() and "% of first best" in left.get_xlabel()
    ticks = dict(zip([text.get_text() for text in right.get_xticklabels()], right.get_xticks(), strict=True))
    shown = [x for x, _ in marks(right)]
    assert (
        shown[0] == 12 and shown[1] == ticks["never"] > 100 and shown[2] == 1
    )  # a round that is not known has no mark
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["One number", "Chat", "Curve"]
    assert "Hollow" in figure.get_supxlabel()


def test_a_frame_without_intervals_or_cycles_is_drawn(frontier, tmp_path):
    some = frontier[np.isfinite(frontier["rounds_to_converge"])].drop(columns=["efficiency_low", "efficiency_high"])
    figure = frontier_figure(some)
    assert "never" not in [text.get_text() for text in figure.axes[2].get_xticklabels()]
    assert "Hollow" not in figure.get_supxlabel()
    assert save_figure(figure, tmp_path, "frontier")[0].stat().st_size > 5000
    still = frontier_figure(frontier.assign(rounds_to_converge=[0.0, 3.0, np.inf, 0.0]), of="the possible gains")
    ticks = dict(zip([t.get_text() for t in still.axes[2].get_xticklabels()], still.axes[2].get_xticks(), strict=True))
    assert marks(still.axes[2])[0][0] == ticks["0"] < 1 < 10 < ticks["never"]
    assert still.axes[0].get_xlabel() == "Efficiency\n(% of the possible gains)"
    for unknown in (np.nan, np.inf, 0.0):
        assert len(frontier_figure(some.assign(rounds_to_converge=unknown)).axes) == 3


def test_what_the_figure_refuses(frontier):
    with pytest.raises(ValueError, match="unknown message `curves`; did you mean `curve`"):
        frontier_figure(frontier.assign(message="curves"))
    with pytest.raises(ValueError, match="Walker with one number is there twice"):
        frontier_figure(pd.concat([frontier, frontier.iloc[[2]]]))
    with pytest.raises(ValueError, match="negative number"):
        frontier_figure(frontier.assign(rounds_to_converge=-1))
    with pytest.raises(ValueError, match="no column `budget_surplus`"):
        frontier_figure(frontier.drop(columns="budget_surplus"))
    with pytest.raises(ValueError, match="no rows"):
        frontier_figure(frontier.head(0))
