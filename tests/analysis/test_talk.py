"""Surplus against bits. Oracle: a panel of two sessions whose ratios, pairs and errors are worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dcg_econ.analysis import ReportMaterial, surplus_bits_figure, talk_table
from dcg_econ.analysis.sections import fish_sections, sections
from dcg_econ.analysis.tables import small_percent
from dcg_econ.analysis.talk import talk_groups
from dcg_econ.analysis.talk_figure import capacity_places, spread
from dcg_econ.analysis.talk_words import talk_blocks, talk_sentences

# By session: welfare of both rounds; first best is 10 a round in session 0 and 30 in session 1, so 80 in all.
WELFARE = {"silence": (12.0, 42.0), "chat_2": (14.0, 50.0), "whole": (20.0, 54.0)}
CAPACITY = {"silence": 0.0, "chat_2": 2.0, "whole": np.inf}
REGRET = {"silence": (0.02, 0.04), "chat_2": (0.001, 0.003), "whole": (0.0, 0.0)}
SAID = (1.0, 1.6)  # bits by session, in every message of chat_2


def panel_of(names=("silence", "chat_2", "whole"), suffixes=("",), extra=None, **other):
    """Two sessions of two rounds of two players; joint players reach 2 more in each session."""
    rows = []
    for suffix in suffixes:
        for name in names:
            for session in (0, 1):
                total = WELFARE[name][session] + 2.0 * bool(suffix)
                for day in (0, 1):
                    common = {"treatment": name + suffix, "session": session, "round": day, "mechanism": "swap"}
                    common |= {"welfare": total / 2, "first_best": (10.0, 30.0)[session]}
                    common |= {"nash_welfare": 0.7 * (10.0, 30.0)[session], "capacity": CAPACITY[name]}
                    common |= {"regret": REGRET[name][session], "converged": REGRET[name][session] < 0.03}
                    said = {"silence": np.nan, "chat_2": SAID[session], "whole": np.inf}[name]
                    rows += [common | {"participant": f"p{i}", "payoff": total / 4, "bits": said} for i in (0, 1)]
    panel = pd.DataFrame(rows).assign(**other)
    panel.attrs["variable_labels"] = {"payoff": "Payoff, money", "welfare": "Surplus of everyone, money per round"}
    return panel


@pytest.fixture(scope="module")
def tiny():
    return panel_of()


@pytest.fixture(scope="module")
def frame(tiny):
    return talk_table(tiny).to_frame()


def test_efficiency_and_difference_by_hand(frame):
    assert list(frame.index) == ["silence", "chat_2", "whole"]
    assert frame["efficiency"].tolist() == pytest.approx([54 / 80, 64 / 80, 74 / 80])
    u = np.array([14 - 0.8 * 20, 50 - 0.8 * 60]) / 80
    se = np.sqrt(2 * (u**2).sum())
    assert frame.loc["chat_2", "efficiency_se"] == pytest.approx(se)
    width = stats.t.ppf(0.975, 1) * se
    ends = frame.loc["chat_2", ["efficiency_low", "efficiency_high"]].tolist()
    assert ends == pytest.approx([0.8 - width, 0.8 + width])
    base = np.array([12 - 54 / 80 * 20, 42 - 54 / 80 * 60]) / 80
    assert frame.loc["chat_2", "difference"] == pytest.approx(10 / 80)
    assert frame.loc["chat_2", "difference_se"] == pytest.approx(np.sqrt(2 * ((u - base) ** 2).sum()))
    assert np.isnan(frame.loc["silence", "difference"]) and set(frame["against"]) == {"silence"}
    assert frame.loc["chat_2", "paired"] and not frame.loc["silence", "paired"]


def test_capacity_bits_regret_and_convergence(tiny, frame):
    assert frame["capacity"].tolist() == [0.0, 2.0, np.inf]
    assert np.isnan(frame.loc["silence", "bits"]) and np.isposinf(frame.loc["whole", "bits"])
    assert frame.loc["chat_2", "bits"] == pytest.approx(1.3)
    assert frame.loc["chat_2", "bits_se"] == pytest.approx(np.std(SAID, ddof=1) / np.sqrt(2))  # not of eight messages
    assert frame["regret_mean"].tolist() == pytest.approx([0.03, 0.002, 0.0])
    assert frame["regret_max"].tolist() == pytest.approx([0.04, 0.003, 0.0])
    assert frame["converged"].tolist() == [1, 2, 2]
    cells = talk_table(tiny).cells().set_index("Treatment")
    assert cells["Capacity (bits)"].tolist() == ["0", "2", "whole report"]
    assert cells["Bits said"].tolist() == ["–", "1.30 (0.30)", "∞"]
    assert cells["Above the least (pp)"].tolist()[:1] == ["least"] and cells["Converged"].tolist()[0] == "1 of 2"
    assert r"$\infty$" in talk_table(tiny).to_latex()
    text = str(talk_table(tiny))
    for said in ("clustered by session (2 sessions", "Student's t", "per cent of first best", "session by session"):
        assert said in " ".join(text.split())


def test_groups_are_compared_within_themselves(tiny):
    both = panel_of(suffixes=("", "_joint"))
    frame = talk_table(both).to_frame()
    assert list(frame["group"].unique()) == ["Own payoff", "Joint payoff"]
    assert frame.loc["chat_2_joint", "against"] == "silence_joint"
    assert frame.loc["chat_2_joint", "difference"] == pytest.approx(10 / 80)
    first = talk_table(both).cells()["Treatment"].tolist()
    assert first[0] == "Own payoff:" and first[4] == "Joint payoff:" and "endings _joint" in str(talk_table(both))
    mine = talk_table(both, {"A": ["whole", "chat_2"], "B": ["silence_joint"]})
    assert list(mine.to_frame().index) == ["chat_2", "whole", "silence_joint"]
    assert mine.to_frame().loc["whole", "against"] == "chat_2"
    assert "no group: Silence, Chat 2 joint, Whole joint" in str(mine) and "endings _joint" not in str(mine)
    assert talk_groups(["a", "b"]) == {"": ["a", "b"]}


def test_errors_name_the_field_and_the_remedy(tiny):
    for column in ("capacity", "bits", "first_best"):
        with pytest.raises(ValueError, match=f"no column `{column}`"):
            talk_table(tiny.drop(columns=column))
    with pytest.raises(ValueError, match=r"`capacity` is missing on every row.*welfare_table"):
        talk_table(tiny.assign(capacity=np.nan))
    with pytest.raises(ValueError, match="unknown treatment `chat_3`; did you mean `chat_2`"):
        talk_table(tiny, {"A": ["chat_3"]})
    with pytest.raises(ValueError, match="`whole` is named twice"):
        talk_table(tiny, {"A": ["whole"], "B": ["whole"]})
    with pytest.raises(ValueError, match="names no treatment"):
        talk_table(tiny, {"A": []})
    with pytest.raises(ValueError, match="every session failed"):
        surplus_bits_figure(tiny.assign(welfare=np.nan))


def test_failed_sessions_and_unknown_regret():
    panel = panel_of(regret=np.nan)
    gone = (panel["treatment"] == "chat_2") & (panel["session"] == 1)
    panel = panel.assign(welfare=panel["welfare"].mask(gone))
    frame = talk_table(panel).to_frame()
    assert frame.loc["chat_2", ["sessions", "failed", "converged"]].tolist() == [2, 1, 1]
    assert frame.loc["chat_2", "efficiency"] == pytest.approx(14 / 20) and frame.loc["chat_2", "bits"] == SAID[0]
    assert frame.loc["chat_2", "difference"] == pytest.approx(14 / 20 - 12 / 20)  # over the session that both have
    assert np.isnan(frame.loc["chat_2", "efficiency_se"]) and frame["regret_max"].isna().all()
    table = talk_table(panel)
    assert "Failed sessions" in str(table) and "1 to 2 sessions" in str(table) and "nan" not in str(table)
    assert table.cells()["Converged (failed)"].tolist()[1] == "1 of 2 (1)"
    assert "Regret is not known" in talk_sentences(frame)[0]
    figure = surplus_bits_figure(panel)
    figure.draw_without_rendering()  # also where common interests leave no regret on any capacity
    assert "Regret is not known" in [text.get_text() for text in figure.axes[1].texts]


def test_a_base_that_failed_gives_way_and_sessions_apart_are_independent(tiny):
    lost = tiny.assign(welfare=tiny["welfare"].mask(tiny["treatment"] == "silence"))
    frame = talk_table(lost).to_frame()
    assert frame.loc["whole", "against"] == "chat_2" and np.isnan(frame.loc["silence", "efficiency"])
    assert "poorest message (Chat 2, 2 bits)" in talk_sentences(frame)[0]
    apart = tiny.assign(session=tiny["session"] + 10 * (tiny["treatment"] == "chat_2"))
    table = talk_table(apart)
    row = table.to_frame().loc["chat_2"]
    base = table.to_frame().loc["silence"]
    assert row["difference_se"] == pytest.approx(np.hypot(row["efficiency_se"], base["efficiency_se"]))
    assert not row["paired"] and "independent sessions" in " ".join(str(table).split())


def lines_of(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def test_the_figure_draws_the_numbers(tiny):
    both = panel_of(suffixes=("", "_joint"))
    frame = talk_table(both).to_frame()
    upper, lower = surplus_bits_figure(both).axes
    lines = lines_of(upper)
    for group in ("Own payoff", "Joint payoff"):
        own = frame[frame["group"] == group]
        x, y = lines[group].get_xdata(), lines[group].get_ydata()
        np.testing.assert_allclose(y, 100 * own["efficiency"][:2])  # the whole report lies behind the break
        np.testing.assert_allclose(x, np.log2(1 + own["capacity"][:2]), atol=0.05)
    beyond = [line.get_ydata()[-1] for line in upper.get_lines() if line.get_label() == "_beyond"]
    np.testing.assert_allclose(beyond, 100 * frame["efficiency"].iloc[[2, 5]])
    assert lines["Nash"].get_ydata()[0] == pytest.approx(70) and lines["First best"].get_ydata()[0] == 100
    assert "Second best" not in lines
    agreed = surplus_bits_figure(both.assign(second_best_welfare=both["nash_welfare"])).axes[0]
    assert "Second best and Nash" in lines_of(agreed) and "Nash" not in lines_of(agreed)
    regret = [line.get_ydata() for line in lower.get_lines() if line.get_label() == "_regret"]
    np.testing.assert_allclose([y[:2] for y in regret], [[0.03, 0.002]] * 2)
    assert lower.get_yscale() == "log" and upper.get_shared_x_axes().joined(upper, lower)
    bars = next(bar.get_segments() for bar in upper.containers[0].lines[2])
    low, high = frame.loc["chat_2", ["efficiency_low", "efficiency_high"]]
    np.testing.assert_allclose(bars[1][:, 1], [100 * low, 100 * high])


@pytest.mark.slow
def test_the_figure_is_labelled(tiny):
    figure = surplus_bits_figure(panel_of(suffixes=("", "_joint"), second_best_welfare=1.0))
    upper, lower = figure.axes
    assert [text.get_text() for text in upper.texts] == ["Silence", "Chat 2", "Whole"]  # once for both groups
    assert [tick.get_text() for tick in lower.get_xticklabels()][-1] == "whole\nreport"
    assert "bits" in lower.get_xlabel() and "%" in upper.get_ylabel() and "share of" in lower.get_ylabel()
    assert any(line.get_label() == "_break" for line in upper.get_lines())
    assert "Hollow: no regret" in figure.get_supxlabel()
    bounded = surplus_bits_figure(tiny[tiny["treatment"] != "whole"])
    assert not any(line.get_label() == "_break" for line in bounded.axes[0].get_lines())


def test_places_and_names_keep_apart():
    places = capacity_places([6.0, 0.0, np.inf, 1.0])
    assert places[0.0] == 0 and places[1.0] == 1 and places[6.0] == pytest.approx(np.log2(7))
    assert places[np.inf] > places[6.0] + 0.5
    assert capacity_places([np.inf])[np.inf] > 0
    wanted = [0.0, 0.3, 0.31, 0.32, 0.9]
    moved = spread(wanted, 0.05)
    assert np.diff(moved).min() >= 0.05 - 1e-12 and moved[0] == 0.0 and moved[-1] == 0.9
    assert np.mean(moved[1:4]) == pytest.approx(np.mean(wanted[1:4]))


def test_sentences_claim_what_intervals_carry(frame):
    text = talk_sentences(frame)[0]
    assert text.startswith("With the poorest message (Silence, 0 bits) efficiency is 67.5")
    assert "richest (Whole, a whole report) 92.5" in text and "not resolved by a 95% interval" in text
    assert "largest regret found in a session is 4% of first best (Silence); 5 of 6 sessions converged" in text
    sure = frame.copy()
    sure.loc["whole", ["difference_se", "difference_low", "difference_high"]] = [0.01, 0.23, 0.27]
    told = talk_sentences(sure)[0]
    assert (
        "that is more by 25.00 percentage points" in told and "above it: Whole; not told apart from it: Chat 2." in told
    )
    same = frame.copy()
    same.loc["whole", ["difference", "difference_se", "difference_low", "difference_high"]] = 0.0
    assert "; the two are the same." in talk_sentences(same)[0]
    assert small_percent(2.0) == "200" and small_percent(0.04) == "4"


def test_a_grid_is_told_in_a_table_and_never_pooled():
    parts = [panel_of(slope=slope, welfare=panel_of()["welfare"] * slope) for slope in (1.0, 0.5)]
    panel = pd.concat(parts, ignore_index=True)
    panel.attrs = {"parameters": ("slope",)}
    frame = talk_table(panel).to_frame()
    assert frame.loc[("chat_2", 0.5), "efficiency"] == pytest.approx(0.4)
    assert frame.loc[("chat_2", 0.5), "difference"] == pytest.approx(5 / 80)
    assert list(frame.index.get_level_values("slope")) == [0.5] * 3 + [1.0] * 3
    with pytest.raises(ValueError, match="sweeps slope"):
        surplus_bits_figure(panel)
    assert talk_blocks(panel.assign(first_best=-1.0), ("slope",)) == ()  # no share of a first best below nothing
    blocks = talk_blocks(panel, ("slope",))
    assert len(blocks) == 2 and "every point" in blocks[0]


def test_the_section_stands_where_capacities_are_known(tiny):
    def made(panel):
        return {s.anchor: s for s in sections(ReportMaterial("t", "q", panel))}

    found = made(tiny)
    order = list(found)
    assert order.index("talk") == order.index("welfare") + 1
    assert [type(block).__name__ for block in found["talk"].blocks] == ["str", "Picture", "Table"]
    assert any(term.startswith("Capacity:") for term in found["terms"].blocks)
    for bare in (tiny.drop(columns="capacity"), tiny.assign(capacity=2.0)):
        bare.attrs = tiny.attrs
        assert "talk" not in made(bare) and not any(t.startswith("Capacity:") for t in made(bare)["terms"].blocks)


@pytest.mark.slow
def test_the_fish_market_has_the_section_too(panel):
    capacity = panel["treatment"].map(lambda name: np.inf if "schedules" in name else 2.0)
    talking = panel.assign(capacity=capacity, bits=1.0)
    talking.attrs = panel.attrs
    found = {section.anchor: section for section in fish_sections(ReportMaterial("t", "q", talking))}
    assert "talk" in found and any(term.startswith("Bits:") for term in found["terms"].blocks)
