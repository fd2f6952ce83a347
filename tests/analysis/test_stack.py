"""Human, learned and analytic sessions in one table."""

from pathlib import Path

import pandas as pd
import pytest

from dcg_econ.analysis import (
    ByGroup,
    PublicGoodsApp,
    read_otree,
    stack_panels,
    to_otree,
    treatment_effects,
    welfare_table,
)

DATA = Path(__file__).parent / "data" / "otree"
GOODS = PublicGoodsApp(endowment=100, multiplier="session.config.multiplier")
SHOWN = ["efficiency", "efficiency_se"]
EXACT = 1e-12
ROUNDING = 1e-10  # least squares by orthogonal factors


@pytest.fixture(scope="module")
def people():
    panel = read_otree(DATA / "people/all_apps_wide.csv", GOODS, unit=ByGroup())
    attrs, panel = panel.attrs, panel[panel["complete"]].reset_index(drop=True)
    panel.attrs = attrs
    return panel


@pytest.fixture(scope="module")
def simulated(study):
    panel = study[0][study[0]["outside_slope"] == 1.0].drop(columns="outside_slope").reset_index(drop=True)
    panel.attrs = {**study[0].attrs, "parameters": []}
    return panel


@pytest.fixture(scope="module")
def stacked(people, simulated):
    return stack_panels(people, simulated, money="points")


def ratio(panel):
    days = panel.drop_duplicates(["treatment", "session", "round"])
    return days["welfare"].sum() / days["first_best"].sum()


def test_sessions_are_distinct_and_treatments_are_marked(stacked, people, simulated):
    assert len(stacked) == len(people) + len(simulated) and stacked["session"].dtype == "int64"
    ours, theirs = (
        set(stacked.loc[who, "session"]) for who in (stacked["agent_type"] == "human", stacked["agent_type"] != "human")
    )
    assert not ours & theirs and len(ours) == people["session"].nunique()
    treats = [name for name in stacked if name.startswith("treat_")]
    assert treats == ["treat_high", "treat_low", "treat_silence", "treat_chat", "treat_equilibrium"]
    assert stacked[treats].sum(axis=1).eq(1).all() and stacked[treats].dtypes.eq(float).all()
    assert stacked["converged"].dtype == stacked["complete"].dtype == bool and set(stacked["agent_type"]) == {
        "human",
        "learned",
        "analytic",
    }
    assert stacked.attrs["variable_labels"]["payoff"] == "Payoff, points"
    assert stacked.attrs["variable_labels"]["contribution"] == "Contribution, points"


def test_the_welfare_table_has_them_all(stacked, people, simulated):
    table = welfare_table(stacked)
    frame = table.to_frame()
    for panel in (people, simulated):
        for name, own in panel.groupby("treatment"):
            assert frame.loc[name, "efficiency"] == pytest.approx(ratio(own), abs=EXACT)
    assert list(frame["failed"]) == [0] * 5 and list(frame["unconverged"]) == [0] * 5
    assert "against Nash\n" in str(table)  # each mechanism's own, and nobody's name
    alone = welfare_table(people).to_frame()
    pd.testing.assert_frame_equal(
        frame.loc[alone.index, ["efficiency", "efficiency_se"]], alone[["efficiency", "efficiency_se"]]
    )


def test_treatment_effects_compare_people_with_agents(stacked, people, simulated):
    effects = treatment_effects(stacked, "efficiency", baseline="high", absorb=None, ratio=True).to_frame()
    base = ratio(people[people["treatment"] == "high"])
    assert effects.loc["low", "b"] == pytest.approx(ratio(people[people["treatment"] == "low"]) - base, abs=ROUNDING)
    for name in ("silence", "chat", "equilibrium"):
        own = simulated[simulated["treatment"] == name]
        assert effects.loc[name, "b"] == pytest.approx(ratio(own) - base, abs=ROUNDING)


def test_plain_concat_goes_through_the_same_tables(people, simulated):
    ours = people.assign(session=people["session"] + 100)
    plain = pd.concat([ours.assign(converged=True), simulated], ignore_index=True)
    want = welfare_table(stack_panels(people, simulated, money="points")).to_frame()
    found = welfare_table(plain).to_frame()
    pd.testing.assert_frame_equal(found[SHOWN], want[SHOWN])


def test_it_goes_out_to_otree_and_comes_back(stacked):
    found = read_otree(to_otree(stacked))
    names = [
        name for name in stacked if not name.startswith(("participant_", "session_")) and stacked[name].notna().all()
    ]
    assert {"payoff", "welfare", "treatment", "agent_type", "participant", "treat_high"} <= set(names)
    pd.testing.assert_frame_equal(found[names], stacked[names])
    bots = to_otree(stacked)["participant._is_bot"]
    assert bots.eq(stacked["agent_type"].ne("human")).all()
    human = stacked["agent_type"].eq("human")
    assert found.loc[human, "participant_code"].equals(stacked.loc[human, "participant_code"])


def test_the_same_name_for_different_agents_is_told_apart(people, simulated):
    twin = simulated.assign(treatment=simulated["treatment"].replace("chat", "high"))
    twin.attrs = simulated.attrs
    with pytest.raises(ValueError, match=r"`high` is played by human in one panel and by learned in another.*names="):
        stack_panels(people, twin, money="points")
    named = stack_panels(people, twin, names=("people", "nets"), money="points")
    assert {"people_high", "nets_high"} <= set(named["treatment"]) and named["treat_nets_high"].sum() > 0
    pooled = stack_panels(people, people)
    assert pooled["session"].nunique() == 2 * people["session"].nunique() and len(welfare_table(pooled).to_frame()) == 2


def test_different_money_is_refused(people, simulated):
    with pytest.raises(
        ValueError, match="different money: points or currency as exported; money; read the exports with"
    ):
        stack_panels(people, simulated)
    with pytest.raises(ValueError, match="1 `names` for 2 panels"):
        stack_panels(people, simulated, names=["a"])
    with pytest.raises(ValueError, match="no panels to stack"):
        stack_panels()
    with pytest.raises(ValueError, match="no column `agent_type`"):
        stack_panels(people.drop(columns="agent_type"))
